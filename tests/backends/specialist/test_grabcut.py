"""Masks from boxes, points and skeletons on pictures whose masks are known."""

from collections.abc import Callable

import numpy as np
import pytest

from visionrouter.backends.specialist.grabcut import GrabCut
from visionrouter.backends.specialist.skeleton import Skeleton
from visionrouter.schema.errors import BackendError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Target, Task

GRASS, BRICK, MOSS = (70, 130, 60), (190, 70, 60), (82, 122, 66)


def scene(*discs: tuple[int, int, int, tuple[int, int, int]], size: tuple[int, int] = (320, 240)) -> Image:
    """Discs (x, y, radius, colour) on grass, with noise of 6 levels."""
    pixels = np.broadcast_to(np.float64(GRASS), (size[1], size[0], 3)).copy()
    for x, y, radius, colour in discs:
        pixels[disc(x, y, radius, size)] = colour
    noise = np.random.default_rng(0).normal(0, 6, pixels.shape)
    return load_image((pixels + noise).clip(0, 255).astype(np.uint8))


def disc(x: int, y: int, radius: int, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    ys, xs = np.mgrid[: size[1], : size[0]] + 0.5
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def around(x: int, y: int, radius: int) -> list[int]:
    return [x - radius - 4, y - radius - 4, x + radius + 4, y + radius + 4]


def ask(image: Image, boxes: object = (), on: object = (), off: object = (), seed: int = 0) -> Prediction:
    on, off = (np.float32(points).reshape(-1, 2) for points in (on, off))
    labels = np.uint8([1] * len(on) + [0] * len(off))
    prompts = Prompts(np.float32(boxes).reshape(-1, 4), np.concatenate([on, off]), labels)
    (prediction,) = GrabCut().predict([Query(Task.PROMPTABLE, image, prompts=prompts, seed=seed)])
    return prediction


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def masks(prediction: Prediction) -> np.ndarray:
    assert isinstance(prediction.payload, Segmentation)
    return prediction.payload.masks


def test_each_box_gives_the_mask_of_its_thing() -> None:
    image = scene((90, 120, 50, BRICK), (230, 100, 40, (60, 80, 200)))
    found = masks(ask(image, [around(90, 120, 50), around(230, 100, 40)]))
    assert iou(found[0], disc(90, 120, 50)) > 0.97
    assert iou(found[1], disc(230, 100, 40)) > 0.97


def test_a_mask_keeps_its_place_on_a_picture_larger_than_the_canvas() -> None:
    size = (1600, 1200)
    image = scene((700, 600, 400, BRICK), size=size)
    found = masks(ask(image, [around(700, 600, 400)]))
    assert iou(found[0], disc(700, 600, 400, size)) > 0.97


def test_a_point_marks_the_thing_it_lies_on() -> None:
    image = scene((90, 120, 50, BRICK), (230, 100, 40, (60, 80, 200)))
    found = masks(ask(image, on=[(90, 120)]))
    assert found.shape == (1, 240, 320)
    assert iou(found[0], disc(90, 120, 50)) > 0.9


def test_a_point_off_the_thing_takes_its_place_away() -> None:
    image = scene((110, 120, 40, BRICK), (210, 120, 40, BRICK))
    box = [60, 70, 260, 170]
    both = masks(ask(image, [box]))[0]
    one = masks(ask(image, [box], on=[(110, 120)], off=[(195, 110), (210, 120), (225, 130)]))[0]
    second = disc(210, 120, 40)
    assert both[second].mean() > 0.9
    assert one[second].mean() < both[second].mean()
    assert one[120, 110]
    assert not one[120, 210]


def test_the_score_falls_with_camouflage() -> None:
    clear = ask(scene((160, 120, 60, BRICK)), [around(160, 120, 60)])
    hidden = ask(scene((160, 120, 60, MOSS)), [around(160, 120, 60)])
    assert clear.evidence.signals["score"] > 0.95 > hidden.evidence.signals["score"]
    assert clear.evidence.signals["contrast"] > 2 * hidden.evidence.signals["contrast"]


def test_box_fill_is_the_masks_share_of_its_box() -> None:
    signals = ask(scene((160, 120, 60, BRICK)), [around(160, 120, 60)]).evidence.signals
    assert signals["box_fill"] == pytest.approx(np.pi * 60**2 / 128**2, abs=0.03)


def test_the_confidence_map_doubts_what_looks_like_the_other_side() -> None:
    image = scene((160, 120, 60, BRICK), (160, 120, 15, GRASS))
    trust = ask(image, [around(160, 120, 60)], on=[(160, 120)]).evidence.confidence_map
    assert trust is not None
    assert trust.shape == (240, 320)
    assert trust[120, 160] < 0.5 < trust[120, 120]


def test_the_same_seed_gives_the_same_mask(photo: Callable[[str], Image]) -> None:
    first, again = (ask(photo("coffee"), [[167, 14, 413, 283]], seed=7) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 300)])
def test_a_box_too_small_to_cut_is_given_whole_and_scored_nothing(size: tuple[int, int]) -> None:
    image = load_image(np.zeros((size[1], size[0], 3), np.uint8))
    prediction = ask(image, [[0, 0, *size]])
    assert masks(prediction).all()
    assert prediction.notes == ("box_kept:0",)
    assert prediction.evidence.signals["score"] == 0


