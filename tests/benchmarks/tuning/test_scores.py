"""Scores of drawings: 1 for the truth, known values for known mistakes, other libraries' values for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visionrouter.backends.generative.nano.codes import DEPTH, INSTANCES, NORMALS, POSE
from visionrouter.benchmarks.tuning import scores
from visionrouter.benchmarks.tuning.scores import Found, Tally, average_precision, summarise
from visionrouter.schema.task import PaletteEntry

RNG = np.random.default_rng(0)
PALETTE = (PaletteEntry("sky", (0, 255, 255)), PaletteEntry("car", (255, 0, 0)), PaletteEntry("", (0, 0, 0)))


def test_depth() -> None:
    truth = RNG.uniform(1, 60, (32, 32)).astype(np.float32)
    truth[:4] = np.inf
    exact = summarise(scores.depth(DEPTH.encode(truth), truth))
    assert exact["depth d1"] == 1
    assert exact["AbsRel"] < 0.02
    half_more = summarise(scores.depth(DEPTH.encode(1.5 * truth), truth))
    assert half_more["depth d1"] == 0
    assert half_more["AbsRel"] == pytest.approx(0.5, abs=0.02)
    assert scores.depth(DEPTH.encode(truth), np.full((32, 32), np.inf, np.float32)) == []


def test_normals() -> None:
    truth = np.zeros((8, 8, 3), np.float32)
    truth[..., 2] = 1
    truth[:2] = 0
    assert summarise(scores.normals(NORMALS.encode(truth), truth))["normals deg"] < 0.5
    turned = np.zeros_like(truth)
    turned[..., 0] = 1
    assert summarise(scores.normals(NORMALS.encode(turned), truth))["normals deg"] == pytest.approx(
        90, abs=0.5
    )


def test_semantic_is_the_mean_of_the_ratios_of_totals() -> None:
    drawing = np.zeros((4, 4, 3), np.uint8)
    drawing[:2] = (0, 255, 255)
    labels = np.full((4, 4), 2, np.uint8)
    labels[0] = 0
    labels[3] = 1
    tallies = scores.semantic(drawing, labels, PALETTE, "mIoU")
    assert summarise(tallies) == {"mIoU": pytest.approx((4 / 8 + 0 / 4) / 2)}
    assert summarise([*tallies, Tally("mIoU/sky", 8, 8)])["mIoU"] == pytest.approx((12 / 16 + 0) / 2)


def test_referring_and_what_is_absent() -> None:
    drawing = np.zeros((10, 10, 3), np.uint8)
    drawing[:, :4] = 255
    mask = np.zeros((10, 10), np.bool_)
    mask[:, 2:6] = True
    assert summarise(scores.referring(drawing, mask))["ref cIoU"] == pytest.approx(20 / 60)
    nothing = np.zeros_like(mask)
    assert summarise(scores.referring(drawing, nothing)) == {"absent FP": 1}
    assert summarise(scores.referring(0 * drawing, nothing)) == {"absent FP": 0}


def test_instances() -> None:
    masks = np.zeros((2, 40, 40), np.bool_)
    masks[0, 5:20, 5:20] = masks[1, 25:38, 20:38] = True
    found, truths = scores.instances(INSTANCES.encode(masks), masks)
    assert truths == 2
    assert all(each.true.all() for each in found)
    assert average_precision(found, truths) == pytest.approx(1)
    assert average_precision(*scores.instances(INSTANCES.encode(masks[:1]), masks)) == pytest.approx(51 / 101)


def test_average_precision_is_cocos() -> None:
    """Against pycocotools on one class, one picture a truth, detections right or wrong at every overlap."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    right = RNG.random(60) < 0.6
    truths = int(right.sum()) + 10
    confidence = RNG.permutation(60) / 60
    box = [0.0, 0.0, 50.0, 50.0]
    images = [{"id": i + 1, "width": 100, "height": 100} for i in range(truths + 60)]
    annotations, results = [], []
    where = iter(range(1, truths + 1))
    for is_right, score in zip(right, confidence, strict=True):
        image = next(where) if is_right else truths + len(results) + 1
        results.append({"image_id": image, "category_id": 1, "bbox": box, "score": float(score)})
    for i in range(truths):
        annotations.append(
            {"id": i + 1, "image_id": i + 1, "category_id": 1, "bbox": box, "area": 2500.0, "iscrowd": 0}
        )
    truth = COCO()
    truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}
    truth.createIndex()
    guess = COCO()
    guess.dataset = {
        **truth.dataset,
        "annotations": [{"id": i + 1, "area": 2500.0, "iscrowd": 0, **r} for i, r in enumerate(results)],
    }
    guess.createIndex()
    judge: Any = COCOeval(truth, guess, "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    found = [Found(float(s), np.full(10, r)) for s, r in zip(confidence, right, strict=True)]
    assert average_precision(found, truths) == pytest.approx(judge.stats[0], abs=1e-6)


def test_pose() -> None:
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, :, 0] = 64 + 40 * np.cos(np.arange(17) * 2 * np.pi / 17)
    keypoints[0, :, 1] = 64 + 40 * np.sin(np.arange(17) * 2 * np.pi / 17)
    keypoints[0, :, 2] = 2
    drawing = POSE.encode(keypoints[..., :2], 128, 128, 4.0)
    assert summarise(scores.pose(drawing, keypoints)) == {"pose PCK": 1}
    moved = keypoints.copy()
    moved[0, :8, 0] += 20
    assert summarise(scores.pose(drawing, moved))["pose PCK"] == pytest.approx(9 / 17)
    assert scores.pose(drawing, 0 * keypoints) == []
