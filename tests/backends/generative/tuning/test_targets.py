"""The drawings made in bulk are those of the numpy codecs, and decode to what they were made from."""

from __future__ import annotations

import numpy as np
import torch

from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.nano.codes import DEPTH, INSTANCES, JOINT_COLOURS, NORMALS, POSE
from visionrouter.backends.generative.tuning.instructions import instance_colour
from visionrouter.backends.generative.tuning.targets import (
    balance,
    depth_drawing,
    mirror_keypoints,
    normals_drawing,
    pose_drawing,
    region_drawing,
)
from visionrouter.schema.palette import BLACK, separation
from visionrouter.schema.task import PaletteEntry

COLOURS = torch.tensor(JOINT_COLOURS, dtype=torch.uint8)


def levels(drawing: torch.Tensor) -> np.ndarray:
    return (drawing * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def test_depth_is_the_codec_s() -> None:
    depth = np.concatenate([np.geomspace(0.01, 3000, 1022), [np.inf, 0.0]]).astype(np.float32).reshape(32, 32)
    difference = np.abs(
        levels(depth_drawing(torch.from_numpy(depth)[None]))[0].astype(int) - DEPTH.encode(depth)
    )
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.99, "float32 rounding alone may move a pixel by one place"


def test_normals_are_the_codec_s() -> None:
    vectors = np.random.default_rng(0).normal(size=(16, 16, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    stored = torch.from_numpy((vectors * 127).round().astype(np.int8)).permute(2, 0, 1)[None]
    drawn = levels(normals_drawing(stored))[0]
    assert np.abs(drawn.astype(int) - NORMALS.encode(vectors)).max() <= 2
    back = NORMALS.decode(drawn).values
    assert np.degrees(np.arccos(np.clip((back * vectors).sum(-1), -1, 1))).max() < 1


def test_regions_are_the_palette_s() -> None:
    palette = (PaletteEntry("a", (255, 0, 0)), PaletteEntry("b", (0, 128, 128)), PaletteEntry("c", BLACK))
    region = np.random.default_rng(1).integers(0, 3, (8, 8)).astype(np.uint8)
    table = torch.tensor([[entry.rgb for entry in palette]], dtype=torch.uint8)
    drawn = levels(region_drawing(torch.from_numpy(region)[None], table))[0]
    assert np.array_equal(drawn, PaletteCode(palette).encode(region))


def test_pose_decodes_to_its_joints() -> None:
    rng = np.random.default_rng(2)
    person = np.stack([rng.permutation(np.linspace(20, 230, 17)), np.linspace(20, 230, 17)], 1)
    keypoints = torch.zeros(1, 2, 17, 3)
    keypoints[0, 1, :, :2] = torch.from_numpy(person)
    keypoints[0, 1, :, 2] = 2
    keypoints[0, 1, 4, 2] = 1
    read = POSE.decode(levels(pose_drawing(keypoints, COLOURS, 256, 256))[0]).values
    assert read.shape == (1, 17, 2)
    assert np.isnan(read[0, 4]).all(), "hidden joints are not drawn"
    shown = np.arange(17) != 4
    assert np.abs(read[0, shown] - person[shown]).max() < 0.6


def test_larger_people_lie_on_top() -> None:
    keypoints = torch.full((1, 2, 17, 3), 2.0)
    keypoints[0, 0, :, :2] = torch.linspace(30, 34, 17)[:, None]
    keypoints[0, 1, :, :2] = torch.linspace(32, 90, 17)[:, None]
    drawn = levels(pose_drawing(keypoints, COLOURS, 128, 128))[0]
    assert tuple(drawn[32, 32]) == JOINT_COLOURS[0], "the nose of the larger person"


def test_joint_colours_keep_apart() -> None:
    assert separation((BLACK, *JOINT_COLOURS)) >= 0.49


def test_mirroring_twice_changes_nothing() -> None:
    keypoints = torch.rand(3, 17, 3)
    assert torch.allclose(mirror_keypoints(mirror_keypoints(keypoints, 64), 64), keypoints, atol=1e-5)


def test_neighbouring_instances_are_told_apart() -> None:
    region = np.zeros((64, 64), np.uint8)
    region[20:40, 4:24], region[20:40, 24:44], region[20:40, 50:62] = 1, 2, 3
    centres = {n: np.argwhere(region == n).mean(0) + 0.5 for n in (1, 2, 3)}
    table = torch.zeros(1, 4, 3, dtype=torch.uint8)
    for n, (y, x) in centres.items():
        table[0, n] = torch.tensor(instance_colour(x / 64, y / 64))
    drawn = levels(region_drawing(torch.from_numpy(region)[None], table))[0]
    masks = INSTANCES.decode(drawn).values
    assert [np.array_equal(mask, region == n) for n, mask in enumerate(masks, 1)] == [True] * 3


def test_instance_colours_stay_away_from_black() -> None:
    grid = np.linspace(0, 1, 33)
    assert min(max(instance_colour(x, y)) for x in grid for y in grid) >= 0.4 * 255


def test_balance_lends_weight_to_what_is_drawn() -> None:
    drawing = torch.zeros(2, 3, 10, 10)
    drawing[0, :, :2, :5] = 1
    weights = balance(drawing, 30)
    assert torch.equal(weights[1], torch.ones(1, 10, 10)), "an empty answer keeps plain weights"
    assert weights[0, 0, 0, 0].item() == 3.5
    assert weights[0, 0, 9, 9].item() == 1
