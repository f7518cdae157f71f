"""What is planted is wrong, stays wrong when the backend is asked again, and keeps its evidence."""

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.rainy.planted import INVENTED_SCORE, Planted, plants, sown
from visionrouter.confidence.losses import LOSSES
from visionrouter.confidence.probes.mirror import mirrored_payload, mirrored_query
from visionrouter.instruction import parse
from visionrouter.intake import query_of
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, Detections, Segmentation
from visionrouter.schema.task import Task

H, W = 24, 40
WORDS = {
    Task.DEPTH: "depth map",
    Task.REFERRING: "segment the ball",
    Task.INSTANCE: "instance segmentation of balls",
    Task.DETECT: "detect balls",
}


def truth_of(task, scene):
    mask = np.zeros((1, H, W), np.bool_)
    mask[0, 4 : 10 + scene, 3:12] = True
    match task:
        case Task.DEPTH:
            return DepthMap((2.0 + scene + np.linspace(0, 3, W, dtype=np.float32)[None].repeat(H, 0)), "m")
        case Task.DETECT:
            return Detections(
                np.array([[3, 4, 12, 10 + scene]], np.float32), np.ones(1, np.float32), ("ball",)
            )
        case _:
            return Segmentation(mask, np.ones(1, np.float32), ("ball",), task.value.partition(".")[2])


def items(task, count=3):
    made = []
    for scene in range(count):
        pixels = np.random.default_rng(scene).integers(0, 255, (H, W, 3), np.uint8)
        made.append(
            Item(f"i{scene}", f"s{scene}", load_image(pixels), parse(WORDS[task]), truth_of(task, scene))
        )
    return made


def knowing(some):
    """A backend that answers every item, mirrored or not, rightly."""
    by_pixels = {}
    for item in some:
        by_pixels[item.image.digest()] = item.truth
        turned = mirrored_query(query_of(item.request)).image
        by_pixels[turned.digest()] = mirrored_payload(item.truth, W)
    return FakeBackend(script=lambda query: Answer(by_pixels[query.image.digest()], {"score": 0.7}))


KINDS = [(task, plant) for task in WORDS for plant in plants(task)]


@pytest.mark.parametrize(("task", "plant"), KINDS)
def test_a_plant_is_bad_keeps_its_evidence_and_is_gone_afterwards(task, plant):
    some = items(task)
    hiding = Planted(knowing(some))
    loss = LOSSES[task]
    for i, one in sown(plant, some):
        query = query_of(some[i].request)
        hiding.sow(one)
        (wrong,) = hiding.predict([query])
        assert hiding.delivered == 1
        assert loss.is_bad(loss.measure(wrong.payload, some[i].truth))
        assert wrong.evidence.signals == {"score": 0.7}
        hiding.sow(None)
        (right,) = hiding.predict([query])
        assert loss.measure(right.payload, some[i].truth) == pytest.approx(0, abs=1e-5)
        assert hiding.delivered == 0


@pytest.mark.parametrize(("task", "plant"), KINDS)
def test_the_mirrored_question_gets_the_mirrored_plant(task, plant):
    some = items(task)
    hiding = Planted(knowing(some))
    for i, one in sown(plant, some):
        query = query_of(some[i].request)
        hiding.sow(one)
        (plain,) = hiding.predict([query])
        (turned,) = hiding.predict([mirrored_query(query)])
        back = mirrored_payload(turned.payload, W)
        assert LOSSES[task].measure(back, plain.payload) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("task", [Task.REFERRING, Task.INSTANCE, Task.DETECT])
def test_an_invented_thing_lies_where_nothing_is_and_is_sure_of_itself(task):
    (item, *_) = some = items(task)
    _, one = next(iter(sown("invented", some)))
    made = one.answer(query_of(item.request), knowing(some)).payload
    assert made.labels == ("ball",)
    assert made.scores == pytest.approx([INVENTED_SCORE])
    x1, y1, x2, y2 = made.boxes[0]
    assert x1 >= 12 or y1 >= 10
    assert (x2 - x1) * (y2 - y1) > 0.05 * H * W


def test_another_scenes_answer_comes_with_its_own_evidence():
    some = items(Task.DEPTH)
    known = knowing(some)
    _, one = next(iter(sown("other_scene", some)))
    made = one.answer(query_of(some[0].request), known)
    assert made == known.predict([query_of(some[1].request)])[0]


def test_nothing_is_planted_where_nothing_was_found_to_shift():
    some = items(Task.REFERRING)
    empty = Segmentation(np.zeros((0, H, W), np.bool_), np.zeros(0, np.float32), (), "referring")
    hiding = Planted(FakeBackend(script=Answer(empty)))
    _, one = next(iter(sown("shifted_mask", some)))
    hiding.sow(one)
    assert hiding.predict([query_of(some[0].request)])[0].payload == empty
    assert hiding.delivered == 0
