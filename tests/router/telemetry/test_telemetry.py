"""Metrics, traces and logs of real requests, read back through the libraries' own readers."""

import io
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from visionrouter.backends.base import Reuse
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.cache import ResultCache
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.router import Router
from visionrouter.telemetry import DecisionLog, JsonFormatter, Metrics, Traces

PHOTO = np.zeros((60, 80, 3), np.uint8)
POLICY = {
    "schema_version": 1,
    "name": "watched",
    "default": {"route": {"try": ["first", "second"], "accept": {"evidence": {"score": {"min": 0.5}}}}},
}


def router(*sinks, script=Answer(error=RuntimeError("cable cut")), **options):
    backends = [FakeBackend("first", script=script, inline=False), FakeBackend("second")]
    return Router(backends, POLICY, sinks=sinks, options=EngineOptions(**options))


def scraped(registry):
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_shows_what_happened():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    with router(metrics, breaker=BreakerOptions(failures_in_a_row=2)) as made:
        metrics.watch(made, "main")
        for _ in range(3):
            made.run(PHOTO, "find the dog")
        seen = scraped(registry)
    first, second = ("backend", "first"), ("backend", "second")
    why = ("reason", "backend_error")
    labels = [("outcome", "fell_back"), ("policy", "watched"), ("rule", "default"), ("task", "detect")]
    assert seen["visionrouter_requests_total", *labels] == 3
    assert seen["visionrouter_request_duration_seconds_count", ("task", "detect")] == 3
    assert 0 < seen["visionrouter_request_duration_seconds_sum", ("task", "detect")] < 10
    assert seen["visionrouter_router_overhead_seconds_count", ("task", "detect")] == 3
    assert seen["visionrouter_attempts_total", first, why] == 2
    assert seen["visionrouter_fallbacks_total", ("from", "first"), why, ("to", "second")] == 2
    assert (
        seen["visionrouter_fallbacks_total", ("from", "first"), ("reason", "breaker_open"), ("to", "second")]
        == 1
    )
    assert seen["visionrouter_backend_duration_seconds_count", second, ("task", "detect")] == 3
    assert seen["visionrouter_queue_wait_seconds_count", first] == 3
    assert seen["visionrouter_breaker_state", first, ("router", "main"), ("state", "open")] == 1
    assert seen["visionrouter_breaker_state", first, ("router", "main"), ("state", "closed")] == 0
    assert seen["visionrouter_breaker_opened_total", first, ("router", "main")] == 1
    assert seen["visionrouter_queue_depth", first, ("router", "main")] == 0


class Remembering(FakeBackend):
    reuse = Reuse(3, 1)


def test_a_scrape_shows_what_was_reused_and_what_waits():
    registry, cache = CollectorRegistry(), ResultCache()
    metrics = Metrics(registry)
    backends = [Remembering("first", inline=False), FakeBackend("second")]
    with Router(backends, POLICY, cache=cache) as made, router() as plain:
        metrics.watch(made, "main")
        metrics.watch(plain, "plain")
        for _ in range(4):
            made.run(PHOTO, "find the dog")
        seen = scraped(registry)
        waited_s = made.states()["first"].waited_ms / 1000
    main, first = ("router", "main"), ("backend", "first")
    reuse, lookups = "visionrouter_embedding_reuse_total", "visionrouter_cache_lookups_total"
    assert seen[reuse, first, ("outcome", "hit"), main] == 3
    assert seen[reuse, first, ("outcome", "miss"), main] == 1
    assert not [key for key in seen if key[0] == reuse and ("backend", "second") in key]
    assert seen[lookups, ("outcome", "hit"), main] == 3
    assert seen[lookups, ("outcome", "miss"), main] == 1
    assert seen["visionrouter_cache_entries", main] == 1
    assert seen["visionrouter_cache_bytes", main] == cache.state.bytes > 0
    assert not [key for key in seen if key[0] == lookups and ("router", "plain") in key]
    assert seen["visionrouter_queue_recent_wait_seconds", first, main] == pytest.approx(waited_s)


