"""A queue keeps its bound, gives tenants their turns, sheds the least critical, and holds nobody past his slack."""

import threading
import time
from collections import Counter
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.engine.queue import FairQueue, Job
from visionrouter.schema.errors import ClosedError, ExpiredError, OverloadedError
from visionrouter.schema.image import load_image
from visionrouter.schema.request import Criticality, Query
from visionrouter.schema.task import Task

IMAGE = load_image(np.zeros((4, 4, 3), np.uint8))


def job(camera="", criticality=Criticality.NORMAL, due_in_s=None, start_in_s=None):
    now_s = perf_counter()
    tags = {"camera": camera} if camera else {}
    made = Job(Query(Task.CLASSIFY, IMAGE, tags=tags, criticality=criticality), now_s)
    if due_in_s is not None:
        made.due_s = now_s + due_in_s
    if start_in_s is not None:
        made.start_by_s = now_s + start_in_s
    return made


def fair(limit=100):
    return FairQueue("fake", limit, "camera")


def cameras(jobs):
    return "".join(j.query.tags.get("camera", "-") for j in jobs)


def test_tenants_take_turns_and_each_keeps_its_order():
    queue = fair()
    sent = [job(camera) for camera in "aaaaabbc"] + [job()]
    for each in sent:
        queue.put(each)
    taken = queue.take(4) + queue.take(4) + queue.take(4)
    assert cameras(taken) == "abc-abaaa"
    assert [j for j in taken if j.query.tags.get("camera") == "a"] == sent[:5]


def test_a_newcomer_among_tenants_does_not_wait_for_a_flood():
    queue = fair()
    for _ in range(50):
        queue.put(job("a"))
    queue.take(3)
    queue.put(job("b"))
    assert "b" in cameras(queue.take(2))


def test_a_full_queue_refuses_whoever_floods_it_and_makes_room_for_others():
    queue = fair(limit=4)
    flood = [job("a") for _ in range(4)]
    for each in flood:
        queue.put(each)
    with pytest.raises(OverloadedError, match="4 requests are waiting"):
        queue.put(job("a"))
    queue.put(job("b"))
    with pytest.raises(OverloadedError, match="gave its place"):
        flood[-1].future.result(0)
    queue.put(job("b"))
    with pytest.raises(OverloadedError):
        queue.put(job("b"))
    assert sorted(cameras(queue.take(9))) == ["a", "a", "b", "b"]
    assert (queue.counts.refused, queue.counts.shed) == (2, 2)


def test_the_more_critical_pushes_out_the_least_critical_newest_first():
    queue = FairQueue("fake", 3)
    low, lower_newer, high = job(criticality="low"), job(criticality="low"), job(criticality="high")
    for each in (low, lower_newer, high):
        queue.put(each)
    queue.put(job(criticality="safety"))
    assert isinstance(lower_newer.future.exception(0), OverloadedError)
    queue.put(job(criticality="normal"))
    assert isinstance(low.future.exception(0), OverloadedError)
    with pytest.raises(OverloadedError):
        queue.put(job(criticality="low"))
    assert [j.query.criticality for j in queue.take(9)] == ["high", "safety", "normal"]


def test_what_runs_keeps_its_place_and_cannot_be_pushed_out():
    queue = FairQueue("fake", 1)
    queue.put(job(criticality="low"))
    (running,) = queue.take(1)
    with pytest.raises(OverloadedError):
        queue.put(job(criticality="safety"))
    assert not running.future.done()
    queue.done(1)
    queue.put(job())


def test_the_expired_and_the_cancelled_give_up_their_places_and_are_not_taken():
    queue = FairQueue("fake", 3)
    expired, cancelled, good = job(due_in_s=0), job(), job(due_in_s=60)
    for each in (expired, cancelled, good):
        queue.put(each)
    cancelled.future.cancel()
    queue.put(job())
    assert isinstance(expired.future.exception(0), ExpiredError)
    assert (queue.counts.expired, queue.counts.cancelled, queue.counts.shed) == (1, 1, 0)
    late = job(due_in_s=0.01)
    queue.put(late)
    time.sleep(0.02)
    assert len(queue.take(9)) == 2
    assert isinstance(late.future.exception(0), ExpiredError)


