"""What a prediction loses against the truth, in [0, 1], and from where on it counts as bad: one loss a task.

Calibration, certificates and benchmarks all speak of these, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from visionrouter.merge.compare import class_map, compare
from visionrouter.merge.intrinsics import known_in, scale_onto
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.task import Task

FAR_M = 80.0
"""Depth is judged up to here, as in the outdoor benchmarks."""
UNKNOWN_DEG = 90.0
"""A normal that is missing where there is a surface is this far off."""
NEAR_SHARE = 0.1
"""A joint is right within this share of the longer side of its person's box (PCK@0.1)."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of one task. `measure(prediction, truth)` is in [0, 1]; above `bad_above` a prediction is bad."""

    name: str
    bad_above: float
    measure: Callable[[Payload, Payload], float]

    def is_bad(self, loss: float) -> bool:
        return loss > self.bad_above


def absrel(prediction: Payload, truth: Payload) -> float:
    """Mean of |d - D| / D over pixels with a true depth up to 80 m, at most 1 each.

    What is unknown or said to be sky there loses 1. A depth that is not metric is fitted to the truth first, by scale
    and shift.
    """
    error, known = depth_error(prediction, truth)
    return float(np.minimum(error[known], 1).mean()) if known.any() else 0.0


def depth_error(prediction: Payload, truth: Payload) -> tuple[F32, Bool]:
    """|d - D| / D, float32 (H, W), and where it is defined."""
    assert isinstance(prediction, DepthMap)
    assert isinstance(truth, DepthMap)
    known = np.isfinite(truth.values) & (truth.values > 0) & (truth.values <= FAR_M)
    guess = prediction.values if prediction.is_metric else _fitted(prediction, truth, known)
    error = np.ones(truth.values.shape, np.float32)
    judged = known & np.isfinite(guess)
    error[judged] = np.abs(guess[judged] - truth.values[judged]) / truth.values[judged]
    return error, known


def _fitted(prediction: DepthMap, truth: DepthMap, known: Bool) -> F32:
    """A relative depth or a disparity, in the metres that fit the truth best by least squares."""
    both = known & np.isfinite(prediction.values)
    if both.sum() < 2:
        return np.full_like(truth.values, np.nan)
    inverse = prediction.unit == "disparity"
    wanted = 1 / truth.values[both] if inverse else truth.values[both]
    given = prediction.values[both]
    scale, shift = np.linalg.lstsq(np.stack([given, np.ones_like(given)], 1), wanted, rcond=None)[0]
    fitted = scale * prediction.values + shift
    return np.asarray(1 / np.maximum(fitted, 1e-4) if inverse else fitted, np.float32)


def mean_angle(prediction: Payload, truth: Payload) -> float:
    """Mean angle between normals over true surfaces, in half turns (180 degrees = 1)."""
    error, known = normal_error(prediction, truth)
    return float(error[known].mean()) / 180 if known.any() else 0.0


def normal_error(prediction: Payload, truth: Payload) -> tuple[F32, Bool]:
    """Angle in degrees, float32 (H, W), and where there is a true surface."""
    assert isinstance(prediction, NormalMap)
    assert isinstance(truth, NormalMap)
    known = np.isfinite(truth.values[..., 0])
    cosine = (prediction.values * truth.values).sum(-1).clip(-1, 1)
    error = np.degrees(np.arccos(cosine)).astype(np.float32)
    return np.where(np.isfinite(error), error, UNKNOWN_DEG).astype(np.float32), known


def albedo_si_rmse(prediction: Payload, truth: Payload) -> float:
    """Root of Σ |s a - A|² / Σ |A|² over pixels with a true albedo A, with the one s that fits best, over all channels.

    What is unknown there counts as black. The square is the score of one window of the local error of Grosse et al. (ICCV
    2009), the window being the picture. One grey for all loses .45 where albedos have a mean of .5 and a spread of .25.
    Other maps than albedo are not judged.
    """
    assert isinstance(prediction, Intrinsics)
    assert isinstance(truth, Intrinsics)
    known = known_in(truth.albedo)
    theirs = truth.albedo[known].astype(np.float64)
    mine = np.where(known_in(prediction.albedo)[..., None], prediction.albedo, 0)[known]
    away = scale_onto(mine, truth.albedo[known]) * mine.astype(np.float64) - theirs
    power = float((theirs**2).sum())
    return float(np.sqrt(min((away**2).sum() / power, 1))) if power else float(mine.any())


