"""Losses are 0 for the truth itself, 1 for nothing at all, and in between say what their metric says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.confidence.losses import LOSSES, PIXEL_ERRORS
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)
from visionrouter.schema.task import Task

H, W = 12, 16
F = np.float32
RNG = np.random.default_rng(0)


def metres(values):
    return DepthMap(np.asarray(values, F), "m")


def masks(mode, *rows, labels=None):
    stack = np.zeros((len(rows), H, W), bool)
    for i, (a, b) in enumerate(rows):
        stack[i, :, a:b] = True
    names = labels or tuple("ab"[i % 2] for i in range(len(rows)))
    return Segmentation(stack, np.ones(len(rows), F), names, mode)


def boxes(*rows, labels=None):
    return Detections(np.array(rows, F).reshape(-1, 4), np.ones(len(rows), F), labels or ("dog",) * len(rows))


def poses(*points):
    keypoints = np.array(points, F).reshape(-1, 2, 2)
    box = np.tile(np.array([[0, 0, 10, 10]], F), (len(keypoints), 1))
    n = len(keypoints)
    return Poses(keypoints, np.ones((n, 2), F), box, np.ones(n, F), ("head", "foot"))


def up():
    normals = np.zeros((H, W, 3), F)
    normals[..., 1] = 1
    return NormalMap(normals)


ALBEDO = Intrinsics(RNG.uniform(0.1, 0.5, (H, W, 3)).astype(F))
DEPTH = metres(RNG.uniform(1, 30, (H, W)))
TRUTHS = {
    Task.DEPTH: DEPTH,
    Task.NORMALS: up(),
    Task.INTRINSICS: ALBEDO,
    Task.SEMANTIC: masks("semantic", (0, 8), (8, 16)),
    Task.INSTANCE: masks("instance", (0, 5), (7, 12), labels=("a", "a")),
    Task.REFERRING: masks("referring", (2, 7)),
    Task.PROMPTABLE: masks("promptable", (2, 7)),
    Task.DETECT: boxes((0, 0, 5, 5), (6, 6, 12, 12)),
    Task.POSE: poses(((1, 1), (9, 9))),
    Task.CLASSIFY: Classification(("cat", "dog"), np.array([0.9, 0.1], F)),
}
NOTHING = {
    Task.DEPTH: metres(np.full((H, W), np.nan)),
    Task.INTRINSICS: Intrinsics(np.full((H, W, 3), np.nan, F)),
    Task.SEMANTIC: masks("semantic"),
    Task.INSTANCE: masks("instance"),
    Task.REFERRING: masks("referring"),
    Task.PROMPTABLE: masks("promptable"),
    Task.DETECT: boxes(),
    Task.POSE: poses(),
    Task.CLASSIFY: Classification((), np.zeros(0, F)),
}


@pytest.mark.parametrize("task", TRUTHS)
def test_the_truth_loses_nothing(task):
    loss = LOSSES[task]
    assert loss.measure(TRUTHS[task], TRUTHS[task]) == 0
    assert not loss.is_bad(0)


@pytest.mark.parametrize("task", NOTHING)
def test_nothing_loses_all(task):
    assert LOSSES[task].measure(NOTHING[task], TRUTHS[task]) == 1


@pytest.mark.parametrize("task", [Task.SEMANTIC, Task.INSTANCE, Task.REFERRING, Task.DETECT, Task.POSE])
def test_nothing_where_there_is_nothing_is_right_and_something_is_wrong(task):
    measure = LOSSES[task].measure
    assert measure(NOTHING[task], NOTHING[task]) == 0
    assert measure(TRUTHS[task], NOTHING[task]) == 1


@given(st.floats(0.2, 3))
def test_absrel_of_a_scale(scale):
    loss = LOSSES[Task.DEPTH].measure(metres(DEPTH.values * F(scale)), DEPTH)
    assert loss == pytest.approx(min(abs(scale - 1), 1), abs=1e-5)


def test_sky_and_the_far_are_not_judged_but_surface_called_sky_is():
    truth = DEPTH.values.copy()
    truth[0], truth[1] = np.inf, 500
    guess = truth.copy()
    guess[0], guess[1] = 3, 20
    assert LOSSES[Task.DEPTH].measure(metres(guess), metres(truth)) == 0
    guess[2] = np.inf
    assert LOSSES[Task.DEPTH].measure(metres(guess), metres(truth)) == pytest.approx(0.1)


@pytest.mark.parametrize("unit", ["relative", "disparity"])
def test_depth_without_a_unit_is_fitted_first(unit):
    values = DEPTH.values * 0.01 + 3 if unit == "relative" else 0.02 / DEPTH.values + 1
    assert LOSSES[Task.DEPTH].measure(DepthMap(values.astype(F), unit), DEPTH) < 0.01


def test_angles_in_half_turns_and_unknown_is_a_quarter():
    turned = up().values[..., [1, 0, 2]]
    assert LOSSES[Task.NORMALS].measure(NormalMap(turned), up()) == pytest.approx(0.5)
    unknown = up().values.copy()
    unknown[:6] = np.nan
    assert LOSSES[Task.NORMALS].measure(NormalMap(unknown), up()) == pytest.approx(0.25)
    assert LOSSES[Task.NORMALS].bad_above * 180 == pytest.approx(12)


@given(st.floats(0.2, 2))
def test_the_scale_of_an_albedo_is_no_error(scale):
    assert LOSSES[Task.INTRINSICS].measure(Intrinsics(ALBEDO.albedo * F(scale)), ALBEDO) < 1e-6


def test_a_cast_an_unknown_half_and_light_left_in_an_albedo_are():
    measure, mean = LOSSES[Task.INTRINSICS].measure, np.full((H, W, 3), 0.4, F)
    red = mean * F([1, 0, 0])
    assert measure(Intrinsics(red), Intrinsics(mean)) == pytest.approx(np.sqrt(2 / 3))
    half = mean.copy()
    half[: H // 2] = np.nan
    assert measure(Intrinsics(half), Intrinsics(mean)) == pytest.approx(np.sqrt(1 / 2))
    assert measure(Intrinsics(mean), Intrinsics(half)) == 0, "where nobody knows the truth, nothing is judged"
    lit = mean * np.linspace(0.2, 1, W, dtype=F)[:, None]
    assert LOSSES[Task.INTRINSICS].is_bad(measure(Intrinsics(lit), Intrinsics(mean)))


def test_the_loss_of_one_grey_is_what_the_docstring_says():
    albedo = np.random.default_rng(1).uniform(0.5 - 0.25 * 3**0.5, 0.5 + 0.25 * 3**0.5, (60, 80, 3)).astype(F)
    grey = Intrinsics(np.full((60, 80, 3), 0.5, F))
    assert LOSSES[Task.INTRINSICS].measure(grey, Intrinsics(albedo)) == pytest.approx(0.45, abs=0.01)


def test_half_a_mask_and_the_other_label():
    assert LOSSES[Task.REFERRING].measure(masks("referring", (2, 12)), TRUTHS[Task.REFERRING]) == 0.5
    swapped = masks("semantic", (0, 8), (8, 16), labels=("b", "a"))
    assert LOSSES[Task.SEMANTIC].measure(swapped, TRUTHS[Task.SEMANTIC]) == 1


def test_a_box_too_many_a_box_of_another_label():
    truth = TRUTHS[Task.DETECT]
    more = boxes((0, 0, 5, 5), (6, 6, 12, 12), (0, 8, 3, 12))
    assert LOSSES[Task.DETECT].measure(more, truth) == pytest.approx(1 - 4 / 5)
    assert LOSSES[Task.DETECT].measure(boxes(*truth.boxes.tolist(), labels=("cat",) * 2), truth) == 1


def test_people_are_paired_and_strangers_count():
    truth = poses(((1, 1), (9, 9)), ((5, 1), (5, 9)))
    turned = poses(((5, 1), (5, 9)), ((1, 1), (9, 9)))
    assert LOSSES[Task.POSE].measure(turned, truth) == 0
    assert LOSSES[Task.POSE].measure(poses(((1, 1), (9, 4))), TRUTHS[Task.POSE]) == 0.5
    assert LOSSES[Task.POSE].measure(turned, TRUTHS[Task.POSE]) == 0.5


@pytest.mark.parametrize("task", PIXEL_ERRORS)
def test_pixel_errors_lie_where_the_answer_is_wrong(task):
    truth = TRUTHS[task]
    error, known = PIXEL_ERRORS[task].measure(truth, truth)
    assert known.all()
    assert not error.any()
    wrong = {
        Task.DEPTH: metres(np.where(np.arange(W) < 4, 2 * DEPTH.values, DEPTH.values)),
        Task.NORMALS: NormalMap(np.where((np.arange(W) < 4)[None, :, None], up().values[..., ::-1][..., [1, 0, 2]], up().values)),
        Task.SEMANTIC: masks("semantic", (4, 8), (8, 16)),
    }[task]  # fmt: skip
    error, _ = PIXEL_ERRORS[task].measure(wrong, truth)
    assert ((error > PIXEL_ERRORS[task].bad_above) == (np.arange(W) < 4)).all()
