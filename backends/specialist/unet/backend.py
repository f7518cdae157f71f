"""The U-Net of the proving ground as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.specialist.familiarity import Familiarity
from visionrouter.backends.specialist.semantic import as_prediction, read
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.unet.network import (
    MULTIPLE,
    Heads,
    answer,
    build,
    encode,
    pooled_stages,
)
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.payload import DepthMap, NormalMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

SKY = "sky"
GOOD_RATIO = 1.25
"""A depth within this factor of the truth counts as right, as in the benchmarks' delta 1."""


class SceneUNet(Backend):
    """Metric depth, normals and classes of the proving ground from one network.

    The image is scaled to `long_side` with its aspect kept. Sky, where the classes say sky, is +inf in depth and NaN in
    normals. Signals: `log_scale`, the mean logarithm of the Laplace scale of log depth (also what normals are judged
    by); for classes `score`, the mean probability of the likeliest class, and `margin`, its mean lead over the second; for all
    `familiarity`, above 1 where the picture's middle square is unlike the training's.
    Confidence maps: the probability that depth is within a factor of 1.25; the probability of the class. Notes:
    `specificity_lost:WORD` where a class is broader than the word, `unresolved:WORD` for colours and relations.
    """

    def __init__(
        self, *, folder: str | Path | None = None, device: str = "cpu", long_side: int | None = None
    ) -> None:
        """`folder` of weights and card (default: the package's); `long_side` of the network's picture in pixels
        (default: that of its training pictures). Raises `WeightsError` where there is no card."""
        self._trained = Trained.read("unet", folder)
        self._device = device
        self._long_side = long_side or self._trained.side
        self._model: tuple[Any, Familiarity | None] | None = None
        self.spec = BackendSpec(
            name="scene_unet",
            kind="specialist",
            tasks=frozenset({Task.DEPTH, Task.NORMALS, Task.SEMANTIC}),
            licence="Apache-2.0",
            labels=self._trained.classes,
            weights_digest=self._trained.weights.digest,
            weights_bytes=self._trained.weights.size,
            depth_unit="m",
            cost=1.5,
            memory_mb=150,
            extra="unet",
            requires=("segmentation_models_pytorch", "torch", "safetensors"),
        )

    def load(self) -> None:
        self._loaded()

    def close(self) -> None:
        self._model = None

    def _loaded(self) -> tuple[Any, Familiarity | None]:
        if self._model is None:
            classes = len(self._trained.classes)
            network = self._trained.fill(lambda: build(classes, self.spec.name), self._device)
            self._model = network, self._trained.familiarity()
        return self._model

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        if query.task is Task.SEMANTIC:
            asked = read(query, self._trained.classes, self.spec.name)
        frame = Frame.around(*query.image.size, self._long_side, MULTIPLE)
        heads, known = self._run(frame, query)
        if query.task is Task.SEMANTIC:
            probability = _inner(heads.logits.softmax(1), frame)
            return as_prediction(probability, frame, self._trained.classes, asked, known)
        log_scale = _inner(heads.log_scale, frame)
        sky = self._sky(heads, frame)
        trust = 1 - np.exp(-np.log(GOOD_RATIO) * np.exp(-log_scale))
        ground_scale = log_scale if sky.all() else log_scale[~sky]
        signals = {"log_scale": float(ground_scale.mean()), **known}
        evidence = Evidence(signals, frame.enlarge(trust).clip(0, 1))
        values = np.exp(_inner(heads.log_depth, frame))[..., None]
        if query.task is Task.NORMALS:
            values = _inner(heads.normals, frame).transpose(1, 2, 0)
        large, there = _enlarge_known(values, ~sky, frame)
        if query.task is Task.DEPTH:
            depth_m: F32 = np.where(there, large[..., 0], np.inf).astype(np.float32)
            return Prediction(DepthMap(depth_m, "m"), evidence)
        length = np.linalg.norm(large, axis=-1, keepdims=True)
        normals = np.full_like(large, np.nan)
        np.divide(large, length, out=normals, where=there[..., None] & (length > 1e-6))
        return Prediction(NormalMap(normals), evidence)

    def _run(self, frame: Frame, query: Query) -> tuple[Heads, dict[str, float]]:
        """The heads, and the signal `familiarity` where the weights bring its statistics."""
        import torch

        network, familiarity = self._loaded()
        with torch.inference_mode():
            heads, stages = answer(network, self._seen(frame, query.image.pixels))
            if familiarity is None:
                return heads, {}
            middle = _middle(query.image.pixels)
            if middle.shape != query.image.pixels.shape:
                square = Frame.around(len(middle), len(middle), self._long_side, MULTIPLE)
                stages = encode(network, self._seen(square, middle))
            return heads, familiarity.signal(pooled_stages(stages))

    def _seen(self, frame: Frame, pixels: U8) -> Any:
        """Pixels on their canvas, (1, 3, H, W), sRGB in [0, 1]."""
        import torch

        return torch.from_numpy(frame.place(pixels)).permute(2, 0, 1)[None].to(self._device).float() / 255

    def _sky(self, heads: Heads, frame: Frame) -> Bool:
        """bool (h, w): where the likeliest class is sky."""
        logits = _inner(heads.logits, frame)
        if SKY not in self._trained.classes:
            return np.zeros(logits.shape[1:], np.bool_)
        sky: Bool = logits.argmax(0) == self._trained.classes.index(SKY)
        return sky


def _middle(pixels: U8) -> U8:
    """The largest square in the middle: only squares are compared with the training's, which were squares."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def _inner(values: Any, frame: Frame) -> F32:
    """The image's part of a tensor (1, ..., H, W) as float32 (..., h, w)."""
    array: F32 = values[0].float().cpu().numpy()
    part: F32 = array[
        ...,
        frame.top : frame.top + frame.inner_height,
        frame.left : frame.left + frame.inner_width,
    ]
    return part


def _enlarge_known(values: F32, known: Bool, frame: Frame) -> tuple[F32, Bool]:
    """Values (h, w, C) at the image's size, from known pixels alone, and where they are known."""
    weight = frame.enlarge(known.astype(np.float32))
    total = frame.enlarge(np.where(known[..., None], values, 0))
    there = frame.enlarge_labels(known.astype(np.uint8)) == 1
    mean: F32 = (total / np.maximum(weight, 1e-6)[..., None]).astype(np.float32)
    return mean, there & (weight > 1e-3)
