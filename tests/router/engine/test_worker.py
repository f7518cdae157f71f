"""A worker keeps its bounds, batches what waits, and ends cleanly."""

import threading
import time

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.engine.worker import Worker
from visionrouter.schema.errors import ClosedError, OverloadedError, WeightsError
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
