"""Scores of answers: 1 for the truth, known values for known mistakes, other libraries' values for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from visionrouter.benchmarks.tuning import scores
from visionrouter.benchmarks.tuning.scores import Found, Tally, average_precision, summarise
from visionrouter.schema.payload import DepthMap, Detections, NormalMap, Poses, Segmentation
from visionrouter.schema.task import Task

RNG = np.random.default_rng(0)


def masks(*some: np.ndarray, mode: Any = "semantic", labels: tuple[str, ...] | None = None) -> Segmentation:
    return Segmentation(
        np.stack(some), np.linspace(1, 0.5, len(some)).astype(np.float32), labels or ("a",) * len(some), mode
    )


def rectangle(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros((20, 20), np.bool_)
    mask[y1:y2, x1:x2] = True
    return mask


def test_depth() -> None:
    truth = RNG.uniform(1, 60, (32, 32)).astype(np.float32)
    truth[:4] = np.inf
    exact = summarise(scores.score(Task.DEPTH, DepthMap(truth, "m"), DepthMap(truth, "m"), 32))
    assert exact == {"depth d1": 1, "AbsRel": 0}
    half_more = summarise(scores.depth(1.5 * truth, truth))
    assert half_more["depth d1"] == 0
    assert half_more["AbsRel"] == pytest.approx(0.5)
    assert scores.depth(truth, np.full((32, 32), np.inf, np.float32)) == []
    sky = summarise(scores.depth(np.full_like(truth, np.inf), truth))
    assert sky["depth d1"] == 0, "ground taken for sky is wrong"


def test_normals() -> None:
    truth = np.zeros((8, 8, 3), np.float32)
    truth[..., 2] = 1
    truth[:2] = np.nan
    exact = scores.score(Task.NORMALS, NormalMap(truth), NormalMap(truth), 8)
    assert summarise(exact)["normals deg"] == 0
    turned = np.zeros_like(truth)
    turned[..., 0] = 1
    assert summarise(scores.normals(turned, truth))["normals deg"] == pytest.approx(90)
    assert summarise(scores.normals(np.full_like(truth, np.nan), truth))["normals deg"] == pytest.approx(90)


def test_semantic_is_the_mean_of_the_ratios_of_totals() -> None:
    truth = masks(rectangle(0, 0, 20, 5), rectangle(0, 15, 20, 20), labels=("sky", "car"))
    drawn = masks(rectangle(0, 0, 20, 10), labels=("sky",))
    tallies = scores.score(Task.SEMANTIC, drawn, truth, 20)
    assert summarise(tallies) == {"mIoU": pytest.approx((5 / 10 + 0) / 2)}
    assert summarise([*tallies, Tally("mIoU/sky", 100, 100)])["mIoU"] == pytest.approx((200 / 300 + 0) / 2)


def test_referring_and_what_is_absent() -> None:
    truth = masks(rectangle(2, 0, 6, 20), mode="referring")
    drawn = masks(rectangle(0, 0, 4, 20), mode="referring")
    assert summarise(scores.score(Task.REFERRING, drawn, truth, 20)) == {"ref cIoU": pytest.approx(2 / 6)}
    nothing = masks(np.zeros((20, 20), np.bool_), mode="referring")
    assert summarise(scores.score(Task.REFERRING, drawn, nothing, 20)) == {"absent FP": 1}
    assert summarise(scores.score(Task.REFERRING, nothing, nothing, 20)) == {"absent FP": 0}


def test_prompted_masks() -> None:
    truth = masks(rectangle(0, 0, 4, 4), mode="promptable")
    drawn = masks(rectangle(0, 0, 4, 8), mode="promptable")
    assert summarise(scores.score(Task.PROMPTABLE, drawn, truth, 20)) == {"prompt IoU": pytest.approx(0.5)}


def test_each_thing_is_found_once() -> None:
    truth = masks(rectangle(0, 0, 5, 5), rectangle(10, 0, 15, 5), mode="instance")
    twice = masks(rectangle(0, 0, 5, 5), rectangle(0, 0, 5, 4), mode="instance")
    (found,) = scores.score(Task.INSTANCE, twice, truth, 20)
    assert isinstance(found, Found)
    assert found.true[:, 0].tolist() == [True, False]
    assert found.truths == 2
    nothing = Segmentation(np.zeros((0, 20, 20), np.bool_), np.zeros(0, np.float32), (), "instance")
    (found,) = scores.score(Task.INSTANCE, nothing, truth, 20)
    assert isinstance(found, Found)
    assert average_precision([found]) == 0
    (found,) = scores.score(Task.INSTANCE, twice, nothing, 20)
    assert isinstance(found, Found)
    assert not found.true.any()


def test_boxes_of_another_class_are_no_hits() -> None:
    box = np.float32([[0, 0, 10, 10]])
    one = np.ones(1, np.float32)
    car, cat = Detections(box, one, ("car",)), Detections(box, one, ("cat",))
    assert scores.box_overlap(car, car) == pytest.approx(np.ones((1, 1)))
    assert scores.box_overlap(cat, car) == pytest.approx(np.zeros((1, 1)))
    assert summarise(scores.score(Task.DETECT, car, car, 20)) == {"box AP": pytest.approx(1)}


def test_average_precision_is_cocos() -> None:
    """Against pycocotools on boxes of random overlap, one class, small enough a count that no cap bites."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    some: list[Found] = []
    images, annotations, results = [], [], []
    for number in range(1, 13):
        corners = RNG.uniform(0, 60, (RNG.integers(1, 5), 2))
        truth = np.concatenate([corners, corners + RNG.uniform(15, 40, corners.shape)], 1).astype(np.float32)
        noise = RNG.normal(0, 4, truth.shape).astype(np.float32)
        guess = np.concatenate([truth + noise, truth[:1] + 50])
        rank = RNG.random(len(guess)).astype(np.float32)
        answer = Detections(guess, rank, ("a",) * len(guess))
        overlap = scores.box_overlap(
            answer, Detections(truth, np.ones(len(truth), np.float32), ("a",) * len(truth))
        )
        some.append(scores.found("box AP", rank, overlap))
        images.append({"id": number, "width": 200, "height": 200})
        for x1, y1, x2, y2 in truth.astype(float):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0,
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            )  # fmt: skip
        for (x1, y1, x2, y2), score in zip(guess.astype(float), rank, strict=True):
            results.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": float(score),
                }
            )
    coco = COCO()
    coco.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
    coco.createIndex()
    judge = COCOeval(coco, coco.loadRes(results), "bbox")
    judge.evaluate()
    judge.accumulate()
    expected = judge.eval["precision"][:, :, 0, 0, -1].mean()
    assert average_precision(some) == pytest.approx(expected, abs=2e-3)