def miou(prediction: Payload, truth: Payload) -> float:
    """1 - mean IoU of the labels that either shows."""
    return 1 - compare(prediction, truth).signals["miou"]


def class_error(prediction: Payload, truth: Payload) -> tuple[F32, Bool]:
    """0 where the class of a pixel is right and 1 where it is not, float32 (H, W); judged where the truth has one."""
    assert isinstance(prediction, Segmentation)
    assert isinstance(truth, Segmentation)
    names = list(dict.fromkeys((*truth.labels, *prediction.labels)))
    mine, theirs = (class_map(each, names) for each in (prediction, truth))
    return (mine != theirs).astype(np.float32), theirs >= 0


def mask_iou(prediction: Payload, truth: Payload) -> float:
    """1 - IoU of all that is masked: what is meant, however many things it is. Nothing for nothing loses 0."""
    return 1 - compare(prediction, truth).signals["foreground_iou"]


def things_f1(prediction: Payload, truth: Payload) -> float:
    """1 - F1 of boxes, or of instances, of one label matched at IoU 0.5. Nothing for nothing loses 0."""
    return 1 - compare(prediction, truth).signals["f1"]


def pck(prediction: Payload, truth: Payload) -> float:
    """1 - share of true joints found within a tenth of their person's longer side; people paired for the most.

    People who are not there lose too: the share is over the joints of the larger of both crowds.
    """
    from scipy.optimize import linear_sum_assignment

    assert isinstance(prediction, Poses)
    assert isinstance(truth, Poses)
    names = [name for name in truth.names if name in prediction.names]
    if not names and len(truth):
        raise SchemaError("Poses: prediction and truth have no joint in common")
    mine, theirs = ([p.names.index(name) for name in names] for p in (prediction, truth))
    right = np.zeros((len(truth), len(prediction)))
    there = truth.keypoint_scores[:, theirs] > 0
    for i in range(len(truth)):
        side = float((truth.boxes[i, 2:] - truth.boxes[i, :2]).max())
        off = np.linalg.norm(prediction.keypoints[:, mine] - truth.keypoints[i, theirs], axis=-1)
        found = (prediction.keypoint_scores[:, mine] > 0) & (off <= NEAR_SHARE * side)
        right[i] = (found & there[i]).sum(1)
    if not len(truth):
        return float(len(prediction) > 0)
    rows, columns = linear_sum_assignment(-right)
    strangers = max(0, len(prediction) - len(truth)) * len(names)
    return 1 - float(right[rows, columns].sum()) / max(1, int(there.sum()) + strangers)


def top1(prediction: Payload, truth: Payload) -> float:
    """0 where the likeliest class is one of the true ones."""
    assert isinstance(prediction, Classification)
    assert isinstance(truth, Classification)
    return float(not prediction.labels or prediction.labels[0] not in truth.labels)


LOSSES: Mapping[Task, Loss] = {
    Task.DEPTH: Loss("absrel", 0.10, absrel),
    Task.NORMALS: Loss("mean_angle", 12 / 180, mean_angle),
    Task.INTRINSICS: Loss("albedo_si_rmse", 0.30, albedo_si_rmse),
    Task.SEMANTIC: Loss("miou", 0.30, miou),
    Task.INSTANCE: Loss("instance_f1", 0.50, things_f1),
    Task.REFERRING: Loss("mask_iou", 0.50, mask_iou),
    Task.PROMPTABLE: Loss("mask_iou", 0.50, mask_iou),
    Task.DETECT: Loss("box_f1", 0.50, things_f1),
    Task.POSE: Loss("pck", 0.50, pck),
    Task.CLASSIFY: Loss("top1", 0.50, top1),
}
"""The loss that each task is judged by."""


@dataclass(frozen=True, slots=True)
class PixelError:
    """An error of every pixel. `measure(prediction, truth)` gives it with where it is defined, both (H, W)."""

    name: str
    bad_above: float
    measure: Callable[[Payload, Payload], tuple[F32, Bool]]


PIXEL_ERRORS: Mapping[Task, PixelError] = {
    Task.DEPTH: PixelError("absrel", 0.10, depth_error),
    Task.NORMALS: PixelError("angle_deg", 12.0, normal_error),
    Task.SEMANTIC: PixelError("wrong_class", 0.5, class_error),
}
"""The error of dense tasks, pixel by pixel. Intrinsics have none: an albedo's error is relative to the whole picture."""
