"""Classes and embeddings by any timm model that was saved in timm's layout on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec, Weights
from visionrouter.backends.libraries import require
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, read_config
from visionrouter.backends.specialist.classified import classified
from visionrouter.backends.specialist.familiarity import Familiarity
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.image import Image
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

NAME = "timm_hub"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A network on its device, the transform that its data configuration asks for, and what is usual to it."""

    network: Any
    transform: Any
    device: Any
    dtype: Any
    usual: Familiarity | None = None

    def features(self, images: Sequence[Image]) -> Any:
        """The last feature maps or tokens of a batch of images."""
        import PIL.Image
        import torch

        seen = [self.transform(PIL.Image.fromarray(thicken(image.pixels))) for image in images]
        return self.network.forward_features(torch.stack(seen).to(self.device, self.dtype))

    def embedded(self, features: Any) -> F32:
        """float32 (N, D) of unit length: what the classifier sees of features, pooled as the network does."""
        import torch

        vectors = finite(self.network.forward_head(features, pre_logits=True).float(), NAME)
        rows: F32 = torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()
        return rows


class TimmHub(CheckpointBackend):
    """The likeliest of a checkpoint's classes, the picture seen as the checkpoint's data configuration says; and with
    `embed` the vectors that it makes of pictures. A checkpoint without classes does no task, and embeds.

    Signals: `score`, the best class's probability; `margin`, its lead over the second; with `usual` also `familiarity`,
    above 1 where the picture's embedding is unlike those of the usual pictures. Note `targets_ignored`: words that narrow
    the question do not narrow the answer.
    """

    def __init__(
        self,
        *,
        source: str = "timm/mobilenetv4_conv_small.e2400_r224_in1k",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        classes: Sequence[str] | None = None,
        top: int = 5,
        usual: str | None = None,
        batch_limit: int = 16,
    ) -> None:
        """`source`: a hub id or a folder. `classes` in the order of the outputs, where the checkpoint names none and
        they are not ImageNet's. `top` classes given. `usual`: a file that `visionrouter.backends.specialist.usual`
        measured with this network."""
        self._classes = tuple(classes) if classes else None
        self._labels: tuple[str, ...] = self._classes or ()
        self._top = top
        spec = BackendSpec(
            name=NAME,
            kind="specialist",
            tasks=frozenset({Task.CLASSIFY}),
            licence="unknown",
            batch_limit=batch_limit,
            cost=1.0,
            memory_mb=200,
            extra="timm",
            requires=("timm", "torch", "safetensors"),
        )
        beside = {} if usual is None else {"usual": Weights(usual)}
        super().__init__(spec, Origin(source, revision, device, precision, licence), **beside)

    def describe(self, folder: Path) -> Mapping[str, Any]:
        config = read_config(folder)
        if "architecture" not in config:
            raise WeightsError(
                f"{folder}: holds no timm model (no architecture in config.json); name another source or another backend"
            )
        size = (config.get("pretrained_cfg") or {}).get("input_size")
        return {
            "input_size": (int(size[2]), int(size[1])) if size else None,
            "tasks": frozenset({Task.CLASSIFY} if _count(config) else ()),
        }

    def assemble(self, folders: Mapping[str, Path]) -> Opened:
        opened: Opened = super().assemble(folders)
        if "usual" not in folders:
            return opened
        usual, width = Familiarity.read(folders["usual"]), opened.network.head_hidden_size
        if usual is None or len(usual.mean) != width:
            raise WeightsError(
                f"{folders['usual']}: says nothing of embeddings of {width} numbers, which this network gives; measure it "
                f"anew: python -m visionrouter.backends.specialist.usual --source {self.origin.source}"
            )
        return replace(opened, usual=usual)

    def open(self, folder: Path, device: Any, dtype: Any) -> Opened:
        timm = require("timm", NAME, "timm")
        data = require("timm.data", NAME, "timm")
        files = require("safetensors.torch", NAME, "timm")
        torch = require("torch", NAME, "timm")
        config = read_config(folder)
        plain = [file for file in hub.weight_files(folder) if file.name == "model.safetensors"]
        if not plain:
            raise WeightsError(
                f"{folder}: holds no model.safetensors; fetch it anew, or save it as safetensors"
            )
        count = _count(config)
        with tell_broken(f"{folder}: not the weights of {config['architecture']}", "fetch it anew"):
            with torch.random.fork_rng(devices=[]):
                given = {**(config.get("model_args") or {}), "num_classes": count}
                network = timm.create_model(config["architecture"], pretrained=False, **given)
            network.load_state_dict(files.load_file(plain[0]))
        self._labels = self._classes or _labels(config, count, data)
        if len(self._labels) != count:
            raise WeightsError(
                f"{folder}: gives {count} classes, {len(self._labels)} are named; give classes:"
            )
        seen = data.resolve_data_config(pretrained_cfg=config.get("pretrained_cfg") or {}, model=network)
        transform = data.create_transform(**seen, is_training=False)
        return Opened(network.to(device, dtype).eval(), transform, device, dtype)

    def answer(self, model: Opened, queries: Sequence[Query]) -> list[Prediction]:
        features = model.features([query.image for query in queries])
        logits = finite(model.network.forward_head(features).float(), self.spec.name)
        rows = logits.softmax(-1).cpu().numpy()
        usual = model.usual
        known = (
            [{}] * len(queries)
            if usual is None
            else [{"familiarity": usual.distance(row)} for row in model.embedded(features)]
        )
        return [
            classified(query, row, self._labels, self._top, signals)
            for query, row, signals in zip(queries, rows, known, strict=True)
        ]

    def embed(self, images: Sequence[Image]) -> F32:
        """float32 (N, D): a vector of unit length for each image, so that a product of two is their cosine.

        Vectors are comparable within one network's weights (`spec.weights_digest`), and with no others'. Raises what
        `load` raises, `ResourceError`, and `BackendError` for numbers that are none.
        """
        import torch

        model: Opened = self._loaded()
        rows = [np.zeros((0, model.network.head_hidden_size), np.float32)]
        for begin in range(0, len(images), self.spec.batch_limit):
            part = images[begin : begin + self.spec.batch_limit]
            with enough_memory(self.spec.name, len(part)), torch.inference_mode():
                rows.append(model.embedded(model.features(part)))
        return np.concatenate(rows)


def _count(config: Mapping[str, Any]) -> int:
    """Of classes; none of a network that was trained without them."""
    own, card = config.get("num_classes"), config.get("pretrained_cfg") or {}
    return int(card.get("num_classes", 1000) if own is None else own)


def _labels(config: Mapping[str, Any], count: int, data: Any) -> tuple[str, ...]:
    """The words of the outputs: the checkpoint's own, or ImageNet's of that number; none where nobody knows."""
    names = config.get("label_names")
    if names:
        described = config.get("label_descriptions") or {}
        if isinstance(described, dict):
            return tuple(str(described.get(name, name)) for name in names)
        return tuple(str(name) for name in names)
    if count == 1000:
        info = data.ImageNetInfo()
        return tuple(info.index_to_description(i) for i in range(count))
    return ()
