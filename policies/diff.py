"""What changes for requests when one policy takes the place of another, found out from the policies alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Literal

from visionrouter.policies.expression import compile_expression
from visionrouter.schema.route import Accept, Choice, Route
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from visionrouter.policies.experiment_model import ArmModel, ExperimentModel
    from visionrouter.policies.model import Policy, RuleModel

What = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is its place in the policy; `old` and `new` are values as words, "" where there is none.

    `tasks`: those it can matter to, where that is fewer than all.
    """

    what: What
    path: str
    old: str = ""
    new: str = ""
    tasks: tuple[Task, ...] = ()

    def __str__(self) -> str:
        values = f": {self.old} -> {self.new}" if self.old and self.new else f": {self.old or self.new}"
        only = f" (only {', '.join(self.tasks)})" if self.tasks else ""
        return f"{self.path} {self.what}{values if self.old or self.new else ''}{only}"


def diff(old: Policy, new: Policy) -> list[Change]:
    """Every change that can make a request go another way, in the order of the file. Names and descriptions are none."""
    return [*_licences(old, new), *_rules(old, new), *_default(old, new), *_experiments(old, new)]


def _licences(old: Policy, new: Policy) -> Iterator[Change]:
    for key in ("deny", "allow"):
        before, after = getattr(old.licences, key), getattr(new.licences, key)
        if before is None or after is None:
            if before != after:
                yield Change("changed", f"licences.{key}", _words(before), _words(after))
            continue
        for word in before:
            if word not in after:
                yield Change("removed", f"licences.{key}", old=word)
        for word in after:
            if word not in before:
                yield Change("added", f"licences.{key}", new=word)


def _rules(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = {r.name: r for r in old.rules}, {r.name: r for r in new.rules}
    for name, rule in before.items():
        if name not in after:
            yield Change(
                "removed", f"rule {name!r}", old=_route_words(rule.route.route()), tasks=_tasks(rule)
            )
    kept_before = [name for name in before if name in after]
    kept_after = [name for name in after if name in before]
    stays = _longest_common(kept_before, kept_after)
    for name, rule in after.items():
        if name not in before:
            yield Change("added", f"rule {name!r}", new=_route_words(rule.route.route()), tasks=_tasks(rule))
            continue
        if name not in stays:
            place = "first" if kept_after[0] == name else f"after {kept_after[kept_after.index(name) - 1]!r}"
            yield Change("moved", f"rule {name!r}", new=place, tasks=_tasks(rule))
        was = before[name]
        if was.when != rule.when:
            tasks = tuple(t for t in Task if t in {*(_tasks(was) or Task), *(_tasks(rule) or Task)})
            only = () if len(tasks) == len(Task) else tasks
            yield Change("changed", f"rule {name!r}, when", f"`{was.when}`", f"`{rule.when}`", only)
        yield from _route(f"rule {name!r}", was.route.route(), rule.route.route(), _tasks(rule))


def _default(old: Policy, new: Policy) -> Iterator[Change]:
    yield from _route("default", old.default.route.route(), new.default.route.route())


def _route(path: str, old: Route, new: Route, tasks: tuple[Task, ...] = ()) -> Iterator[Change]:
    for field in fields(Route):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before != after:
            name = field.name.rstrip("_")
            yield Change("changed", f"{path}, {name}", _words(before), _words(after), tasks)


def _experiments(old: Policy, new: Policy) -> Iterator[Change]:
    before, after = {e.name: e for e in old.experiment}, {e.name: e for e in new.experiment}
    for name in before:
        if name not in after:
            yield Change("removed", f"experiment {name!r}")
    for name, experiment in after.items():
        if name not in before:
            arms = ", ".join(f"{arm.name} {arm.weight:g}" for arm in experiment.arms)
            yield Change("added", f"experiment {name!r}", new=arms)
        else:
            yield from _experiment(f"experiment {name!r}", before[name], experiment)


def _experiment(path: str, old: ExperimentModel, new: ExperimentModel) -> Iterator[Change]:
    if (old.salt or old.name) != (new.salt or new.name):
        yield Change(
            "changed",
            f"{path}, salt",
            old.salt or old.name,
            f"{new.salt or new.name}, all units are dealt anew",
        )
    for name in ("unit", "eligible", "namespace", "holdout", "shadow", "stopped"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change("changed", f"{path}, {name}", _words(before), _words(after))
    before, after = {a.name: a for a in old.arms}, {a.name: a for a in new.arms}
    for name, arm in before.items():
        if name not in after:
            yield Change("removed", f"{path}, arm {name!r}", old=f"weight {arm.weight:g}")
    for name, arm in after.items():
        if name not in before:
            yield Change("added", f"{path}, arm {name!r}", new=f"weight {arm.weight:g}")
        else:
            yield from _arm(f"{path}, arm {name!r}", before[name], arm)


def _arm(path: str, old: ArmModel, new: ArmModel) -> Iterator[Change]:
    if old.weight != new.weight:
        yield Change("changed", f"{path}, weight", f"{old.weight:g}", f"{new.weight:g}")
    if old.route is not None and new.route is not None:
        yield from _route(path, old.route.route(), new.route.route())
    elif not isinstance(old.policy, str | None) and not isinstance(new.policy, str | None):
        for change in diff(old.policy, new.policy):
            yield Change(change.what, f"{path}, {change.path}", change.old, change.new, change.tasks)
    elif old.means() != new.means():
        yield Change("changed", f"{path}, what it does", _arm_words(old), _arm_words(new))


def _arm_words(arm: ArmModel) -> str:
    if arm.route is not None:
        return f"a route, {_route_words(arm.route.route())}"
    return (
        "this policy's own rules"
        if isinstance(arm.policy, str) or arm.policy is None
        else f"policy {arm.policy.name}"
    )


def _tasks(rule: RuleModel) -> tuple[Task, ...]:
    """The tasks a rule can match, empty where that is all of them."""
    possible = {task for task, _ in compile_expression(rule.when).possible}
    return () if len(possible) == len(Task) else tuple(task for task in Task if task in possible)


def _longest_common(one: list[str], other: list[str]) -> set[str]:
    """Names that keep their order: a longest increasing run of places."""
    places = [other.index(name) for name in one]
    best: list[list[int]] = []
    for i, place in enumerate(places):
        before = max((run for j, run in enumerate(best) if places[j] < place), key=len, default=[])
        best.append([*before, i])
    return {one[i] for i in max(best, key=len, default=[])}


def _route_words(route: Route) -> str:
    return f"{_words(route.try_)}, else {route.otherwise.replace('_', ' ')}"


def _words(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case Accept(gate="evidence"):
            return "evidence " + ", ".join(f"{name} {limit}" for name, limit in value.evidence.items())
        case Accept():
            return ", ".join([value.gate, *_settings(value)])
        case Choice():
            return value.backend if value.accept is None else f"{value.backend} ({_words(value.accept)})"
        case tuple() if value and isinstance(value[0], Choice):
            return " > ".join(_words(choice) for choice in value)
        case tuple():
            return ", ".join(_words(part) for part in value) or "none"
        case _ if is_dataclass(value) and not isinstance(value, type):
            return ", ".join(f"{f.name} {_words(getattr(value, f.name))}" for f in fields(value))
        case _:
            return str(value)


def _settings(accept: Accept) -> list[str]:
    """What an acceptance sets beyond its gate."""
    plain = Accept(accept.gate)
    return [
        f"{f.name} {_words(getattr(accept, f.name))}"
        for f in fields(Accept)
        if getattr(accept, f.name) != getattr(plain, f.name)
    ]
