"""The table of results: a model that draws the truth gets full marks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from visionrouter.backends.generative.nano.codes import DEPTH, NORMALS
from visionrouter.benchmarks.tuning.evaluate import COLUMNS, judge, questions, table
from visionrouter.benchmarks.tuning.source import SceneSource


def test_the_truth_drawn_is_scored_as_such() -> None:
    torch.set_num_threads(1)
    source = SceneSource("street", 5)
    pictures = source.pictures(0, 2, 64, torch.device("cpu"))
    asked = questions(pictures, source.vocabulary)
    assert [q.words for q in asked] == [q.words for q in questions(pictures, source.vocabulary)]

    def draw(images: np.ndarray, words: list[str]) -> Any:
        drawings = []
        for image, text in zip(images, words, strict=True):
            i = int(np.flatnonzero([(image == own).all() for own in shown])[0])
            if text == "depth map":
                drawings.append(DEPTH.encode(pictures.depth_m[i].float().numpy()))
            elif text == "surface normals":
                normals = pictures.normals[i].float().permute(1, 2, 0).numpy()
                length = np.linalg.norm(normals, axis=-1, keepdims=True)
                drawings.append(NORMALS.encode(np.divide(normals, length, where=length > 0, out=0 * normals)))
            else:
                drawings.append(np.zeros_like(image))
        return SimpleNamespace(images=drawings)

    shown = pictures.rgb.permute(0, 2, 3, 1).numpy()
    with ThreadPoolExecutor(1) as pool:
        results = judge(draw, shown, asked, pool)  # type: ignore[arg-type]
    assert results["depth d1"] == 1
    assert results["normals deg"] < 1
    assert results["mIoU fixed"] == results["mIoU random"] == 0, "black answers nothing"
    assert results.get("absent FP", 0) == 0
    lines = table({"clean": results}).splitlines()
    assert all(column in lines[0] for column in COLUMNS)
    assert lines[1].startswith("clean")
