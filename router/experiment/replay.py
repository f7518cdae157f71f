"""A whole ledger under another policy: who goes another way, what is known of the end, and what it would take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from visionrouter.experiment.simulate import Backends, Simulated, simulate
from visionrouter.policies import CompiledPolicy
from visionrouter.schema.decision import Decision, Outcome, VariantReason
from visionrouter.schema.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class Replayed:
    """One request: as it went (`old`), and as it would (`new`)."""

    old: Decision
    new: Simulated

    @property
    def otherwise(self) -> bool:
        """True where other backends would be asked, or the end is known to be another."""
        return self.new.path != path_of(self.old) or self.new.outcome not in (None, self.old.outcome)


@dataclass(frozen=True, slots=True)
class Range:
    """Mean from `low` to `high` a request: they differ where it is unknown how far a route would go.

    `over`: the requests it is a mean of; the others ask a backend that nothing was measured of.
    """

    low: float
    high: float
    over: int


@dataclass(frozen=True, slots=True)
class Replay:
    """`outcomes`: (old, new) outcome to how many, new being None where it is unknown. `unknown`: why, to how many.

    `routes`: (old rule and path, new rule and path) to how many, of those that go otherwise. Latency is milliseconds in
    backends, cost in units of the profile's `cost`.
    """

    requests: int
    same: int
    otherwise_known: int
    otherwise_unknown: int
    undecided: int
    outcomes: Mapping[tuple[Outcome, Outcome | None], int]
    unknown: Mapping[str, int]
    routes: Mapping[tuple[str, str], int]
    latency_old_ms: float
    latency_new_ms: Range
    cost_old: float
    cost_new: Range
    changed: tuple[Replayed, ...] = field(repr=False)


def path_of(decision: Decision) -> tuple[str, ...]:
    """The backends asked, in order; of all parts of a composite."""
    parts = decision.children or (decision,)
    return tuple(attempt.backend for part in parts for attempt in part.attempts)


def replay(
    decisions: Iterable[Decision], policy: CompiledPolicy, backends: Backends, *, keep: int = 200
) -> Replay:
    """Replay recorded decisions, shadows among them. Keeps the first `keep` that go otherwise.

    Raises `ExperimentError` where there is nothing to replay.
    """
    answers, shadows, measured = _sorted_out(decisions)
    if not answers:
        raise ExperimentError("there is no decision to replay; record some with a ledger first")
    tally: Counter[str] = Counter()
    outcomes: Counter[tuple[Outcome, Outcome | None]] = Counter()
    unknown: Counter[str] = Counter()
    routes: Counter[tuple[str, str]] = Counter()
    latency, cost = _Means(), _Means()
    changed: list[Replayed] = []
    for old in answers:
        new = simulate(old, shadows[old.request_id], policy, backends)
        found = Replayed(old, new)
        outcomes[old.outcome, new.outcome] += 1
        if new.outcome is None:
            unknown[new.why] += 1
        if new.rule is None:
            tally["undecided"] += 1
            continue
        latency.add(new, measured)
        cost.add(new, {name: spec.cost for name, spec in backends.specs.items()}, known_ms=False)
        if not found.otherwise:
            tally["same"] += 1
            continue
        tally["known" if new.outcome is not None else "unknown"] += 1
        routes[_route_words(_rules(old), path_of(old)), _route_words(new.rule, new.path)] += 1
        if len(changed) < keep:
            changed.append(found)
    costs = {name: spec.cost for name, spec in backends.specs.items()}
    return Replay(
        len(answers),
        tally["same"],
        tally["known"],
        tally["unknown"],
        tally["undecided"],
        outcomes,
        unknown,
        dict(routes.most_common()),
        sum(_latency(old) for old in answers) / len(answers),
        latency.range(),
        sum(sum(costs.get(name, 0.0) for name in path_of(old)) for old in answers) / len(answers),
        cost.range(),
        tuple(changed),
    )


def _sorted_out(
    decisions: Iterable[Decision],
) -> tuple[list[Decision], dict[str, list[Decision]], dict[str, float]]:
    """Answers, shadows by request, and the mean latency of each backend, milliseconds."""
    answers: list[Decision] = []
    shadows: dict[str, list[Decision]] = defaultdict(list)
    sums: dict[str, list[float]] = defaultdict(list)
    for decision in decisions:
        if decision.variant_reason is VariantReason.SHADOW:
            shadows[decision.request_id].append(decision)
        else:
            answers.append(decision)
        for part in decision.children or (decision,):
            for attempt in part.attempts:
                if attempt.signals or attempt.verdict.accepted:
                    sums[attempt.backend].append(attempt.latency_ms)
    return answers, shadows, {name: sum(taken) / len(taken) for name, taken in sums.items()}


class _Means:
    """Means of what requests would take, at least and at most."""

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._over = 0

    def add(self, new: Simulated, each: Mapping[str, float], *, known_ms: bool = True) -> None:
        known = new.path[:-1] if new.unknown else new.path
        first = [new.unknown] if new.unknown else []
        if any(name not in each for name in (*first, *new.rest)):
            return
        base = new.latency_ms if known_ms else sum(each.get(name, 0.0) for name in known)
        self._low += base + sum(each[name] for name in first)
        self._high += base + sum(each[name] for name in (*first, *(new.rest if new.outcome is None else ())))
        self._over += 1

    def range(self) -> Range:
        n = self._over
        return Range(self._low / n, self._high / n, n) if n else Range(float("nan"), float("nan"), 0)


def _latency(decision: Decision) -> float:
    parts = decision.children or (decision,)
    return max(sum(attempt.latency_ms for attempt in part.attempts) for part in parts)


def _rules(decision: Decision) -> str:
    return " + ".join(dict.fromkeys(part.rule for part in decision.children or (decision,)))


def _route_words(rule: str, path: tuple[str, ...]) -> str:
    return f"{rule}: {' > '.join(path) or 'nobody'}"
