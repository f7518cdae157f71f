"""One soak: warm up, put traffic, watch, close, and say what was lost, stuck or leaked."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from visionrouter.benchmarks.soak.load import DEADLY_RATE, Tally, Traffic
from visionrouter.benchmarks.soak.resources import (
    Held,
    growth_mb,
    settled,
    slope_mb_per_minute,
)
from visionrouter.benchmarks.soak.router import made
from visionrouter.engine.options import LaneState
from visionrouter.router import Router
from visionrouter.schema.decision import Decision

THREADS, COROUTINES = 8, 24
MOST_GROWTH_MB, SETTLED_S = 16.0, 60.0
"""Of memory, from the second quarter to the last: an allocator's play, not a leak that grows with traffic. In less than a
minute memory does not come to rest, and is not judged."""
_PATIENCE_S = 30.0


class Recorded:
    """A sink that counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.decisions = 0

    def record(self, decision: Decision) -> None:  # noqa: ARG002
        with self._lock:
            self.decisions += 1


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a soak. `stuck`: callers that never came back. `samples` of what was held, from the warm-up's end to
    the traffic's; `before` and `after` are without a router."""

    seconds: float
    tally: Tally
    recorded: int
    stuck: int
    states: Mapping[str, LaneState]
    before: Held
    samples: tuple[Held, ...]
    after: Held

    @property
    def broken(self) -> tuple[str, ...]:
        """What did not hold, in words; nothing where all did."""
        tally, waiting = self.tally, {n: s.pending for n, s in self.states.items() if s.pending}
        said = [
            (tally.unanswered > 0, f"{tally.unanswered} requests lost {tally.untyped[:3]}"),
            (self.stuck > 0, f"{self.stuck} callers never came back"),
            (bool(waiting), f"queues stuck: {waiting}"),
            (self.recorded < tally.answered, f"{tally.answered - self.recorded} decisions not recorded"),
            (
                self.seconds >= SETTLED_S and growth_mb(self.samples) > MOST_GROWTH_MB,
                f"memory grew by {growth_mb(self.samples):.1f} MB",
            ),
        ]
        return (*(words for is_so, words in said if is_so), *self.after.leaks(self.before))


def run(seconds: float, seed: int = 0, deadly_rate: float = DEADLY_RATE) -> Report:
    """Soak a router for so many seconds; memory is watched after the first tenth of them."""
    _rehearse(seed)
    before = settled(Held.now(), 0)
    sink = Recorded()
    router = made((sink,))
    try:
        router.warm_up()
        traffic = Traffic(router, seed, THREADS, COROUTINES, deadly_rate)
        begun_s = time.monotonic()
        traffic.start(begun_s + seconds)
        time.sleep(seconds / 10)
        samples = _watch(begun_s + seconds, max(0.1, seconds / 400))
        stuck = traffic.join(_PATIENCE_S)
        took_s = time.monotonic() - begun_s
        states = _emptied(router)
    finally:
        router.close()
    tally = traffic.tally()
    del router, traffic
    return Report(took_s, tally, sink.decisions, stuck, states, before, samples, settled(before))


def _rehearse(seed: int) -> None:
    """So that what is imported, compiled and opened once is there before anything is counted."""
    with made() as router:
        traffic = Traffic(router, seed + 1, 2, 2)
        traffic.start(time.monotonic() + 1.0)
        traffic.join(_PATIENCE_S)


def _watch(until_s: float, every_s: float) -> tuple[Held, ...]:
    samples = [Held.now()]
    while time.monotonic() < until_s:
        time.sleep(every_s)
        samples.append(Held.now())
    return tuple(samples)


def _emptied(router: Router) -> Mapping[str, LaneState]:
    """The lanes once nothing is pending in them, or after a while."""
    until_s = time.monotonic() + _PATIENCE_S
    while any(state.pending for state in router.states().values()) and time.monotonic() < until_s:
        time.sleep(0.02)
    return router.states()


def text(report: Report) -> str:
    """The report in a few lines."""
    tally, first, last = report.tally, report.samples[0], report.samples[-1]
    most = {
        name: max(getattr(s, name) for s in report.samples)
        for name in ("threads", "processes", "descriptors")
    }
    rate = tally.put / report.seconds
    lanes = [
        f"  {name:<10} restarts {s.restarts:>4}  breaker opened {s.calls.opened:>4}  refused {s.refused:>6}  "
        f"shed {s.shed:>6}  discarded {s.discarded:>6}  late {s.late:>6}  pending {s.pending}"
        for name, s in report.states.items()
    ]
    return "\n".join(
        (
            f"{tally.put:,} requests in {report.seconds:.0f} s ({rate:,.0f}/s; {tally.put / 600:,.0f} min at 10/s)",
            f"answered {tally.answered:,} ({_listed(tally.outcomes)})",
            f"typed errors {tally.errors.total():,} ({_listed(tally.errors)}), given up by callers "
            f"{tally.cancelled:,}, lost {tally.unanswered:,}",
            f"decisions recorded {report.recorded:,}, callers stuck {report.stuck}",
            *lanes,
            f"memory {report.before.rss_mb:.1f} MB before, {first.rss_mb:.1f} warm, {last.rss_mb:.1f} at the end; "
            f"slope {slope_mb_per_minute(report.samples):+.2f} MB/min, growth {growth_mb(report.samples):+.2f} MB",
            f"threads {report.before.threads} before, at most {most['threads']} under load, {report.after.threads} after; "
            f"processes {report.before.processes}, {most['processes']}, {report.after.processes}; "
            f"descriptors {report.before.descriptors}, {most['descriptors']}, {report.after.descriptors}",
            "all held" if not report.broken else "BROKEN: " + "; ".join(report.broken),
        )
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda pair: -pair[1]))
