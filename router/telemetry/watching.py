"""What living routers are doing at the time of a scrape: queues, breakers, caches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol
from weakref import ref

from visionrouter.cache import CacheState
from visionrouter.engine.breaker import BreakerState
from visionrouter.engine.options import LaneState

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class Watched(Protocol):
    """A router, as far as its state goes."""

    def states(self) -> Mapping[str, LaneState]: ...
    def cache_state(self) -> CacheState | None: ...


class Watching:
    """A collector, as prometheus-client means it, over `routers` by name; those let go are forgotten."""

    def __init__(self) -> None:
        self.routers: dict[str, ref[Watched]] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing: the names are not known before there is a router."""
        return ()

    def collect(self) -> Iterator[Metric]:
        living = {}
        for name, watched in list(self.routers.items()):
            router = watched()
            if router is None:
                del self.routers[name]
            else:
                living[name] = router
        yield from _lanes({name: router.states() for name, router in living.items()})
        yield from _caches({name: router.cache_state() for name, router in living.items()})


def _lanes(states: Mapping[str, Mapping[str, LaneState]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    labels = ("router", "backend")

    def gauge(name: str, help_: str, *more: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"visionrouter_{name}", help_, labels=(*labels, *more))

    def counter(name: str, help_: str, *more: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"visionrouter_{name}", help_, labels=(*labels, *more))

    depth = gauge("queue_depth", "Jobs waiting.")
    running = gauge("running", "Jobs under way.")
    oldest = gauge("queue_oldest_seconds", "Wait of the first in the queue.")
    recent = gauge("queue_recent_wait_seconds", "What jobs have lately waited: a running mean.")
    state = gauge("breaker_state", "1 for the state a breaker is in.", "state")
    opened = counter("breaker_opened", "Times it opened.")
    restarts = counter("restarts", "Processes replaced.")
    dropped = counter("dropped", "Jobs that came to nothing, by why.", "why")
    reuse = counter("embedding_reuse", "Images asked after, by whether their embedding was kept.", "outcome")
    for router, lanes in states.items():
        for backend, lane in lanes.items():
            at = [router, backend]
            depth.add_metric(at, lane.waiting)
            running.add_metric(at, lane.running)
            oldest.add_metric(at, lane.oldest_ms / 1000)
            recent.add_metric(at, lane.waited_ms / 1000)
            for each in BreakerState:
                state.add_metric([*at, each.value], float(lane.breaker is each))
            opened.add_metric(at, lane.calls.opened)
            restarts.add_metric(at, lane.restarts)
            for why in ("refused", "shed", "discarded", "late"):
                dropped.add_metric([*at, why], getattr(lane, why))
            if lane.reuse is not None:
                reuse.add_metric([*at, "hit"], lane.reuse.hits)
                reuse.add_metric([*at, "miss"], lane.reuse.misses)
    yield from (depth, running, oldest, recent, state, opened, restarts, dropped, reuse)


def _caches(states: Mapping[str, CacheState | None]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    lookups = CounterMetricFamily(
        "visionrouter_cache_lookups",
        "Answers looked for in the result cache, by whether they were there.",
        labels=("router", "outcome"),
    )
    entries = GaugeMetricFamily("visionrouter_cache_entries", "Answers kept.", labels=("router",))
    size = GaugeMetricFamily("visionrouter_cache_bytes", "Bytes of arrays kept.", labels=("router",))
    for router, state in states.items():
        if state is not None:
            lookups.add_metric([router, "hit"], state.hits)
            lookups.add_metric([router, "miss"], state.misses)
            entries.add_metric([router], state.entries)
            size.add_metric([router], state.bytes)
    yield from (lookups, entries, size)