def test_abstentions_are_counted_with_their_reason():
    registry = CollectorRegistry()
    low = Answer(signals={"score": 0.1})
    policy = {**POLICY, "default": {"route": {**POLICY["default"]["route"], "try": ["first"]}}}
    with Router([FakeBackend("first", script=low)], policy, sinks=[Metrics(registry)]) as made:
        made.run(PHOTO, "find the dog")
    reason = ("reason", "confidence_low")
    assert scraped(registry)["visionrouter_abstentions_total", reason, ("task", "detect")] == 1


def test_a_router_let_go_is_no_longer_shown():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    made = router(metrics)
    metrics.watch(made)
    made.close()
    del made
    assert not [key for key in scraped(registry) if key[0] == "visionrouter_queue_depth"]


def spans_of(run):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    run(provider)
    return {span.name + str(i): span for i, span in enumerate(exporter.get_finished_spans())}


def test_attempts_lie_in_their_request_which_lies_in_the_callers_span():
    def run(provider):
        with router(Traces(provider)) as made, provider.get_tracer("app").start_as_current_span("caller"):
            made.run(PHOTO, "find the dog")

    first, second, request, caller = spans_of(run).values()
    assert [s.name for s in (first, second, request)] == ["visionrouter.attempt"] * 2 + [
        "visionrouter.request"
    ]
    assert request.parent.span_id == caller.context.span_id
    assert first.parent.span_id == second.parent.span_id == request.context.span_id
    assert caller.start_time <= request.start_time <= first.start_time <= first.end_time
    assert first.end_time <= second.end_time <= request.end_time <= caller.end_time
    assert first.status.status_code is StatusCode.ERROR
    assert "cable cut" in first.status.description
    assert first.attributes["visionrouter.reason"] == "backend_error"
    assert second.attributes["visionrouter.backend"] == "second"
    assert second.attributes["visionrouter.accepted"]
    assert request.attributes["visionrouter.outcome"] == "fell_back"


def test_the_parts_of_a_composite_lie_in_it():
    def run(provider):
        with router(Traces(provider)) as made:
            made.run(PHOTO, "how far is each dog?")

    spans = list(spans_of(run).values())
    (request,) = (s for s in spans if s.name == "visionrouter.request")
    parts = [s for s in spans if s.name == "visionrouter.part"]
    assert [p.attributes["visionrouter.task"] for p in parts] == ["detect", "depth"]
    assert {p.parent.span_id for p in parts} == {request.context.span_id}
    attempts = [s for s in spans if s.name == "visionrouter.attempt"]
    assert {a.parent.span_id for a in attempts} == {p.context.span_id for p in parts}


@pytest.mark.parametrize("words", [False, True])
def test_a_log_line_is_json_without_the_words_unless_asked(words):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("mine", logging.INFO)
    logger.addHandler(handler)
    with router(DecisionLog(logger, words=words)) as made:
        result = made.run(PHOTO, "find the secret dog", tags={"camera": "4"})
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert said["level"] == "info"
    assert said["decision"]["request_id"] == result.request_id
    assert said["decision"]["outcome"] == "fell_back"
    assert said["decision"]["tags"] == {"camera": "4"}
    assert [a["reason"] for a in said["decision"]["attempts"]] == ["backend_error", "within_limits"]
    assert ("secret" in line) is words


def test_an_exception_in_a_log_line_keeps_to_one_line():
    formatter = JsonFormatter()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.Logger("x").makeRecord("x", logging.ERROR, "f", 1, "oh\nno", (), sys.exc_info())
    line = formatter.format(record)
    assert "\n" not in line
    assert "ValueError" in json.loads(line)["error"]


def test_nothing_is_imported_unless_it_is_wanted():
    code = "import visionrouter, visionrouter.telemetry, sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"opentelemetry", "prometheus_client"} & set(said.stdout.split())
    code = "import visionrouter, sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "visionrouter.telemetry" not in said.stdout.split()