def test_points_in_no_box_are_owned_up_to() -> None:
    prediction = ask(scene((90, 120, 50, BRICK)), [around(90, 120, 50)], on=[(300, 20)])
    assert prediction.notes == ("points_outside:1",)


def test_the_label_is_the_word_used() -> None:
    image, box = scene((90, 120, 50, BRICK)), np.float32([around(90, 120, 50)])
    query = Query(Task.PROMPTABLE, image, (Target("ball", "the ball"),), prompts=Prompts(box))
    (prediction,) = GrabCut().predict([query])
    assert prediction.payload.labels == ("ball",)
    assert ask(image, box).payload.labels == ("object",)


def test_without_anything_positive_it_refuses() -> None:
    with pytest.raises(BackendError, match="give one on it, or a box"):
        ask(scene(), off=[(10, 10)])
    with pytest.raises(BackendError, match="needs a box or a point"):
        ask(scene())


def figure(
    x: float, shirt: tuple[int, int, int]
) -> tuple[Skeleton, list[tuple[np.ndarray, tuple[int, int, int]]]]:
    """A standing person at `x`: skeleton, and painted parts, trousers of the same grey for all."""
    at = {
        "nose": (x, 40), "left_ear": (x + 6, 38), "right_ear": (x - 6, 38),
        "left_shoulder": (x + 18, 66), "right_shoulder": (x - 18, 66),
        "left_hip": (x + 12, 126), "right_hip": (x - 12, 126),
        "left_knee": (x + 12, 170), "right_knee": (x - 12, 170),
        "left_ankle": (x + 12, 212), "right_ankle": (x - 12, 212),
    }  # fmt: skip
    bones = (
        ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
        ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
        ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("right_hip", "right_knee"), ("right_knee", "right_ankle"),
    )  # fmt: skip
    ys, xs = np.mgrid[:240, :320] + 0.5
    trunk = (abs(xs - x) < 24) & (ys > 58) & (ys < 130)
    legs = ((abs(xs - x - 12) < 9) | (abs(xs - x + 12) < 9)) & (ys >= 130) & (ys < 222)
    parts = [(disc(int(x), 38, 15), (205, 160, 130)), (trunk, shirt), (legs, (70, 70, 80))]
    return Skeleton({name: np.float32(xy) for name, xy in at.items()}, bones), parts


@pytest.fixture
def crowd() -> tuple[Image, list[Skeleton], list[np.ndarray]]:
    """Two people side by side, shirts unlike, before a wall as grey as their trousers and as pale as their faces."""
    pixels = np.broadcast_to(np.float64((95, 100, 110)), (240, 320, 3)).copy()
    pixels[:60] = (190, 175, 165)
    bodies, truth = [], []
    for x, shirt in ((130, (180, 40, 50)), (190, (40, 60, 170))):
        body, parts = figure(x, shirt)
        bodies.append(body)
        truth.append(np.any([mask for mask, _ in parts], axis=0))
        for mask, colour in parts:
            pixels[mask] = colour
    noise = np.random.default_rng(1).normal(0, 7, pixels.shape)
    return load_image((pixels + noise).clip(0, 255).astype(np.uint8)), bodies, truth


def test_a_skeleton_saves_heads_and_legs_and_keeps_the_neighbour_out(
    crowd: tuple[Image, list[Skeleton], list[np.ndarray]],
) -> None:
    image, bodies, truth = crowd
    boxes = np.float32([[100, 20, 180, 225], [140, 20, 220, 225]])
    query = Query(Task.PROMPTABLE, image, prompts=Prompts(boxes))
    (plain,) = GrabCut().predict([query])
    seeded = GrabCut().predict_bodies(query, bodies)
    before = [iou(found, true) for found, true in zip(masks(plain), truth, strict=True)]
    after = [iou(found, true) for found, true in zip(masks(seeded), truth, strict=True)]
    assert min(after) > 0.85
    assert min(after) > min(before) + 0.1
    assert 0 < seeded.evidence.signals["stroke_support"] <= 1


def test_a_bystander_is_cut_away(crowd: tuple[Image, list[Skeleton], list[np.ndarray]]) -> None:
    image, bodies, truth = crowd
    query = Query(Task.PROMPTABLE, image, prompts=Prompts(np.float32([[100, 20, 222, 225]])))
    alone = masks(GrabCut().predict_bodies(query, [bodies[0]], [bodies[1]]))[0]
    assert alone[truth[1]].mean() < 0.3
    assert alone[truth[0]].mean() > 0.85


def test_bodies_must_match_the_boxes(crowd: tuple[Image, list[Skeleton], list[np.ndarray]]) -> None:
    image, bodies, _ = crowd
    query = Query(Task.PROMPTABLE, image, prompts=Prompts(np.float32([[100, 20, 180, 225]])))
    with pytest.raises(ValueError, match="2 bodies for 1 boxes"):
        GrabCut().predict_bodies(query, bodies)


@pytest.mark.parametrize("box", [[0, 0, 320, 240], [80, 60, 240, 180]])
def test_where_all_is_one_colour_nothing_is_claimed(box: list[int]) -> None:
    prediction = ask(load_image(np.full((240, 320, 3), 128, np.uint8)), [box])
    assert prediction.evidence.signals["score"] == 0
    assert prediction.notes in (("box_kept:0",), ("empty:0",))
    x, y = box[0] + 80, box[1] + 60
    assert prediction.evidence.confidence_map is not None
    assert prediction.evidence.confidence_map[y, x] == 0