def poses(points: np.ndarray, names: tuple[str, ...], shown: float = 1.0) -> Poses:
    n = len(points)
    return Poses(
        keypoints=points.astype(np.float32),
        keypoint_scores=np.full(points.shape[:2], shown, np.float32),
        boxes=np.tile(np.float32([[0, 0, 1, 1]]), (n, 1)),
        scores=np.ones(n, np.float32),
        names=names,
    )


def test_keypoints_are_paired_by_name_and_person() -> None:
    names = ("head", "hip", "foot")
    truth = np.array([[[10, 10], [10, 50], [10, 90]], [[60, 10], [60, 50], [60, 90]]], float)
    turned = truth[::-1][:, [2, 0, 1]]
    parts = scores.score(Task.POSE, poses(turned, ("foot", "head", "hip")), poses(truth, names), 100)
    assert summarise(parts) == {"pose PCK": 1}
    away = truth + np.array([0, 7.0])
    away[0, 0] += 20
    assert summarise(scores.pose(poses(away, names), poses(truth, names), 10.0))["pose PCK"] == pytest.approx(
        5 / 6
    )
    assert summarise(scores.pose(poses(truth[:1], names), poses(truth, names), 10.0))["pose PCK"] == 0.5
    lost = scores.pose(poses(truth, names, shown=0.0), poses(truth, names), 10.0)
    assert summarise(lost)["pose PCK"] == 0, "joints that were not found are not right by luck"
    assert scores.pose(poses(truth, names), poses(truth / 20, names), 10.0) == [], "specks are not judged"
