"""A replay as a page: how many go otherwise, what is known of their end, and who."""

from __future__ import annotations

from visionrouter.experiment.page import Card, Cell, Number, cards, figures, page, section, table
from visionrouter.experiment.plots import Interval, forest
from visionrouter.experiment.replay import Range, Replay, Replayed

_SHOWN = 24


def replay_page(found: Replay, policy: str) -> str:
    """The page of a replay under `policy`."""
    n = found.requests
    otherwise = found.otherwise_known + found.otherwise_unknown
    verdict = (
        f"{otherwise:,} of {n:,} requests would go otherwise under {policy}"
        if otherwise
        else f"Nothing that can be told changes under {policy}"
    )
    why = f"How they end is known for {found.otherwise_known:,} of them and unknown for {found.otherwise_unknown:,}." + (
        f" Of {found.undecided:,} requests not even the route can be told." if found.undecided else ""
    )  # fmt: skip
    return page(
        f"Replay under {policy}",
        verdict,
        why,
        "open" if found.otherwise_unknown or found.undecided else "even",
        [
            section("Figures", _figures(found)),
            section(
                "Plots",
                figures([("Change of outcomes: from what is known to what is possible", _shift(found))]),
            ),
            section("Outcomes", _outcomes(found)),
            section("Routes", _routes(found)),
            section("Why outcomes are unknown", _unknown(found)),
            section("Requests that go otherwise", cards([_card(r) for r in found.changed[:_SHOWN]])),
        ],
        f"{n:,} recorded requests. What was never asked is counted as unknown, never guessed.",
    )


def _figures(found: Replay) -> str:
    rows: list[list[Cell]] = [
        ["as before", _count(found.same)],
        ["otherwise, end known", _count(found.otherwise_known)],
        ["otherwise, end unknown", _count(found.otherwise_unknown)],
        ["cannot be told", _count(found.undecided)],
    ]
    costs: list[list[Cell]] = [
        [
            "latency in backends, ms",
            _mean(found.latency_old_ms),
            *_range(found.latency_new_ms),
            _count(found.latency_new_ms.over),
        ],
        ["cost", _mean(found.cost_old), *_range(found.cost_new), _count(found.cost_new.over)],
    ]
    header = ("mean a request", "before", "after, at least", "after, at most", "over requests")
    return table("Requests", ("what", "requests"), rows) + table(
        "What it takes; at least and at most differ where it is unknown how far a route would go",
        header,
        costs,
    )


def _shift(found: Replay) -> str:
    """Change of each outcome's share, from what is known to what is possible."""
    n = found.requests
    outcomes = sorted({o for pair in found.outcomes for o in pair if o is not None})
    rows = []
    for outcome in outcomes:
        before = sum(k for (old, _), k in found.outcomes.items() if old is outcome) / n
        known = sum(k for (_, new), k in found.outcomes.items() if new is outcome) / n
        possible = known + sum(k for (_, new), k in found.outcomes.items() if new is None) / n
        rows.append(
            Interval(
                outcome.replace("_", " "), (known + possible) / 2 - before, known - before, possible - before
            )
        )
    return forest(rows, "change in share of requests")


def _outcomes(found: Replay) -> str:
    rows: list[list[Cell]] = [
        [old.replace("_", " "), new.replace("_", " ") if new else "unknown", _count(k)]
        for (old, new), k in sorted(found.outcomes.items(), key=lambda item: -item[1])
    ]
    return table("How requests ended, and would end", ("before", "after", "requests"), rows)


def _routes(found: Replay) -> str:
    rows: list[list[Cell]] = [[old, new, _count(k)] for (old, new), k in found.routes.items()]
    return table(
        "Rule and backends asked, of requests that go otherwise", ("before", "after", "requests"), rows
    )


def _unknown(found: Replay) -> str:
    rows: list[list[Cell]] = [
        [why, _count(k)] for why, k in sorted(found.unknown.items(), key=lambda i: -i[1])
    ]
    return table("Reasons", ("reason", "requests"), rows)


def _card(replayed: Replayed) -> Card:
    old, new = replayed.old, replayed.new
    end = str(new.outcome or f"unknown, {new.why}")
    asked = " > ".join(a.backend for part in old.children or (old,) for a in part.attempts)
    return Card(
        old.request_id,
        [
            ("asked", old.instruction),
            ("before", f"{old.outcome}; asked {asked or 'nobody'}"),
            ("after", f"{end}; asks {' > '.join(new.path) or 'nobody'}"),
        ],
    )


def _count(value: int) -> Number:
    return Number(value, f"{value:,}")


def _mean(value: float) -> Number:
    return Number(value, f"{value:.2f}")


def _range(found: Range) -> tuple[Number, Number]:
    if not found.over:
        return Number(None, "unknown"), Number(None, "unknown")
    return _mean(found.low), _mean(found.high)
