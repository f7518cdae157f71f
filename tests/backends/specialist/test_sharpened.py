"""A soft mask is given a sharp edge, or stays what it was; with real segmenters and scripted ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.backends.profile import load_profile
from visionrouter.backends.specialist.grabcut import GrabCut
from visionrouter.backends.specialist.sharpened import Sharpened
from visionrouter.schema.errors import BackendError, ProfileError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Classification, Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

BALL = Target("ball", "the ball", number="one")
REFERRING = frozenset({Task.REFERRING})
PROMPTABLE = frozenset({Task.PROMPTABLE})


def disc(x: float, y: float, radius: float, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    ys, xs = np.mgrid[: size[0], : size[1]] + 0.5
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


@pytest.fixture
def picture() -> Image:
    """A red ball before a grey-green wall, both with some grain."""
    pixels = np.random.default_rng(0).normal((90, 120, 90), 6, (120, 160, 3))
    ball = disc(80, 60, 32)
    pixels[ball] = np.random.default_rng(1).normal((200, 40, 30), 6, (int(ball.sum()), 3))
    return load_image(pixels.clip(0, 255).astype(np.uint8))


def masks(*found: np.ndarray, mode: str = "referring", label: str = "ball") -> Segmentation:
    stack = np.array(found, bool).reshape(-1, 120, 160)
    return Segmentation(stack, np.full(len(stack), 0.7, np.float32), (label,) * len(stack), mode)  # type: ignore[arg-type]


def referrer(*found: np.ndarray, kind: str = "generative") -> FakeBackend:
    answer = Answer(masks(*found), {"score": 0.7, "ink_residual": 0.1}, notes=("unresolved:red",))
    return FakeBackend("painter", kind=kind, tasks=REFERRING, script=answer)  # type: ignore[arg-type]


def segmenter(*found: np.ndarray) -> FakeBackend:
    answer = Answer(masks(*found, mode="promptable", label="object"), {"score": 0.4})
    return FakeBackend("cutter", tasks=PROMPTABLE, script=answer)


def only(chain: Sharpened, image: Image) -> tuple[Prediction, Segmentation]:
    (prediction,) = chain.predict([Query(Task.REFERRING, image, (BALL,), seed=3)])
    assert isinstance(prediction.payload, Segmentation)
    return prediction, prediction.payload


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_blocky_mask_gets_the_balls_own_edge(picture: Image) -> None:
    soft, true = np.kron(disc(10, 7.5, 4, (15, 20)), np.ones((8, 8))) > 0, disc(80, 60, 32)
    prediction, found = only(Sharpened(referrer(soft), GrabCut()), picture)
    assert iou(soft, true) < 0.9
    assert iou(found.masks[0], true) > 0.98
    assert (found.labels, found.mode, found.scores.tolist()) == (("ball",), "referring", pytest.approx([0.7]))
    assert prediction.evidence.signals["edge_iou"] == pytest.approx(iou(soft, found.masks[0]))
    assert prediction.notes == ("unresolved:red",)


def test_the_segmenter_is_asked_with_the_box_and_a_point_deep_inside(picture: Image) -> None:
    cutter = segmenter(disc(80, 60, 30))
    only(Sharpened(referrer(disc(80, 60, 32)), cutter), picture)
    (asked,) = cutter.calls
    assert (asked.task, asked.seed) == (Task.PROMPTABLE, 3)
    assert asked.prompts.boxes == pytest.approx(np.array([[46, 26, 114, 94]]), abs=1)
    assert asked.prompts.points == pytest.approx(np.array([[80, 60]]), abs=2)
    assert asked.prompts.point_labels.tolist() == [1]


def test_a_point_in_two_boxes_is_given_to_neither(picture: Image) -> None:
    cutter = segmenter(disc(80, 60, 40), disc(80, 60, 10), disc(20, 20, 9))
    only(Sharpened(referrer(disc(80, 60, 40), disc(80, 60, 10), disc(20, 20, 9)), cutter), picture)
    assert cutter.calls[0].prompts.points == pytest.approx(np.array([[20, 20]]), abs=2)


def test_an_answer_about_something_else_is_not_taken(picture: Image) -> None:
    drawn, elsewhere = disc(80, 60, 32), disc(100, 90, 20)
    prediction, found = only(Sharpened(referrer(drawn), segmenter(elsewhere)), picture)
    np.testing.assert_array_equal(found.masks[0], drawn)
    assert prediction.notes == ("unresolved:red", "edge_kept:0")
    assert prediction.evidence.signals["edge_iou"] == pytest.approx(iou(drawn, elsewhere))
    assert prediction.evidence.signals["score"] == pytest.approx(0.7), "the referrer's"
    assert prediction.evidence.signals["mask_score"] == pytest.approx(0.4)


def test_empty_masks_are_not_asked_about_and_keep_their_place(picture: Image) -> None:
    nothing, ball = np.zeros((120, 160), bool), disc(80, 60, 32)
    cutter = segmenter(disc(80, 60, 30))
    _, found = only(Sharpened(referrer(nothing, ball), cutter), picture)
    assert len(cutter.calls[0].prompts.boxes) == 1
    assert not found.masks[0].any()
    np.testing.assert_array_equal(found.masks[1], disc(80, 60, 30))


@pytest.mark.parametrize("drawn", [(), (np.zeros((120, 160), bool),)])
def test_where_nothing_is_meant_nothing_is_cut(picture: Image, drawn: tuple[np.ndarray, ...]) -> None:
    cutter = segmenter()
    prediction, found = only(Sharpened(referrer(*drawn), cutter), picture)
    assert not found.masks.any()
    assert prediction.notes == ("unresolved:red", "nothing_found:painter")
    assert not cutter.calls


def test_the_whole_is_what_its_parts_are() -> None:
    painter = referrer()
    painter.spec = replace(painter.spec, licence="non-commercial", labels=("ball",), cost=2.0)
    spec = Sharpened(painter, GrabCut()).spec
    assert (spec.kind, spec.tasks) == ("generative", REFERRING)
    assert (spec.licence, spec.labels, spec.cost) == ("non-commercial", ("ball",), 5.0)


def test_parts_that_do_not_fit_are_refused(picture: Image) -> None:
    with pytest.raises(ProfileError, match="referrer"):
        Sharpened(GrabCut(), GrabCut())
    with pytest.raises(ProfileError, match="segmenter"):
        Sharpened(referrer(), referrer())
    with pytest.raises(ProfileError, match="least_iou"):
        Sharpened(referrer(), GrabCut(), least_iou=2)
    stray = FakeBackend(
        "stray", tasks=REFERRING, script=Answer(Classification(("a",), np.ones(1, np.float32)))
    )
    with pytest.raises(BackendError, match="stray answered classification"):
        only(Sharpened(stray, GrabCut()), picture)
    with pytest.raises(BackendError, match="one mask for each of 1 boxes"):
        only(Sharpened(referrer(disc(80, 60, 32)), segmenter()), picture)


def test_it_is_declared_in_yaml(tmp_path: Path, photo: Callable[[str], Image]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "schema_version: 1\nname: mine\nbackends:\n"
        "  nano: {use: nano}\n  grabcut: {use: grabcut}\n"
        "  edged: {use: sharpened, parts: {referrer: nano, segmenter: grabcut}, params: {least_iou: 0.5}}\n"
    )
    spec = load_profile(path).backends["edged"].spec
    assert (spec.name, spec.kind) == ("edged", "generative")
    assert spec.tasks == {Task.REFERRING, Task.INSTANCE}
