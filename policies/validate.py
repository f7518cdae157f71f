"""Does a policy fit the backends at hand, and can each of its rules ever matter?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from visionrouter.policies.expression import CASES, Case
from visionrouter.policies.licences import KNOWN, Licences, matches, parts_of
from visionrouter.policies.resolve import BackendInfo, resolve
from visionrouter.policies.select import CompiledPolicy, Selected, compile_policy
from visionrouter.policies.syntax import nearest
from visionrouter.schema.decision import Reason
from visionrouter.schema.route import KIND_WORDS, Route
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from visionrouter.policies.model import Policy


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know. `path` is the place in the policy (`rules[2].route.try`)."""

    severity: Literal["error", "warning"]
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.message}"


def check_against(policy: Policy | CompiledPolicy, backends: Mapping[str, BackendInfo]) -> list[Finding]:
    """What is wrong (errors) or odd (warnings) about running a policy on these backends, in the order of the file.

    Errors: a backend that does not exist; a route that has no backend for any task it can get. Warnings: a route that
    lacks one for some task the others could do, a rule that can never match, a licence id that nobody carries.
    """
    compiled = policy if isinstance(policy, CompiledPolicy) else compile_policy(policy)
    findings = _licences(compiled.licences, backends)
    left: frozenset[Case] = CASES
    for index, rule in enumerate(compiled.rules):
        place = f"rules[{index}]"
        cases = rule.condition.possible & left
        if cases:
            findings += _route(
                f"{place}.route", rule.selected.route, _tasks(cases), backends, compiled.licences
            )
        else:
            findings.append(
                Finding(
                    "warning",
                    place,
                    f"rule {rule.selected.rule!r} can never match: {_why_never(rule.condition.possible)}",
                )
            )
            findings += _names(f"{place}.route", rule.selected.route, backends)
        if rule.condition.rest is None:
            left -= rule.condition.possible
    if not left:
        findings.append(
            Finding("warning", "default", "is never reached: the rules above match every request")
        )
    findings += _route("default.route", compiled.default, _tasks(left or CASES), backends, compiled.licences)
    return findings + _arms(compiled, backends)


def _arms(compiled: CompiledPolicy, backends: Mapping[str, BackendInfo]) -> list[Finding]:
    findings = []
    for i, experiment in enumerate(compiled.policy.experiment):
        condition = compiled.experiments[i].eligible
        cases = CASES if condition is None else condition.possible
        if not cases:
            findings.append(
                Finding("warning", f"experiment[{i}].eligible", "no request fulfils it: nobody takes part")
            )
        for j, arm in enumerate(experiment.arms):
            place = f"experiment[{i}].arms[{j}]"
            does = compiled.arm(experiment.name, arm.name)
            if isinstance(does, Selected):
                findings += _route(f"{place}.route", does.route, _tasks(cases), backends, does.licences)
            elif does is not compiled:
                findings += [
                    replace(found, path=f"{place}.policy.{found.path}")
                    for found in check_against(does, backends)
                ]
    return findings


def _tasks(cases: frozenset[Case]) -> tuple[Task, ...]:
    """Tasks in their own order; a composite is answered through the tasks it is made of."""
    wanted = {task for task, _ in cases} - {Task.COMPOSITE}
    return tuple(task for task in Task if task in wanted)


def _why_never(possible: frozenset[Case]) -> str:
    return (
        "earlier rules take every request that it could" if possible else "no request fulfils its condition"
    )


def _names(path: str, route: Route, backends: Mapping[str, BackendInfo]) -> list[Finding]:
    return [
        Finding(
            "error",
            f"{path}.try[{i}]",
            f'no backend is called "{choice.backend}"{nearest(choice.backend, (*backends, *KIND_WORDS))} (backends: {", ".join(backends)})',
        )
        for i, choice in enumerate(route.try_)
        if choice.backend not in backends and choice.backend not in KIND_WORDS
    ]


def _route(
    path: str, route: Route, tasks: tuple[Task, ...], backends: Mapping[str, BackendInfo], licences: Licences
) -> list[Finding]:
    findings = _names(path, route, backends)
    able = [task for task in tasks if any(task in backend.tasks for backend in backends.values())]
    resolved = {task: resolve(route, task, backends.values(), licences) for task in able}
    bare = [task for task in able if not resolved[task].choices]
    denied = [task for task in bare if Reason.LICENCE_DENIED in dict(resolved[task].skipped).values()]
    lacking = [task for task in bare if task not in denied]
    severity: Literal["error", "warning"] = "error" if bare == able else "warning"
    if denied:
        who = sorted(
            {name for task in denied for name, why in resolved[task].skipped if why is Reason.LICENCE_DENIED}
        )
        listed = ", ".join(f"{name} ({backends[name].licence})" for name in who)
        findings.append(
            Finding(severity, f"{path}.try", f"nothing is left for {_list(denied)}: licences deny {listed}")
        )
    if lacking:
        findings.append(Finding(severity, f"{path}.try", f"names no backend that does {_list(lacking)}"))
    if tasks and not able:
        findings.append(Finding("warning", f"{path}.try", f"no backend of this profile does {_list(tasks)}"))
    return findings


def _list(tasks: list[Task] | tuple[Task, ...]) -> str:
    return ", ".join(task.value for task in tasks)


def _licences(licences: Licences, backends: Mapping[str, BackendInfo]) -> list[Finding]:
    carried = {part for backend in backends.values() for part in parts_of(backend.licence)}
    common = {part for word in KNOWN for part in parts_of(word)}
    findings = []
    for key, words in (("deny", licences.deny), ("allow", licences.allow or ())):
        for i, word in enumerate(words):
            if not any(matches(part, word) for part in carried | common):
                hint = nearest(word, (*KNOWN, *sorted({backend.licence for backend in backends.values()})))
                findings.append(
                    Finding(
                        "warning", f"licences.{key}[{i}]", f'"{word}" is no licence of a backend here{hint}'
                    )
                )
    return findings
