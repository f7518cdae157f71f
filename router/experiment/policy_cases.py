"""Cases written beside a policy: a request, what backends are made to say, and the rule, route and verdict expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from visionrouter.backends.base import Backend, Kind
from visionrouter.backends.fake import ALL_TASKS, Answer, FakeBackend, plausible
from visionrouter.policies import CompiledPolicy, compile_policy, load_policy, preset_names
from visionrouter.router import Router
from visionrouter.schema.decision import Decision, Outcome, Reason, VariantReason
from visionrouter.schema.document import MAX_BYTES, read_document
from visionrouter.schema.errors import PolicyError, ResourceError, VisionRouterError
from visionrouter.schema.image import load_image
from visionrouter.schema.limit_model import LimitModel
from visionrouter.schema.payload import Classification, Detections, Poses, Segmentation
from visionrouter.schema.request import Criticality, Query
from visionrouter.schema.route import Limits, Opinion
from visionrouter.schema.task import Task


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerModel(_Strict):
    """What a backend is made to do. `pass` and `fail` keep or break every limit the backend has, those of its opinion too. `empty` finds nothing, where the task has things to find."""

    does: Literal["pass", "fail", "empty", "error", "out_of_memory"] = "pass"
    signals: dict[str, float] = Field(default_factory=dict)
    latency_ms: Annotated[float, Field(ge=0, le=5000)] = 0.0


Scripted = Annotated[AnswerModel, BeforeValidator(lambda v: {"does": v} if isinstance(v, str) else v)]


class BackendModel(_Strict):
    """A backend that only exists for the cases."""

    kind: Kind = "specialist"
    tasks: frozenset[Task] = ALL_TASKS
    licence: str = "Apache-2.0"
    labels: tuple[str, ...] | None = None
    limits: dict[Task, dict[str, LimitModel]] = Field(default_factory=dict)


class RequestModel(_Strict):
    instruction: str | None = None
    task: Task | None = None
    size: tuple[Annotated[int, Field(ge=1, le=20_000)], Annotated[int, Field(ge=1, le=20_000)]] = (64, 48)
    tags: dict[str, str] = Field(default_factory=dict)
    context: dict[str, Any] = Field(default_factory=dict)
    boxes: list[tuple[float, float, float, float]] | None = None
    criticality: Criticality = Criticality.NORMAL
    deadline_ms: float | None = None
    seed: int = 0
    id: str | None = None


class ExpectModel(_Strict):
    """What must come out; what is not named is not looked at."""

    rule: str | None = None
    tries: tuple[str, ...] | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    by: str | None = None
    verdicts: dict[str, Reason] = Field(default_factory=dict)
    skipped: dict[str, Reason] = Field(default_factory=dict)
    variant: str | None = None
    variant_reason: VariantReason | None = None


class CaseModel(_Strict):
    name: str
    request: RequestModel
    answers: dict[str, Scripted] = Field(default_factory=dict)
    expect: ExpectModel


class CasesModel(_Strict):
    """`backends` are scripted ones; without them those of `profile` are taken, with their tasks, licences and limits."""

    schema_version: Literal[1]
    policy: str
    profile: str = "nano"
    backends: dict[str, BackendModel] = Field(default_factory=dict)
    cases: Annotated[tuple[CaseModel, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`wrong`: one line for each expectation that did not hold; empty where the case passed."""

    name: str
    line: int
    wrong: tuple[str, ...]


def run_cases(path: Path) -> list[CaseResult]:
    """Run every case of a file. Raises `PolicyError` for a mistake in it, or in the policy it names."""
    model, lines = _read(path)
    named = model.policy if model.policy in preset_names() else path.parent / model.policy
    policy = compile_policy(load_policy(named))
    return [_run(model, case, policy, line, path) for case, line in zip(model.cases, lines, strict=True)]


def _read(path: Path) -> tuple[CasesModel, list[int]]:
    try:
        with path.open("rb") as file:
            document = read_document(file.read(MAX_BYTES + 1), str(path), PolicyError)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); name a YAML file of cases") from error
    try:
        model = CasesModel.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "cases"
        raise PolicyError(f"{path}:{document.line(tuple(first['loc']))}: {place}: {first['msg']}") from error
    lines = [document.line(("cases", i)) or 1 for i in range(len(model.cases))]
    for case, line in zip(model.cases, lines, strict=True):
        if case.expect == ExpectModel():
            raise PolicyError(
                f"{path}:{line}: case {case.name!r} expects nothing; name a rule, outcome, tries ..."
            )
        if (case.request.instruction is None) == (case.request.task is None):
            raise PolicyError(
                f"{path}:{line}: case {case.name!r} needs an instruction or a task, one of them"
            )
    return model, lines


