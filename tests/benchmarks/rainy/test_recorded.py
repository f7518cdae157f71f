"""A recorded backend answers from disk what it was asked before, and nothing else."""

import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend, plausible
from visionrouter.benchmarks.rainy.recorded import Recorded, key_of
from visionrouter.benchmarks.rainy.store import FILE, Store
from visionrouter.schema.errors import RequestError, ResourceError, UnsupportedTargetError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

PIXELS = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def query(task=Task.DEPTH, pixels=PIXELS, **given):
    return Query(task, load_image(pixels), **given)


class Drawn(FakeBackend):
    """Answers with all that a prediction can hold."""

    def predict(self, queries):
        values = np.full((24, 32), 3.0, np.float32)
        values[0, :3] = np.nan, np.inf, 0.1
        trust = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
        super().predict(queries)
        evidence = Evidence({"code_residual": 0.1 + 1e-17, "n": 3.0}, trust)
        return [Prediction(DepthMap(values, "m"), evidence, PIXELS, ("a:b",)) for _ in queries]


@pytest.mark.parametrize("task", sorted(set(Task) - {Task.COMPOSITE}))
def test_every_kind_of_answer_comes_back_as_it_was(tmp_path, task):
    asked = query(task, targets=(Target("ball", "the ball"),))
    (first,) = Recorded(FakeBackend(), Store(tmp_path)).predict([asked])
    fresh = FakeBackend()
    (second,) = Recorded(fresh, Store(tmp_path)).predict([asked])
    assert second == first == Prediction(plausible(asked), Evidence({"score": 0.9}))
    assert not fresh.calls


def test_drawings_maps_nan_and_notes_are_kept_to_the_bit(tmp_path):
    (first,) = Recorded(Drawn(), Store(tmp_path)).predict([query()])
    fresh = Drawn()
    recorded = Recorded(fresh, Store(tmp_path))
    (second,) = recorded.predict([query()])
    assert second == first
    assert not fresh.calls
    assert recorded.asked == 0
    assert math.isnan(second.payload.values[0, 0])
    assert second.payload.values[0, 1] == math.inf


def test_weights_are_read_for_what_is_new_only(tmp_path):
    Recorded(FakeBackend(), Store(tmp_path)).predict([query()])
    unloadable = Recorded(FakeBackend(load_error=ResourceError("no room")), Store(tmp_path))
    unloadable.load()
    unloadable.predict([query()])
    with pytest.raises(ResourceError, match="no room"):
        unloadable.predict([query(Task.NORMALS)])


def test_it_tells_what_was_asked_with_the_seconds_of_the_recording(tmp_path):
    slow = FakeBackend(script=Answer(latency_ms=30))
    Recorded(slow, Store(tmp_path)).predict([query()])
    recorded = Recorded(FakeBackend(), Store(tmp_path))
    recorded.predict([query(), query()])
    calls = recorded.calls()
    assert len(calls) == 2
    assert all(call.seconds >= 0.03 for call in calls)
    assert recorded.calls() == []


def test_errors_that_would_come_again_are_kept_and_others_are_not(tmp_path):
    store = Store(tmp_path)
    for error, kept in ((UnsupportedTargetError("no word for it"), True), (ResourceError("full"), False)):
        with pytest.raises(type(error)):
            Recorded(FakeBackend("f", script=Answer(error=error)), store).predict([query()])
        again = FakeBackend("f")
        if kept:
            with pytest.raises(UnsupportedTargetError, match="no word for it"):
                Recorded(again, store).predict([query()])
            store = Store(tmp_path / "other")
        else:
            Recorded(again, store).predict([query()])
        assert bool(again.calls) is not kept


def test_all_that_an_answer_may_depend_on_is_in_its_key():
    plain = query()
    other = PIXELS.copy()
    other[0, 0, 0] ^= 1
    changed = [
        query(Task.NORMALS),
        query(pixels=other),
        replace(plain, seed=1),
        replace(plain, text="how far"),
        replace(plain, targets=(Target("ball", "ball"),)),
        replace(plain, targets=(Target("ball", "ball", ("red",)),)),
    ]
    keys = {key_of(q) for q in (plain, *changed)}
    assert len(keys) == 1 + len(changed)
    assert key_of(replace(plain, tags={"camera": "1"})) == key_of(plain)
    assert key_of(plain, ("a", "weights 1")) != key_of(plain, ("a", "weights 2"))


def test_what_a_killed_run_recorded_is_there(tmp_path):
    program = (
        "import os, sys; sys.path.insert(0, os.path.dirname(sys.argv[2]));"
        "from pathlib import Path; import test_recorded as t;"
        "t.Recorded(t.FakeBackend(), t.Store(Path(sys.argv[1]))).predict([t.query()]);"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), __file__], check=False, env=os.environ)
    fresh = FakeBackend()
    Recorded(fresh, Store(tmp_path)).predict([query()])
    assert not fresh.calls


def test_a_file_that_is_no_store_is_refused(tmp_path):
    (tmp_path / FILE).write_text("something else, and long enough to be taken for a header of pages" * 9)
    with pytest.raises(RequestError, match="name another folder"):
        Store(tmp_path)
