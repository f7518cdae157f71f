"""A policy as YAML writes it: pydantic models that refuse what they do not know, and their plain, frozen form."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from visionrouter.policies.experiment_model import ArmModel, Experiments
from visionrouter.policies.expression import compile_expression
from visionrouter.policies.licences import Licences
from visionrouter.policies.strict import Name, Strict
from visionrouter.schema.decision import OnError
from visionrouter.schema.limit_model import LimitModel, SignalName
from visionrouter.schema.route import (
    ALWAYS,
    BY_LIMITS,
    Accept,
    Choice,
    CrossCheck,
    Hedge,
    IfNone,
    OnDisagreement,
    Otherwise,
    ProbeName,
    Regions,
    Route,
    Uncertified,
)

Share = Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(strict=True, gt=0, le=86_400_000, allow_inf_nan=False)]


class LicencesModel(Strict):
    """Licences that may not run, or the only ones that may."""

    deny: tuple[Name, ...] = ()
    allow: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    def licences(self) -> Licences:
        """The same as a plain dataclass."""
        return Licences(self.deny, self.allow)


class EvidenceModel(Strict):
    """Limits that the route itself sets on the signals of an answer."""

    evidence: Annotated[dict[SignalName, LimitModel], Field(min_length=1)]


class ConfidenceModel(Strict):
    """The least calibrated confidence of an answer."""

    confidence: Share


class RiskModel(Strict):
    """A certificate: at most a share `risk` of the accepted is bad, with confidence 1 - `delta`."""

    risk: Share
    delta: Share = 0.1


_ACCEPT_BY_KEY = {"evidence": EvidenceModel, "confidence": ConfidenceModel, "risk": RiskModel}


def _accept_tag(value: Any) -> str:
    if isinstance(value, Mapping):
        known = next((key for key in _ACCEPT_BY_KEY if key in value), None)
        near = get_close_matches(str(next(iter(value), "")), _ACCEPT_BY_KEY, 1, 0.0)
        return f"<{known or near[0]}>"
    return next((f"<{key}>" for key, model in _ACCEPT_BY_KEY.items() if isinstance(value, model)), "<word>")


AcceptModel = Annotated[
    Annotated[Literal["limits", "always"], Tag("<word>")]
    | Annotated[EvidenceModel, Tag("<evidence>")]
    | Annotated[ConfidenceModel, Tag("<confidence>")]
    | Annotated[RiskModel, Tag("<risk>")],
    Discriminator(_accept_tag),
]


def accept_of(model: AcceptModel) -> Accept:
    """The plain form of what stands under `accept`."""
    match model:
        case EvidenceModel():
            return Accept("evidence", {name: limit.limit() for name, limit in model.evidence.items()})
        case ConfidenceModel():
            return Accept("confidence", confidence=model.confidence)
        case RiskModel():
            return Accept("risk", alpha=model.risk, delta=model.delta)
        case _:
            return ALWAYS if model == "always" else BY_LIMITS


class ChoiceModel(Strict):
    """One entry of `try`, with a gate of its own if it has one."""

    backend: Name
    accept: AcceptModel | None = None


Try = Annotated[
    ChoiceModel,
    BeforeValidator(
        lambda v: {"backend": v} if isinstance(v, str) else v, json_schema_input_type=Name | ChoiceModel
    ),
]


class CrossCheckModel(Strict):
    """A second opinion on every answer: see `visionrouter.schema.route.CrossCheck`."""

    backend: Name
    on_disagreement: OnDisagreement = "fall_back"
    if_none: IfNone = "fall_back"

    def check(self) -> CrossCheck:
        """The same as a plain dataclass."""
        return CrossCheck(self.backend, self.on_disagreement, self.if_none)


class RegionsModel(Strict):
    """Where a dense answer is mended instead of replaced: see `visionrouter.schema.route.Regions`."""

    below: Share = 0.5
    max_share: Share = 0.4
    max_count: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    min_share: Share = 0.002

    def regions(self) -> Regions:
        """The same as a plain dataclass."""
        return Regions(self.below, self.max_share, self.max_count, self.min_share)


class RegionFallbackModel(Strict):
    regions: RegionsModel


FallbackModel = Annotated[
    Annotated[Literal["whole", "regions"], Tag("<word>")] | Annotated[RegionFallbackModel, Tag("<regions>")],
    Discriminator(lambda v: "<regions>" if isinstance(v, Mapping | RegionFallbackModel) else "<word>"),
]


def regions_of(model: FallbackModel) -> Regions | None:
    """The plain form of what stands under `fallback`."""
    if isinstance(model, RegionFallbackModel):
        return model.regions.regions()
    return Regions() if model == "regions" else None


def _percentile(text: str) -> str:
    if re.fullmatch("p[1-9][0-9]?", text) is None:
        raise ValueError(f'"{text}" is no percentile; give p1 to p99, such as p95, or milliseconds')
    return text


Percentile = Annotated[
    str, AfterValidator(_percentile), WithJsonSchema({"type": "string", "pattern": "^p[1-9][0-9]?$"})
]
Wait = Annotated[
    Annotated[Milliseconds, Tag("<milliseconds>")] | Annotated[Percentile, Tag("<percentile>")],
    Discriminator(lambda v: "<percentile>" if isinstance(v, str) else "<milliseconds>"),
]


class HedgeModel(Strict):
    """When the next backend is asked too: see `visionrouter.schema.route.Hedge`."""

    wait: Wait
    budget: Share = 0.1

    def hedge(self) -> Hedge:
        """The same as a plain dataclass."""
        if isinstance(self.wait, str):
            return Hedge(percent=int(self.wait[1:]), budget=self.budget)
        return Hedge(after_ms=self.wait, budget=self.budget)


HedgeAfter = Annotated[
    HedgeModel,
    BeforeValidator(
        lambda v: v if isinstance(v, Mapping | HedgeModel) else {"wait": v},
        json_schema_input_type=Wait | HedgeModel,
    ),
]


class RouteModel(Strict):
    """What happens to a request: see `visionrouter.schema.route.Route`."""

    try_: Annotated[tuple[Try, ...], Field(alias="try", min_length=1)]
    accept: AcceptModel = "limits"
    on_error: OnError = "continue"
    otherwise: Otherwise = "abstain"
    attempt_timeout_ms: Milliseconds | None = None
    reserve_ms: Annotated[float, Field(strict=True, ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    reserve_share: Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)] = 0.0
    deadline_ms: Milliseconds | None = None
    evidence: tuple[ProbeName, ...] = ()
    check_with: CrossCheckModel | None = None
    fallback: FallbackModel = "whole"
    uncertified: Uncertified = "fall_back"
    merge: Annotated[bool, Field(strict=True)] = False
    hedge_after: HedgeAfter | None = None

    @model_validator(mode="after")
    def _time_for_the_first(self) -> Self:
        if self.deadline_ms is not None and self.reserve_ms >= self.deadline_ms:
            raise ValueError(
                f"reserve_ms {self.reserve_ms:g} leaves nothing of deadline_ms {self.deadline_ms:g} for the first attempt"
            )
        return self

    @model_validator(mode="after")
    def _one_reserve(self) -> Self:
        if self.reserve_ms and self.reserve_share:
            raise ValueError(
                f"reserve_ms {self.reserve_ms:g} and reserve_share {self.reserve_share:g} both say what is kept for the "
                "fallback; drop one of the two"
            )
        return self

    @model_validator(mode="after")
    def _a_checker_for_a_cross_check(self) -> Self:
        if "cross_check" in self.evidence and self.check_with is None:
            raise ValueError("evidence names cross_check; say with whom: check_with: {backend: specialist}")
        return self

    @model_validator(mode="after")
    def _merged_or_mended(self) -> Self:
        if self.merge and self.fallback != "whole":
            raise ValueError(
                "merge: true asks everybody, so there is no fallback to regions; drop one of the two"
            )
        return self

    @model_validator(mode="after")
    def _merged_or_hedged(self) -> Self:
        if self.merge and self.hedge_after is not None:
            raise ValueError(
                "merge: true asks everybody at once, so there is nobody to hedge with; drop one of the two"
            )
        return self

    @model_validator(mode="after")
    def _no_choice_twice(self) -> Self:
        names = [choice.backend for choice in self.try_]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f'try names "{twice}" twice; a backend is asked once')
        return self

    def route(self) -> Route:
        """The same as a plain dataclass."""
        choices = tuple(
            Choice(c.backend, None if c.accept is None else accept_of(c.accept)) for c in self.try_
        )
        return Route(
            choices,
            accept_of(self.accept),
            self.on_error,
            self.otherwise,
            self.attempt_timeout_ms,
            self.reserve_ms,
            self.reserve_share,
            self.deadline_ms,
            self.evidence,
            None if self.check_with is None else self.check_with.check(),
            regions_of(self.fallback),
            self.uncertified,
            self.merge,
            None if self.hedge_after is None else self.hedge_after.hedge(),
        )


class RuleModel(Strict):
    """A route for the requests that a condition holds for."""

    name: Name
    description: str = ""
    when: Annotated[str, AfterValidator(lambda source: compile_expression(source).source)]
    route: RouteModel


class DefaultModel(Strict):
    """The route of what no rule matches."""

    route: RouteModel


class Policy(Strict):
    """Ordered rules, of which the first that matches gives the route, and a default for the rest."""

    schema_version: Literal[1]
    name: Name
    description: str = ""
    licences: LicencesModel = LicencesModel()
    rules: tuple[RuleModel, ...] = ()
    default: DefaultModel
    experiment: Experiments = ()

    @model_validator(mode="after")
    def _rule_names_are_unique(self) -> Self:
        names = ["default", *(rule.name for rule in self.rules)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            why = "the name of the last resort" if twice == "default" else "the name of another rule"
            raise ValueError(f'rule name "{twice}" is {why}; decisions are told apart by it')
        return self

    def canonical(self) -> dict[str, Any]:
        """The policy as plain data, without what equals its default. Loading it gives an equal policy."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical form: the same whatever the comments, the order of keys and the way numbers are written."""
        text = json.dumps(
            self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# An arm holds a route or a policy, and a policy holds experiments: the ring is closed here.
ArmModel.model_rebuild(_types_namespace={"RouteModel": RouteModel, "Policy": Policy})
Policy.model_rebuild()
