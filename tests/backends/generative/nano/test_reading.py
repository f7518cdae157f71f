"""Answers of known truth are drawn by the codecs at the working size and read back at the image's."""

import numpy as np
import pytest

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.nano import codes
from visionrouter.backends.generative.nano.asking import plan
from visionrouter.backends.generative.nano.vocabulary import Vocabulary
from visionrouter.backends.generative.reading import Reading, read
from visionrouter.schema.arrays import U8
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import BLACK
from visionrouter.schema.payload import DepthMap, NormalMap, Poses, Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Task

FRAME = Frame.around(640, 427, 256, 32)
H, W = FRAME.inner_height, FRAME.inner_width
Y, X = np.mgrid[:H, :W].astype(np.float32)


def answer(
    task: Task, drawings: list[U8], vocabulary: Vocabulary, asks: tuple[Ask, ...] = (Ask(""),)
) -> Reading:
    reading = read(task, asks, drawings, FRAME, vocabulary.code_set)
    trust = reading.confidence_map
    assert trust.shape == (427, 640)
    assert trust.dtype == np.float32
    assert 0 <= trust.min() <= trust.max() <= 1
    assert np.isfinite([*reading.signals.values()]).all()
    return reading


def test_depth_is_interpolated_in_metres_and_sky_stays_sky(vocabulary: Vocabulary) -> None:
    depth_m = 2 + Y / H * 20
    depth_m[: H // 4] = np.inf
    reading = answer(Task.DEPTH, [codes.DEPTH.encode(depth_m)], vocabulary)
    assert isinstance(reading.payload, DepthMap)
    values = reading.payload.values
    truth = 2 + ((np.arange(427) + 0.5) * H / 427 - 0.5) / H * 20
    ground = slice(110, 425)
    assert np.isinf(values[:104]).all()
    assert np.isfinite(values[108:]).all()
    assert values[ground].mean(1) == pytest.approx(truth[ground], rel=0.02)
    assert reading.signals["code_residual"] == 0
    assert reading.signals["on_code_share"] == 1
    assert reading.notes == ()


def test_depth_is_trusted_less_far_away(vocabulary: Vocabulary) -> None:
    depth_m = np.where(X < W / 2, 5, 150).astype(np.float32)
    trust = answer(Task.DEPTH, [codes.DEPTH.encode(depth_m)], vocabulary).confidence_map
    assert trust[:, :300].min() > 0.9
    assert trust[:, 340:].max() < 0.3


@pytest.mark.parametrize("task", [Task.DEPTH, Task.NORMALS])
def test_a_picture_instead_of_a_drawing_is_noticed(task: Task, vocabulary: Vocabulary) -> None:
    gray = np.repeat((X / W * 255).astype(np.uint8)[..., None], 3, axis=2)
    reading = answer(task, [gray], vocabulary)
    assert reading.notes == ("wrong_code:grayscale",)


def test_an_unreadable_depth_is_not_known(vocabulary: Vocabulary) -> None:
    drawing = codes.DEPTH.encode(np.full((H, W), 4, np.float32))
    drawing[:, W // 2 :] = 128
    reading = answer(Task.DEPTH, [drawing], vocabulary)
    assert isinstance(reading.payload, DepthMap)
    assert np.isnan(reading.payload.values[:, 330:]).all()
    assert np.isfinite(reading.payload.values[:, :310]).all()
    assert reading.signals["off_code_share"] == pytest.approx(0.5, abs=0.01)


def test_normals_are_of_unit_length_at_any_size(vocabulary: Vocabulary) -> None:
    normals = np.stack([X / W - 0.5, 0.2 + 0 * X, 0.7 + 0 * X], -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[: H // 3] = np.nan
    reading = answer(Task.NORMALS, [codes.NORMALS.encode(normals)], vocabulary)
    assert isinstance(reading.payload, NormalMap)
    values = reading.payload.values
    assert np.isnan(values[:138]).all()
    assert np.linalg.norm(values[146:], axis=-1) == pytest.approx(1, abs=1e-4)
    assert values[300, 2, 0] < -0.4 < 0.4 < values[300, 637, 0]
    assert reading.signals["code_residual"] < 0.02


def test_classes_of_several_drawings_are_joined(vocabulary: Vocabulary) -> None:
    asks = plan(Query(Task.SEMANTIC, load_image(np.zeros((427, 640, 3), np.uint8))), vocabulary).asks
    first, second = asks[0].palette[:4], asks[0].palette[4:]
    asks = (Ask("", "", first), Ask("", "", second))
    truth = ((X * 6 // W) + (Y > H / 2)).astype(np.int64)  # 0 to 6
    drawings = [
        PaletteCode((*first, PaletteEntry("", BLACK))).encode(np.where(truth < 4, truth, 4)),
        PaletteCode((*second, PaletteEntry("", BLACK))).encode(np.where(truth >= 4, truth - 4, len(second))),
    ]
    payload = answer(Task.SEMANTIC, drawings, vocabulary, asks).payload
    assert isinstance(payload, Segmentation)
    names = [entry.label for entry in (*first, *second)]
    large = FRAME.enlarge_labels(truth)
    assert [*payload.labels] == names[:7]
    for mask, label in zip(payload.masks, payload.labels, strict=True):
        assert (mask == (large == names.index(label))).mean() > 0.999
    assert (payload.scores > 0.99).all()


def test_black_is_the_background_where_one_is_asked_for(vocabulary: Vocabulary) -> None:
    palette = (PaletteEntry("car", (255, 0, 0)),)
    drawing = np.zeros((H, W, 3), np.uint8)
    drawing[:, : W // 2, 0] = 255
    for black, labels in (("", ("car",)), ("background", ("car", "background"))):
        payload = answer(Task.SEMANTIC, [drawing], vocabulary, (Ask("", black, palette),)).payload
        assert isinstance(payload, Segmentation)
        assert payload.labels == labels


def test_masks_of_one_target_are_joined_and_specks_dropped(vocabulary: Vocabulary) -> None:
    left, right, speck = (np.zeros((H, W, 3), np.uint8) for _ in range(3))
    left[40:80, 20:60] = right[40:80, 100:140] = speck[0, :3] = 255
    asks = (Ask("", "vehicle", target=0), Ask("", "vehicle", target=0), Ask("", "dog", target=1))
    payload = answer(Task.REFERRING, [left, right, speck], vocabulary, asks).payload
    assert isinstance(payload, Segmentation)
    assert payload.labels == ("vehicle",)
    assert payload.boxes[0] == pytest.approx([50, 100, 350, 200], abs=2)


def test_instances_of_several_classes(vocabulary: Vocabulary) -> None:
    masks = np.zeros((3, H, W), np.bool_)
    masks[0, 20:60, 10:50] = masks[1, 20:60, 100:150] = masks[2, 90:140, 30:90] = True
    drawings = [codes.INSTANCES.encode(masks[:2]), codes.INSTANCES.encode(masks[2:])]
    payload = answer(Task.INSTANCE, drawings, vocabulary, (Ask("", "car"), Ask("", "dog"))).payload
    assert isinstance(payload, Segmentation)
    assert payload.labels == ("car", "car", "dog")
    assert payload.boxes == pytest.approx(
        np.float32([[25, 50, 125, 150], [250, 50, 375, 150], [75, 225, 225, 350]]), abs=2
    )


def test_joints_come_back_to_their_place_in_the_image(vocabulary: Vocabulary) -> None:
    person = np.random.default_rng(0).uniform(20, 140, (1, 17, 2)).astype(np.float32) + np.float32([40, 10])
    person = person[np.newaxis][0]
    drawing = codes.POSE.encode(person, H, W, 2.5)
    payload = answer(Task.POSE, [drawing], vocabulary).payload
    assert isinstance(payload, Poses)
    assert len(payload) == 1
    found = payload.keypoint_scores[0] > 0.8
    assert found.sum() >= 10
    assert payload.keypoints[0][found] == pytest.approx(person[0][found] * 2.5, abs=3)


def test_an_empty_drawing_finds_nothing(vocabulary: Vocabulary) -> None:
    black = np.zeros((H, W, 3), np.uint8)
    for task in (Task.REFERRING, Task.INSTANCE, Task.POSE):
        reading = answer(task, [black], vocabulary, (Ask("", "car"),))
        assert len(reading.payload) == 0  # type: ignore[arg-type]
        assert "score" not in reading.signals
