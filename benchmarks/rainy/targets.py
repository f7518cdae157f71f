"""What was promised, and what came of it: every promise is told with its number, met or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from visionrouter.benchmarks.rainy.document import (
    Certified,
    Document,
    Faulted,
    Planted,
    Score,
    Summary,
    Target,
)
from visionrouter.confidence.bounds import clopper_pearson

VIOLATED_AT = 0.025
"""Level of the one-sided bound below the share of bad ones: the lower end of a 95 % interval."""
NEVER_WORSE = 0.95
REGRET = 0.10
CAUGHT = 0.95
FALSE_ALARMS = 0.10
SAFETY = "safety-critical"
_TIE = 1e-9


def targets(
    policies: Sequence[str],
    scores: Sequence[Score],
    summaries: Sequence[Summary],
    planted: Sequence[Planted],
    faulted: Sequence[Faulted],
) -> Iterator[Target]:
    """Every promise, for every policy that it is made of."""
    for policy in policies:
        yield _never_worse(policy, [s for s in scores if s.system == policy])
    for policy in policies:
        yield _regret(policy, [s for s in summaries if s.system == policy])
    if planted and SAFETY in policies:
        yield from _hallucinations([p for p in planted if p.system == SAFETY])
    for policy in policies:
        certified = [s for s in scores if s.system == policy and s.certified is not None]
        if certified:
            yield _certificates(policy, certified)
    if faulted:
        lost = sum(row.lost for row in faulted)
        n = sum(row.n for row in faulted)
        yield Target(
            "no request is lost to a fault", "all", "0", lost == 0, float(lost), f"of {n:,} requests"
        )


def loses(score: Score) -> bool:
    """Whether a system costs more than the best backend alone in a cell, beyond the interval; of one scene there is none."""
    low = None if score.versus is None else score.versus.low
    return low is not None and low > _TIE


def lost_cells(document: Document) -> tuple[list[Score], int]:
    """Cells that a policy loses, the worst first; and in how many it could have."""
    told = [s for s in document.scores if s.system in document.policies and s.versus is not None]
    lost = [s for s in told if loses(s)]
    return sorted(lost, key=lambda s: -s.versus.value if s.versus else 0.0), len(told)


def standing(scores: Sequence[Score]) -> Mapping[str, int]:
    """Cells where a system is better than the best backend alone, ties with it, is worse within the interval, or loses."""
    told = [s for s in scores if s.versus is not None]
    counts = dict.fromkeys(("better", "tie", "worse within the interval", "loses"), 0)
    for score in told:
        value = score.versus.value if score.versus is not None else 0.0
        if loses(score):
            counts["loses"] += 1
        elif abs(value) <= _TIE:
            counts["tie"] += 1
        else:
            counts["better" if value < 0 else "worse within the interval"] += 1
    return counts


def _never_worse(policy: str, scores: Sequence[Score]) -> Target:
    counts = standing(scores)
    cells = sum(counts.values())
    share = 1 - counts["loses"] / cells if cells else None
    detail = f"{cells} cells: " + ", ".join(f"{name} {n}" for name, n in counts.items())
    return Target(
        "no worse than the better backend alone, in a cell",
        policy,
        f">= {NEVER_WORSE:.0%} of cells",
        share is not None and share >= NEVER_WORSE,
        None if share is None else round(share, 4),
        detail,
    )


def _regret(policy: str, summaries: Sequence[Summary]) -> Target:
    """Over all tasks with a gap, of which the wider count for more."""
    told = {s.task: s.regret_share for s in summaries if s.regret_share is not None}
    gaps = {s.task: s.gap or 0.0 for s in summaries if s.regret_share is not None}
    value = sum(told[task] * gaps[task] for task in told) / sum(gaps.values()) if told else None
    detail = ", ".join(f"{task} {share:.0%}" for task, share in told.items()) or "no task has a gap"
    return Target(
        "regret, as a share of the gap from the best backend alone to the oracle",
        policy,
        f"<= {REGRET:.0%}",
        value is not None and value <= REGRET,
        None if value is None else round(value, 4),
        detail,
    )


def _hallucinations(planted: Sequence[Planted]) -> Iterator[Target]:
    n = sum(row.n for row in planted)
    caught = sum(row.n * row.caught.value for row in planted if row.caught is not None)
    good = sum(row.would_be_good for row in planted)
    alarms = sum(
        row.would_be_good * row.false_alarms.value for row in planted if row.false_alarms is not None
    )
    kinds: dict[str, list[Planted]] = {}
    for row in planted:
        kinds.setdefault(f"{row.plant} in {row.backend}", []).append(row)
    by_kind = {
        kind: sum(r.n * r.caught.value for r in rows if r.caught) / max(1, sum(r.n for r in rows))
        for kind, rows in kinds.items()
        if any(r.n for r in rows)
    }
    detail = ", ".join(f"{kind} {share:.0%}" for kind, share in sorted(by_kind.items(), key=lambda k: k[1]))
    yield Target(
        "planted hallucinations caught",
        SAFETY,
        f">= {CAUGHT:.0%}",
        n > 0 and caught / n >= CAUGHT,
        round(caught / n, 4) if n else None,
        f"of {n}; {detail}",
    )
    yield Target(
        "false alarms on the same items, unplanted",
        SAFETY,
        f"<= {FALSE_ALARMS:.0%}",
        good > 0 and alarms / good <= FALSE_ALARMS,
        round(alarms / good, 4) if good else None,
        f"of {good} good answers",
    )


def _certificates(policy: str, scores: Sequence[Score]) -> Target:
    """Not told where so few are accepted in every cell that even bad ones alone would not refute a certificate."""
    told = [s.certified for s in scores if s.certified is not None and tellable(s.certified)]
    broken = [s for s in scores if s.certified is not None and s.certified.violated]
    n, bad = (sum(getattr(s.certified, name) for s in scores) for name in ("n", "bad"))
    where = "".join(f"; {s.task} under {s.condition}" for s in broken)
    return Target(
        "cells in which a certificate is violated",
        policy,
        "0",
        bool(told) and not broken,
        float(len(broken)) if told else None,
        f"of {len(told)} where it can be told, {len(scores) - len(told)} accept too few; in all {bad} of {n} accepted are "
        f"bad{where}",
    )


def tellable(certified: Certified) -> bool:
    """Whether bad answers alone would show a violation."""
    return 1 - clopper_pearson(0, certified.n, VIOLATED_AT) > certified.alpha
