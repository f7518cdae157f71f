"""OpenTelemetry spans: one a request, inside it one an attempt."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from visionrouter.schema.decision import Attempt, Decision
from visionrouter.schema.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import TracerProvider


class Traces:
    """Writes a span for every decision, a child of the span that is current where the router was called.

    `provider` of the tracer (default: the one set for the process). Spans are written when the answer is there, with
    the times at which things happened; what a backend traces by itself is therefore a sibling and not a child of its
    attempt. Raises `MissingExtraError` without opentelemetry-api.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingExtraError(
                "traces need opentelemetry-api; pip install 'visionrouter[telemetry]'"
            ) from error
        self._trace = trace
        self._tracer = trace.get_tracer("visionrouter", tracer_provider=provider)

    def record(self, decision: Decision) -> None:
        self._request(decision, time_ns() - _ns(decision.elapsed_ms), None)

    def _request(self, decision: Decision, began_ns: int, parent: Context | None) -> None:
        span = self._tracer.start_span(
            "visionrouter.request" if parent is None else "visionrouter.part",
            parent,
            start_time=began_ns,
            attributes={
                "visionrouter.request_id": decision.request_id,
                "visionrouter.task": decision.task.value,
                "visionrouter.outcome": decision.outcome.value,
                "visionrouter.reason": decision.reason.value,
                "visionrouter.policy": decision.policy,
                "visionrouter.policy_hash": decision.policy_hash,
                "visionrouter.rule": decision.rule,
                "visionrouter.overhead_ms": decision.overhead_ms,
            },
        )
        within = self._trace.set_span_in_context(span, parent)
        for child in decision.children:
            self._request(child, began_ns, within)
        for attempt in decision.attempts:
            self._attempt(attempt, began_ns, within)
        span.end(began_ns + _ns(decision.elapsed_ms))

    def _attempt(self, attempt: Attempt, began_ns: int, within: Context) -> None:
        start_ns = began_ns + _ns(attempt.started_ms)
        attributes: dict[str, str | float | bool] = {
            "visionrouter.backend": attempt.backend,
            "visionrouter.task": attempt.task.value,
            "visionrouter.accepted": attempt.verdict.accepted,
            "visionrouter.reason": attempt.verdict.reason.value,
            "visionrouter.gate": attempt.verdict.gate,
            "visionrouter.queue_ms": attempt.queue_ms,
        }
        if attempt.weights_digest is not None:
            attributes["visionrouter.weights_digest"] = attempt.weights_digest
        span = self._tracer.start_span(
            "visionrouter.attempt", within, start_time=start_ns, attributes=attributes
        )
        if attempt.error is not None:
            span.set_status(self._trace.StatusCode.ERROR, attempt.error)
        span.end(start_ns + _ns(attempt.latency_ms))


def _ns(ms: float) -> int:
    return int(ms * 1e6)
