"""A worker keeps its bounds, batches what waits, and ends cleanly."""

import threading
import time

import numpy as np
import psutil
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.faulty import FaultyBackend
from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.registry import Recipe
from visionrouter.engine.worker import Worker
from visionrouter.schema.errors import (
    ClosedError,
    CrashedError,
    ExpiredError,
    HungError,
    OverloadedError,
    ResourceError,
    WeightsError,
)
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

QUERY = Query(Task.CLASSIFY, load_image(np.zeros((4, 4, 3), np.uint8)))


class Gated(FakeBackend):
    """Answers only once `gate` is open; records the size of each batch and the thread that ran it."""

    def __init__(self, **options) -> None:
        super().__init__(inline=False, **options)
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.threads: set[str] = set()

    def predict(self, queries):
        self.entered.set()
        assert self.gate.wait(10)
        self.batches.append(len(queries))
        self.threads.add(threading.current_thread().name)
        return super().predict(queries)


def test_what_waits_goes_as_one_batch():
    backend = Gated(batch_limit=4)
    worker = Worker(backend)
    jobs = [worker.submit(QUERY)]
    assert backend.entered.wait(10)
    jobs += [worker.submit(QUERY) for _ in range(6)]
    backend.gate.set()
    for job in jobs:
        assert job.future.result(10).payload.labels == ("thing",)
    assert backend.batches == [1, 4, 2]
    assert backend.threads == {"visionrouter-fake"}
    worker.close()


def test_a_full_queue_refuses_at_once():
    backend = Gated()
    worker = Worker(backend, queue_limit=2)
    jobs = [worker.submit(QUERY), worker.submit(QUERY)]
    started = time.perf_counter()
    with pytest.raises(OverloadedError, match="2 requests are waiting"):
        worker.submit(QUERY)
    assert time.perf_counter() - started < 1
    backend.gate.set()
    for job in jobs:
        job.future.result(10)
    worker.close()


def test_a_query_that_breaks_does_not_take_its_neighbours_with_it():
    def script(query):
        return Answer(error=ValueError("bad words")) if query.text == "bad" else Answer()

    backend = Gated(script=script)
    worker = Worker(backend)
    first = worker.submit(QUERY)
    assert backend.entered.wait(10)
    bad = worker.submit(Query(Task.CLASSIFY, QUERY.image, text="bad"))
    good = worker.submit(QUERY)
    backend.gate.set()
    first.future.result(10)
    assert good.future.result(10)
    with pytest.raises(ValueError, match="bad words"):
        bad.future.result(10)
    worker.close()


def test_an_abandoned_job_is_not_run():
    backend = Gated()
    worker = Worker(backend)
    first = worker.submit(QUERY)
    assert backend.entered.wait(10)
    abandoned = worker.submit(QUERY)
    assert abandoned.future.cancel()
    backend.gate.set()
    first.future.result(10)
    worker.close()
    assert len(backend.calls) == 1
    assert worker.discarded == 1


def test_a_failed_load_is_told_to_each_and_tried_again():
    backend = FakeBackend(inline=False, load_error=WeightsError("cut short"))
    worker = Worker(backend)
    for _ in range(2):
        with pytest.raises(WeightsError, match="cut short"):
            worker.submit(QUERY).future.result(10)
    backend._load_error = None
    assert worker.submit(QUERY).future.result(10)
    worker.close()


def test_close_refuses_what_waits_and_ends_the_thread():
    before = threading.active_count()
    backend = Gated()
    worker = Worker(backend)
    running = worker.submit(QUERY)
    assert backend.entered.wait(10)
    waiting = [worker.submit(QUERY) for _ in range(3)]
    closer = threading.Thread(target=worker.close)
    closer.start()
    time.sleep(0.05)
    backend.gate.set()
    closer.join(10)
    assert running.future.result(10)
    answered = [job.future.exception(10) for job in waiting]
    assert all(error is None or isinstance(error, ClosedError) for error in answered)
    assert threading.active_count() == before
    with pytest.raises(ClosedError):
        worker.submit(QUERY)
    worker.close()


def test_inline_runs_on_the_callers_thread():
    seen = []
    backend = FakeBackend(script=lambda query: seen.append(threading.current_thread()) or Answer())
    worker = Worker(backend)
    worker.submit(QUERY)
    assert seen == [threading.current_thread()]
    worker.close()


