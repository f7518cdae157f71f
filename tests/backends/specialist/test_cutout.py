"""The chain of detector, segmenter and pose model, with the real parts and with scripted ones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.specialist.chain import strictest
from visionrouter.backends.specialist.cutout import Cutout
from visionrouter.backends.specialist.grabcut import GrabCut
from visionrouter.backends.specialist.movenet import MoveNet
from visionrouter.backends.specialist.nanodet import NanoDet
from visionrouter.backends.weights import combined_digest
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Detections, Poses, Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

PERSON = Target("person", "the person", number="one")


@pytest.fixture(scope="module")
def cutout() -> Cutout:
    return Cutout(NanoDet(), GrabCut(), MoveNet())


def detector(*boxes: list[float], labels: tuple[str, ...], scores: tuple[float, ...]) -> FakeBackend:
    found = Detections(np.float32(boxes).reshape(-1, 4), np.float32(scores), labels)
    answer = Answer(found, {"score": min(scores, default=0.0)}, notes=("unresolved:nearest",))
    return FakeBackend("finder", tasks=frozenset({Task.DETECT}), script=answer)


def segmentation(prediction: Prediction) -> Segmentation:
    assert isinstance(prediction.payload, Segmentation)
    return prediction.payload


def test_a_portrait_is_cut_out(cutout: Cutout, photo: Callable[[str], Image]) -> None:
    (prediction,) = cutout.predict([Query(Task.REFERRING, photo("astronaut"), (PERSON,))])
    found = segmentation(prediction)
    assert (found.mode, found.labels) == ("referring", ("person",))
    (mask,) = found.masks
    face, hair, collar, suit = (230, 120), (230, 30), (200, 230), (140, 350)
    flag, wall, shuttle, helmet = (20, 100), (130, 60), (430, 150), (420, 400)
    assert [bool(mask[y, x]) for x, y in (face, hair, collar, suit)] == [True] * 4
    assert [bool(mask[y, x]) for x, y in (flag, wall, shuttle, helmet)] == [False] * 4
    signals = prediction.evidence.signals
    assert signals["score"] == pytest.approx(0.724, abs=0.02), "the detector's score"
    assert {"mask_score", "contrast", "box_fill", "stroke_support"} <= set(signals)


def test_a_cup_is_cut_out_without_asking_for_poses(photo: Callable[[str], Image]) -> None:
    pose = FakeBackend(
        "pose", tasks=frozenset({Task.POSE}), script=Answer(error=RuntimeError("not to be asked"))
    )
    (prediction,) = Cutout(NanoDet(), GrabCut(), pose).predict(
        [Query(Task.INSTANCE, photo("coffee"), (Target("cup", "the cup"),))]
    )
    found = segmentation(prediction)
    assert (found.mode, found.labels) == ("instance", ("cup",))
    (mask,) = found.masks
    assert mask[100, 290], "inside of the cup"
    assert not mask[380, 560], "wood"


def test_nothing_found_names_the_part(cutout: Cutout, photo: Callable[[str], Image]) -> None:
    (prediction,) = cutout.predict([Query(Task.INSTANCE, photo("rocket"), (PERSON,))])
    assert segmentation(prediction).masks.shape == (0, 427, 640)
    assert prediction.notes == ("nothing_found:nanodet",)
    assert "score" not in prediction.evidence.signals


def test_people_without_a_pose_are_cut_by_colour_and_noted(photo: Callable[[str], Image]) -> None:
    nobody = Poses(
        *(np.zeros(shape, np.float32) for shape in ((0, 2, 2), (0, 2), (0, 4), (0,))), ("head", "foot")
    )
    pose = FakeBackend("pose", tasks=frozenset({Task.POSE}), script=Answer(nobody))
    finder = detector([21, 15, 366, 443], labels=("person",), scores=(0.7,))
    (prediction,) = Cutout(finder, GrabCut(), pose).predict(
        [Query(Task.INSTANCE, photo("astronaut"), (PERSON,))]
    )
    assert len(segmentation(prediction)) == 1
    assert prediction.notes == ("unresolved:nearest", "nothing_found:pose")
    assert "stroke_support" not in prediction.evidence.signals


def test_any_promptable_segmenter_will_do(photo: Callable[[str], Image]) -> None:
    image = photo("coffee")
    masks = np.zeros((2, image.height, image.width), np.bool_)
    masks[0, :10], masks[1, 10:20] = True, True
    answer = Answer(
        Segmentation(masks, np.float32([0.6, 0.5]), ("object", "object"), "promptable"), {"score": 0.5}
    )
    segmenter = FakeBackend("sam", tasks=frozenset({Task.PROMPTABLE}), script=answer)
    boxes = ([0, 0, 100, 10], [0, 10, 100, 20])
    finder = detector(*boxes, labels=("cup", "spoon"), scores=(0.9, 0.8))
    query = Query(Task.INSTANCE, image, seed=5, text="segment everything")
    (prediction,) = Cutout(finder, segmenter, MoveNet()).predict([query])
    found = segmentation(prediction)
    np.testing.assert_array_equal(found.masks, masks)
    assert found.labels == ("cup", "spoon")
    np.testing.assert_array_equal(found.scores, np.float32([0.9, 0.8]))
    assert dict(prediction.evidence.signals) == {"score": 0.8, "mask_score": 0.5}
    (asked,) = segmenter.calls
    np.testing.assert_array_equal(asked.prompts.boxes, np.float32(boxes))
    assert (asked.task, asked.seed) == (Task.PROMPTABLE, 5)


def test_a_segmenter_that_drops_a_mask_is_found_out(photo: Callable[[str], Image]) -> None:
    segmenter = FakeBackend("sam", tasks=frozenset({Task.PROMPTABLE}))
    finder = detector([0, 0, 9, 9], [20, 20, 29, 29], labels=("cup", "cup"), scores=(0.9, 0.8))
    with pytest.raises(BackendError, match="sam did not answer one mask for each of 2 boxes"):
        Cutout(finder, segmenter).predict([Query(Task.INSTANCE, photo("coffee"))])


def test_a_part_without_its_task_is_refused() -> None:
    with pytest.raises(
        ProfileError, match=r"segmenter of a cutout must do segment\.promptable; movenet does not"
    ):
        Cutout(NanoDet(), MoveNet())


def test_the_spec_is_composed_of_the_parts() -> None:
    parts = NanoDet(), GrabCut(), MoveNet()
    spec = Cutout(*parts).spec
    assert spec.tasks == {Task.INSTANCE, Task.REFERRING}
    assert spec.licence == "Apache-2.0"
    assert spec.labels == parts[0].spec.labels
    assert spec.weights_bytes == 7_584_370 + 9_527_273 + 4_703_279
    digests = {part.spec.name: part.spec.weights_digest for part in parts if part.spec.weights_digest}
    assert spec.weights_digest == combined_digest(digests)
    assert set(spec.requires) == {"onnxruntime", "cv2"}


@pytest.mark.parametrize(
    ("licences", "hardest"),
    [
        (["MIT", "Apache-2.0"], "Apache-2.0"),
        (["AGPL-3.0", "Apache-2.0", "MIT"], "AGPL-3.0"),
        (["AGPL-3.0", "non-commercial"], "non-commercial"),
        (["non-commercial", "LicenseRef-unheard-of"], "LicenseRef-unheard-of"),
    ],
)
def test_the_strictest_licence_binds(licences: list[str], hardest: str) -> None:
    assert strictest(licences) == hardest
    assert strictest(licences[::-1]) == hardest


def test_what_a_part_lacks_the_whole_lacks() -> None:
    finder = FakeBackend("finder")
    finder.spec = replace(finder.spec, requires=("no_such_module",), extra="nano")
    assert "no_such_module not installed" in str(Cutout(finder, GrabCut()).unavailable())
    assert Cutout(NanoDet(), GrabCut()).unavailable() is None


def test_the_embedded_parts_may_work_elsewhere_too(photo: Callable[[str], Image]) -> None:
    detect, cut = Query(Task.DETECT, photo("coffee")), Query(Task.INSTANCE, photo("coffee"))
    nanodet = NanoDet()
    cutout = Cutout(nanodet, GrabCut(), MoveNet())
    alone = nanodet.predict([detect]), cutout.predict([cut])
    nanodet.close()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            both = pool.submit(nanodet.predict, [detect]), pool.submit(cutout.predict, [cut])
            assert tuple(answer.result() for answer in both) == alone
            cutout.close()


def test_parts_are_loaded_and_closed() -> None:
    seen: list[str] = []

    class Part(FakeBackend):
        spec: BackendSpec

        def load(self) -> None:
            seen.append(f"load {self.spec.name}")

        def close(self) -> None:
            seen.append(f"close {self.spec.name}")

    with Cutout(Part("finder"), Part("segmenter")):
        assert seen == ["load finder", "load segmenter"]
    assert seen[2:] == ["close finder", "close segmenter"]
