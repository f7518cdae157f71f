"""Prometheus metrics. Times are in seconds, counts end in `_total`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from weakref import ref

from visionrouter.schema.decision import Attempt, Decision, Outcome, VariantReason
from visionrouter.schema.errors import MissingExtraError
from visionrouter.telemetry.watching import Watched, Watching

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OVERHEAD = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25)


class Metrics:
    """Counts and times every decision, and shows what the routers it watches are doing whenever it is scraped.

    `registry`: where the metrics are registered (default: the library's own). Raises `MissingExtraError` without
    prometheus-client.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError as error:
            raise MissingExtraError(
                "metrics need prometheus-client; pip install 'visionrouter[telemetry]'"
            ) from error
        where = prometheus.REGISTRY if registry is None else registry

        def counter(name: str, help_: str, *labels: str) -> Any:
            return prometheus.Counter(f"visionrouter_{name}", help_, labels, registry=where)

        def histogram(name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Any:
            return prometheus.Histogram(
                f"visionrouter_{name}_seconds", help_, labels, registry=where, buckets=buckets
            )

        self._requests = counter(
            "requests", "Requests answered, by how.", "task", "outcome", "policy", "rule"
        )
        self._abstentions = counter("abstentions", "Requests answered with no answer.", "task", "reason")
        self._attempts = counter("attempts", "Backends asked, by what was said of it.", "backend", "reason")
        self._fallbacks = counter("fallbacks", "Steps from one backend to the next.", "from", "to", "reason")
        self._request = histogram("request_duration", "A request, start to end.", _SECONDS, "task")
        self._overhead = histogram(
            "router_overhead", "Of a request, what no backend took.", _OVERHEAD, "task"
        )
        self._backend = histogram(
            "backend_duration", "An attempt, less its wait.", _SECONDS, "backend", "task"
        )
        self._wait = histogram("queue_wait", "An attempt's wait for its backend.", _SECONDS, "backend")
        self._risk = prometheus.Gauge(
            "visionrouter_risk_upper_bound",
            "Certified bound on the risk of what was last accepted.",
            ("backend", "task"),
            registry=where,
        )
        self._divergence = counter(
            "shadow_divergence",
            "Shadows held against the answers given, by how they compare.",
            *("task", "answer", "shadow", "comparison"),
        )
        self._watching = Watching()
        where.register(self._watching)

    def watch(self, router: Watched, name: str = "default") -> None:
        """Show the router's queues, breakers and caches, under the label `router`, until it is let go."""
        self._watching.routers[name] = ref(router)

    def record(self, decision: Decision) -> None:
        """Count a decision. Of a shadow's, its attempts and how it compares count; a request it is not."""
        if decision.variant_reason is VariantReason.SHADOW:
            self._record_shadow(decision)
        else:
            self._record_request(decision)
        for part in (decision, *decision.children):
            self._record_attempts(part.attempts)

    def _record_shadow(self, decision: Decision) -> None:
        found = decision.divergence
        if found is not None:
            self._divergence.labels(
                decision.task.value, found.answer, found.shadow, found.comparison.value
            ).inc()

    def _record_request(self, decision: Decision) -> None:
        task = decision.task.value
        self._requests.labels(task, decision.outcome.value, decision.policy, decision.rule).inc()
        if decision.outcome in (Outcome.ABSTAINED, Outcome.FAILED):
            self._abstentions.labels(task, decision.reason.value).inc()
        self._request.labels(task).observe(decision.elapsed_ms / 1000)
        self._overhead.labels(task).observe(max(0.0, decision.overhead_ms) / 1000)

    def _record_attempts(self, attempts: tuple[Attempt, ...]) -> None:
        for attempt in attempts:
            self._attempts.labels(attempt.backend, attempt.verdict.reason.value).inc()
            ran_ms = attempt.latency_ms - attempt.queue_ms
            self._backend.labels(attempt.backend, attempt.task.value).observe(max(0.0, ran_ms) / 1000)
            self._wait.labels(attempt.backend).observe(attempt.queue_ms / 1000)
            risk = attempt.verdict.risk
            if risk is not None and attempt.verdict.accepted:
                self._risk.labels(attempt.backend, attempt.task.value).set(risk.bound)
        for one, other in pairwise(attempts):
            if not one.verdict.accepted:
                self._fallbacks.labels(one.backend, other.backend, one.verdict.reason.value).inc()