def test_a_batch_is_held_for_company_but_not_past_the_slack_of_a_job():
    backend = FakeBackend(inline=False, batch_limit=3, script=Answer(latency_ms=20))
    worker = Worker(backend, batch_wait_ms=60_000)
    together = [worker.submit(QUERY) for _ in range(3)]
    assert {job.future.result(10).payload.labels for job in together} == {("thing",)}
    assert worker.typical_ms >= 20
    lone = worker.submit(QUERY, time.perf_counter() + 0.3)
    assert lone.future.result(10)
    assert 0 < lone.due_s - lone.start_by_s < 0.3
    assert worker.late == 0
    worker.close()


def test_a_job_whose_time_is_up_is_not_run():
    backend = Gated()
    worker = Worker(backend)
    first = worker.submit(QUERY)
    assert backend.entered.wait(10)
    late = worker.submit(QUERY, time.perf_counter() + 0.01)
    time.sleep(0.02)
    backend.gate.set()
    with pytest.raises(ExpiredError):
        late.future.result(10)
    first.future.result(10)
    worker.close()
    assert worker.discarded == len(backend.calls) == 1


def test_an_answer_past_its_time_is_counted():
    worker = Worker(FakeBackend(inline=False, script=Answer(latency_ms=30)))
    worker.submit(QUERY, time.perf_counter() + 0.01).future.result(10)
    worker.close()
    assert worker.late == 1


def thread(**params):
    return FaultyBackend(**params)


def process(**params):
    return IsolatedBackend(Recipe("faulty", None, params), IsolationLimits(hang_ms=400))


BOTH = pytest.mark.parametrize("made", [thread, process])


def asking(fault=None):
    return Query(Task.CLASSIFY, QUERY.image, tags={} if fault is None else {"fault": fault})


@BOTH
def test_both_kinds_answer_in_order_and_spare_the_neighbours_of_a_bad_query(made):
    worker = Worker(made(slow_ms=200))
    first = worker.submit(asking("slow"))
    jobs = [worker.submit(asking(fault)) for fault in (None, "out_of_memory", None, "exception")]
    assert first.future.result(20).payload.labels == ("thing",)
    assert jobs[0].future.result(10).payload == jobs[2].future.result(10).payload
    assert isinstance(jobs[1].future.exception(10), ResourceError)
    assert "a fault was asked for" in str(jobs[3].future.exception(10))
    worker.close()


@BOTH
def test_both_kinds_tell_each_job_what_loading_raised(made):
    worker = Worker(made(load_fault="out_of_memory"))
    for _ in range(2):
        assert isinstance(worker.submit(asking()).future.exception(20), ResourceError)
    worker.close()


@BOTH
def test_both_kinds_leave_nothing_running(made):
    before = threading.active_count(), children()
    worker = Worker(made(slow_ms=100))
    running = worker.submit(asking("slow"))
    while not worker.queue.running:
        time.sleep(0.005)
    waiting = worker.submit(asking())
    worker.close()
    assert running.future.result(0)
    assert isinstance(waiting.future.exception(0), ClosedError)
    assert (threading.active_count(), children()) == before
    with pytest.raises(ClosedError):
        worker.submit(asking())


@pytest.mark.parametrize(("fault", "error"), [("crash", CrashedError), ("hang", HungError)])
def test_a_lost_process_fails_what_it_had_in_hand_at_once_and_serves_what_waits(fault, error):
    backend = process(slow_ms=200)
    worker = Worker(backend)
    first = worker.submit(asking("slow"))
    while not worker.queue.running:
        time.sleep(0.005)
    batch = [worker.submit(asking(kind)) for kind in (None, fault)]
    batch += [worker.submit(asking()) for _ in range(backend.spec.batch_limit - 2)]
    after = worker.submit(asking())
    assert first.future.result(20)
    assert all(isinstance(job.future.exception(20), error) for job in batch)
    assert after.future.result(20)
    assert backend.restarts == 1
    worker.close()


def test_close_does_not_wait_for_a_hung_process():
    backend = IsolatedBackend(Recipe("faulty"), IsolationLimits(hang_ms=60_000))
    before = threading.active_count(), children()
    worker = Worker(backend)
    hung = worker.submit(asking("hang"))
    while backend.pid is None or not worker.queue.running:
        time.sleep(0.01)
    worker.close(timeout_s=1.0)
    assert isinstance(hung.future.exception(0), CrashedError)
    assert (threading.active_count(), children()) == before


def children():
    return {child.pid for child in psutil.Process().children(recursive=True)}
