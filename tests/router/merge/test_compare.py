"""Planted faults show in a signal: that is what a cross-check is for."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from visionrouter.merge.compare import compare
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    NormalMap,
    Poses,
    Segmentation,
)

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOT_ALIKE = {"sky_disagreement", "known_disagreement", "unmatched_share", "js_divergence", "log_scale", "aligned_median",
             "aligned_mean", "aligned_share_25", "abs_rel", "angle_mean_deg", "angle_median_deg", "angle_share_30", "si_rmse",
             "roughness_mean", "metallicity_mean", "shading_si_rmse", "residual_si_rmse"}  # fmt: skip
ALIKE = {
    "f1",
    "iou",
    "oks",
    "miou",
    "pixel_agreement",
    "foreground_iou",
    "top1_same",
    "iou_matched",
    "oks_matched",
}


def signals(a, b):
    return compare(a, b).signals


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_an_answer_agrees_with_itself(make, seed):
    answer = make(np.random.default_rng(seed))
    agreement = compare(answer, answer)
    for name, value in agreement.signals.items():
        if name in NOT_ALIKE:
            assert value == pytest.approx(0, abs=0.05), name
        elif name in ALIKE:
            assert value == pytest.approx(1, abs=1e-5), name
        else:
            assert name in {"common_share", "aligned"}
    if agreement.map is not None:
        assert np.nanmax(agreement.map, initial=0) == pytest.approx(0, abs=1e-3)


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_signals_are_finite_and_the_map_is_in_range(make, seed):
    rng = np.random.default_rng(seed)
    agreement = compare(make(rng), make(rng))
    assert all(np.isfinite(value) for value in agreement.signals.values())
    if agreement.map is not None:
        known = agreement.map[~np.isnan(agreement.map)]
        assert ((known >= 0) & (known <= 1)).all()


# ---- depth


def metres(values):
    return DepthMap(np.asarray(values, np.float32), "m")


def test_a_scale_error_shows_in_the_scale_alone(scene):
    said = signals(metres(1.5 * scene), metres(scene))
    assert said["log_scale"] == pytest.approx(-np.log(1.5), abs=1e-4)
    assert said["abs_rel"] == pytest.approx(0.5, abs=1e-4)
    assert said["aligned_mean"] == pytest.approx(0, abs=1e-4)


def test_another_scene_shows_after_alignment(scene):
    said = signals(metres(scene.T[:, :60].repeat(2, 0)[:60].repeat(2, 1)[:, :80]), metres(scene))
    assert said["aligned_mean"] > 0.2
    assert said["aligned_share_25"] > 0.2


def test_a_smooth_bias_shows_after_alignment(scene):
    bias = 1 + 0.5 * np.linspace(-1, 1, scene.shape[1], dtype=np.float32)
    agreement = compare(metres(scene * bias), metres(scene))
    assert agreement.signals["aligned_mean"] == pytest.approx(0.25, abs=0.02)
    assert agreement.map[:, :8].mean() > 0.35
    assert agreement.map[:, 36:44].mean() < 0.05


def test_scale_and_shift_of_a_relative_map_are_no_fault(scene):
    for unit, relative in (("relative", 0.1 * scene - 3), ("disparity", 5 / scene + 2)):
        said = signals(DepthMap(relative.astype(np.float32), unit), metres(scene))
        assert said["aligned_mean"] == pytest.approx(0, abs=1e-3)
        assert "log_scale" not in said


def test_a_map_turned_inside_out_does_not_align(scene):
    assert signals(DepthMap(-scene, "relative"), metres(scene))["aligned"] == 0


def test_relative_depth_and_disparity_are_compared_by_rank(scene):
    disparity = DepthMap((1 / scene).astype(np.float32), "disparity")
    said = signals(DepthMap(scene, "relative"), disparity)
    assert said["rank_disagreement"] == pytest.approx(0, abs=1e-3)
    assert signals(DepthMap(-scene, "relative"), disparity)["rank_disagreement"] == pytest.approx(1, abs=1e-3)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (2, 20, 30)).astype(np.float32)
    ours = signals(DepthMap(x, "relative"), DepthMap(y, "disparity"))["rank_disagreement"]
    assert ours == pytest.approx((1 + spearmanr(x.ravel(), y.ravel()).statistic) / 2)


def test_sky_where_the_other_sees_a_wall(scene):
    sky = scene.copy()
    sky[:15] = np.inf
    agreement = compare(metres(sky), metres(scene))
    assert agreement.signals["sky_disagreement"] == pytest.approx(0.25)
    assert (agreement.map[:15] == 1).all()


def test_depths_that_share_no_pixel_say_so(scene):
    left, right = scene.copy(), scene.copy()
    left[:, :40], right[:, 40:] = np.nan, np.nan
    agreement = compare(metres(left), metres(right))
    assert agreement.signals == {"common_share": 0, "sky_disagreement": 0, "aligned": 0}


# ---- the others


def test_turned_normals_show_by_their_angle():
    up, side = np.zeros((6, 8, 3), np.float32), np.zeros((6, 8, 3), np.float32)
    up[..., 2], side[..., 0] = 1, 1
    agreement = compare(NormalMap(up), NormalMap(side))
    assert agreement.signals["angle_mean_deg"] == pytest.approx(90)
    assert agreement.map == pytest.approx(0.5)


def mask(x, y, size=10):
    made = np.zeros((40, 60), bool)
    made[y : y + size, x : x + size] = True
    return made


def things(*masks, mode="instance", label="dog"):
    stack = np.array(masks, bool).reshape(-1, 40, 60)
    return Segmentation(stack, np.ones(len(stack), np.float32), (label,) * len(stack), mode)


def test_a_shifted_mask_shows():
    said = signals(things(mask(10, 10)), things(mask(12, 10)))
    assert said["iou"] == pytest.approx(80 / 120)
    assert said["unmatched_share"] == 0
    assert signals(things(mask(10, 10)), things(mask(18, 10)))["unmatched_share"] == 1


def test_an_invented_object_shows():
    said = signals(things(mask(10, 10), mask(40, 5)), things(mask(10, 10)))
    assert said == pytest.approx(
        {"f1": 2 / 3, "iou": 0.5, "unmatched_share": 0.5, "iou_matched": 1, "foreground_iou": 0.5}
    )


def test_nothing_on_both_sides_agrees_and_on_one_does_not():
    for empty, one in (
        (things(), things(mask(3, 3))),
        (things(np.zeros((40, 60)), mode="referring"), things(mask(3, 3), mode="referring")),
        (Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ()),
         Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), ("dog",))),
    ):  # fmt: skip
        both, alone = signals(empty, empty), signals(empty, one)
        assert (both["f1"], both["iou"], both["unmatched_share"]) == (1, 1, 0)
        assert (alone["f1"], alone["iou"], alone["unmatched_share"]) == (0, 0, 1)


def test_a_referring_mask_is_compared_whatever_it_is_called():
    a, b = (things(mask(5, 5), mode="referring", label=word) for word in ("woman", "person"))
    assert signals(a, b)["f1"] == 1
    a, b = (things(mask(5, 5), label=word) for word in ("cat", "dog"))
    assert signals(a, b)["f1"] == 0


def test_classes_are_compared_by_name_and_unlabelled_is_a_class():
    halves = np.zeros((2, 4, 8), bool)
    halves[0, :, :4], halves[1, :, 4:] = True, True
    both = Segmentation(halves, np.ones(2, np.float32), ("sky", "road"), "semantic")
    turned = Segmentation(halves[::-1].copy(), np.ones(2, np.float32), ("road", "sky"), "semantic")
    assert signals(both, turned) == {"miou": 1, "pixel_agreement": 1}
    only = Segmentation(halves[:1], np.ones(1, np.float32), ("sky",), "semantic")
    agreement = compare(both, only)
    assert agreement.signals == {"miou": 0.5, "pixel_agreement": 0.5}
    assert agreement.map[:, 4:].min() == 1


def test_a_box_of_another_label_is_another_thing():
    box = np.array([[0, 0, 10, 10]], np.float32)
    dog, cat = (Detections(box, np.ones(1, np.float32), (word,)) for word in ("dog", "cat"))
    assert signals(dog, cat)["f1"] == 0
    assert signals(dog, dog)["f1"] == 1


def test_people_are_compared_on_the_joints_both_name():
    names = ("nose", "left_hip", "right_hip", "left_knee")
    places = np.array([[[50, 20], [45, 60], [55, 60], [45, 80]]], np.float32)
    box, one = np.array([[40, 10, 60, 100]], np.float32), np.ones(1, np.float32)
    person = Poses(places, np.ones((1, 4), np.float32), box, one, names)
    shuffled = Poses(places[:, ::-1].copy(), np.ones((1, 4), np.float32), box, one, names[::-1])
    assert signals(person, shuffled)["oks"] == pytest.approx(1)
    moved = Poses(places + 60, np.ones((1, 4), np.float32), box + 60, one, names)
    assert signals(person, moved)["unmatched_share"] == 1


def test_opinions_are_compared_by_the_first_and_by_the_whole():
    a = Classification(("cat", "dog"), np.array([0.6, 0.4], np.float32))
    b = Classification(("dog", "cat"), np.array([0.6, 0.4], np.float32))
    far = Classification(("ship",), np.ones(1, np.float32))
    assert signals(a, b)["top1_same"] == 0
    assert 0 < signals(a, b)["js_divergence"] < 0.05
    assert signals(a, far)["js_divergence"] == pytest.approx(1)


def test_different_tasks_are_not_compared(makers):
    rng = np.random.default_rng(0)
    with pytest.raises(SchemaError, match="different tasks"):
        compare(makers["metres"](rng), makers["normals"](rng))
    with pytest.raises(SchemaError, match="different tasks"):
        compare(makers["instance"](rng), makers["referring"](rng))