def _run(model: CasesModel, case: CaseModel, policy: CompiledPolicy, line: int, path: Path) -> CaseResult:
    backends, limits, opinions = _backends(model, case)
    unknown = sorted(set(case.answers) - set(backends))
    if unknown:
        raise PolicyError(
            f"{path}:{line}: case {case.name!r} scripts {unknown[0]!r}, which is not among {', '.join(backends)}"
        )
    asked = case.request
    photo = load_image(np.zeros((asked.size[1], asked.size[0], 3), np.uint8))
    with Router(backends, policy, limits=limits, opinions=opinions) as router:
        try:
            request = router.request(
                photo,
                asked.task or asked.instruction or "",
                boxes=asked.boxes,
                tags=asked.tags,
                context=asked.context,
                deadline_ms=asked.deadline_ms,
                criticality=asked.criticality,
                seed=asked.seed,
            )
        except VisionRouterError as error:
            raise PolicyError(f"{path}:{line}: case {case.name!r}: {error}") from error
        decision = router.answer(request if asked.id is None else replace(request, id=asked.id)).decision
    return CaseResult(case.name, line, tuple(_wrong(case.expect, decision)))


def _backends(
    model: CasesModel, case: CaseModel
) -> tuple[dict[str, Backend], dict[str, Mapping[Task, Limits]], Mapping[str, Mapping[Task, Opinion]]]:
    """The fakes that stand in, their limits, and what makes their answers opinions."""
    made: dict[str, Backend] = {}
    limits: dict[str, Mapping[Task, Limits]] = {}
    if model.backends:
        for name, entry in model.backends.items():
            limits[name] = {
                task: {signal: limit.limit() for signal, limit in signals.items()}
                for task, signals in entry.limits.items()
            }
            made[name] = FakeBackend(
                name, kind=entry.kind, tasks=entry.tasks, licence=entry.licence, labels=entry.labels,
                script=_script(case.answers.get(name, AnswerModel()), limits[name]),
            )  # fmt: skip
        return made, limits, {}
    from visionrouter.backends.profile import load_profile

    profile = load_profile(model.profile)
    for name, real in profile.backends.items():
        limits[name] = profile.limits.get(name, {})
        opinions = profile.opinions.get(name, {})
        kept = {
            task: {**(opinions[task].counts if task in opinions else {}), **limits[name].get(task, {})}
            for task in opinions.keys() | limits[name].keys()
        }
        fake = FakeBackend(name, script=_script(case.answers.get(name, AnswerModel()), kept))
        fake.spec = replace(real.spec, name=name, inline=True, requires=())
        made[name] = fake
    return made, limits, profile.opinions


def _script(asked: AnswerModel, limits: Mapping[Task, Limits]) -> Any:
    error = {"error": RuntimeError("scripted to fail"), "out_of_memory": ResourceError("scripted")}.get(
        asked.does
    )

    def answer(query: Query) -> Answer:
        signals = {"score": 0.9}
        for name, limit in limits.get(query.task, {}).items():
            inside = limit.min if limit.min is not None else limit.max
            assert inside is not None
            outside = limit.min - 1 if limit.min is not None else inside + 1
            signals[name] = outside if asked.does == "fail" else inside
        payload = _nothing(query) if asked.does == "empty" else None
        return Answer(payload, {**signals, **asked.signals}, asked.latency_ms, error)

    return answer


def _nothing(query: Query) -> Any:
    found = plausible(query)
    match found:
        case Detections():
            return Detections(found.boxes[:0], found.scores[:0], ())
        case Segmentation():
            return replace(found, masks=np.zeros_like(found.masks))
        case Poses():
            return Poses(
                found.keypoints[:0], found.keypoint_scores[:0], found.boxes[:0], found.scores[:0],
                found.names, found.edges,
            )  # fmt: skip
        case Classification():
            return Classification((), found.scores[:0])
        case _:
            return None


def _wrong(expect: ExpectModel, decision: Decision) -> list[str]:
    parts = decision.children or (decision,)
    attempts = [attempt for part in parts for attempt in part.attempts]
    rules = {part.rule for part in parts}
    by = next((a.backend for a in reversed(attempts) if a.verdict.accepted), None)
    verdicts = {a.backend: a.verdict.reason for a in attempts}
    skipped = dict(pair for part in parts for pair in part.skipped)
    found = {
        "rule": expect.rule if rules == {expect.rule} else " + ".join(sorted(rules)),
        "tries": tuple(a.backend for a in attempts),
        "outcome": decision.outcome,
        "reason": decision.reason,
        "by": by,
        "variant": decision.variant,
        "variant_reason": decision.variant_reason,
    }
    wrong = [
        f"{name}: expected {_say(wanted)}, got {_say(found[name])}"
        for name in found
        if (wanted := getattr(expect, name)) is not None and wanted != found[name]
    ]
    for what, wanted_reasons, got in (("verdicts", expect.verdicts, verdicts), ("skipped", expect.skipped, skipped)):  # fmt: skip
        wrong += [
            f"{what}.{backend}: expected {reason}, got {_say(got.get(backend))}"
            for backend, reason in wanted_reasons.items()
            if got.get(backend) is not reason
        ]
    return wrong


def _say(value: object) -> str:
    if isinstance(value, tuple):
        return " > ".join(map(str, value)) or "nobody"
    return "nothing" if value is None else str(value)