def test_an_expired_job_is_told_though_nothing_else_comes():
    queue = FairQueue("fake", 3)
    late = job(due_in_s=0)
    taker = threading.Thread(target=queue.take, args=(1,))
    taker.start()
    queue.put(late)
    assert isinstance(late.future.exception(5), ExpiredError)
    queue.close()
    taker.join(5)
    assert not taker.is_alive()


def test_a_batch_is_held_for_company_until_it_is_full():
    queue, batches = FairQueue("fake", 9), []
    taker = threading.Thread(target=lambda: batches.append(queue.take(3, hold_s=30)))
    taker.start()
    for _ in range(3):
        queue.put(job())
    taker.join(5)
    assert [len(batch) for batch in batches] == [3]


@pytest.mark.parametrize(("hold_s", "start_in_s"), [(0.05, None), (30, 0.05), (30, -1)])
def test_no_batch_is_held_past_its_time_or_the_slack_of_a_job(hold_s, start_in_s):
    queue = FairQueue("fake", 9)
    queue.put(job())
    queue.put(job(start_in_s=start_in_s))
    assert len(queue.take(3, hold_s)) == 2


def test_close_gives_back_what_waits_and_ends_the_taker():
    queue, batches = FairQueue("fake", 9), []
    waiting = job()
    queue.put(waiting)
    assert queue.close() == [waiting]
    taker = threading.Thread(target=lambda: batches.append(queue.take(1)))
    taker.start()
    taker.join(5)
    assert batches == [[]]
    with pytest.raises(ClosedError):
        queue.put(job())


def test_how_long_the_first_has_waited_is_visible():
    queue = fair()
    assert queue.oldest_s(perf_counter()) == 0
    first = job("a")
    queue.put(first)
    queue.put(job("b"))
    assert queue.oldest_s(first.enqueued_s + 3) == pytest.approx(3)


puts = st.tuples(st.sampled_from("abc"), st.sampled_from(sorted(Criticality)))


@given(st.lists(st.one_of(puts, st.integers(1, 4)), max_size=60), st.integers(1, 6))
def test_every_job_is_taken_or_told_and_the_bound_holds(events, limit):
    queue, sent, taken, refused = fair(limit), [], [], 0
    for event in events:
        if isinstance(event, int):
            if queue.waiting:
                batch = queue.take(event)
                assert 1 <= len(batch) <= event
                taken += batch
                queue.done(len(batch))
        else:
            made = job(*event)
            try:
                queue.put(made)
                sent.append(made)
            except OverloadedError:
                refused += 1
        assert queue.waiting + queue.running <= limit
    left = queue.close()
    shed = [j for j in sent if j.future.done()]
    assert all(isinstance(j.future.exception(0), OverloadedError) for j in shed)
    assert Counter(map(id, taken + left + shed)) == Counter(map(id, sent))
    assert (queue.counts.shed, queue.counts.refused) == (len(shed), refused)


def test_many_threads_lose_nothing():
    queue, got, sent = fair(10_000), [], [[job(c) for _ in range(500)] for c in "abcd"]

    def take():
        while batch := queue.take(7):
            got.extend(batch)
            queue.done(len(batch))

    takers = [threading.Thread(target=take) for _ in range(3)]
    putters = [threading.Thread(target=lambda js=js: [queue.put(j) for j in js]) for js in sent]
    for thread in takers + putters:
        thread.start()
    for thread in putters:
        thread.join()
    while queue.waiting:
        time.sleep(0.005)
    queue.close()
    for thread in takers:
        thread.join()
    assert sorted(map(id, got)) == sorted(id(j) for js in sent for j in js)
    assert queue.running == 0
