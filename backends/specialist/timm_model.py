"""Classes by any timm model that was saved in timm's layout on the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, read_config
from visionrouter.backends.specialist.classified import classified
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

NAME = "timm_hub"


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A network on its device, and the transform that its data configuration asks for."""

    network: Any
    transform: Any
    device: Any
    dtype: Any


class TimmHub(CheckpointBackend):
    """The likeliest of a checkpoint's classes, the picture seen as the checkpoint's data configuration says.

    Signals: `score`, the best class's probability; `margin`, its lead over the second. Note `targets_ignored`: words
    that narrow the question do not narrow the answer.
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
        batch_limit: int = 16,
    ) -> None:
        """`source`: a hub id or a folder. `classes` in the order of the outputs, where the checkpoint names none and
        they are not ImageNet's. `top` classes given."""
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
        super().__init__(spec, Origin(source, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        config = read_config(folder)
        if "architecture" not in config:
            raise WeightsError(
                f"{folder}: holds no timm model (no architecture in config.json); name another source or another backend"
            )
        size = (config.get("pretrained_cfg") or {}).get("input_size")
        return {"input_size": (int(size[2]), int(size[1])) if size else None}

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
        count = int(
            config.get("num_classes") or (config.get("pretrained_cfg") or {}).get("num_classes", 1000)
        )
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
        import PIL.Image
        import torch

        seen = [model.transform(PIL.Image.fromarray(thicken(query.image.pixels))) for query in queries]
        logits = model.network(torch.stack(seen).to(model.device, model.dtype)).float()
        rows = finite(logits, self.spec.name).softmax(-1).cpu().numpy()
        return [
            classified(query, row, self._labels, self._top) for query, row in zip(queries, rows, strict=True)
        ]


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
