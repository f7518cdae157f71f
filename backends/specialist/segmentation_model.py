"""U-Nets and their kin from checkpoints of segmentation-models-pytorch: classes or depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist import semantic
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches, read_config
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import ProfileError, WeightsError
from visionrouter.schema.palette import BACKGROUND
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

NAME = "unet"
CARD = "card.json"
STRIDE = 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Unit = Literal["m", "relative", "disparity"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a network's numbers mean, which its own configuration does not say.

    `classes` in the order of its channels, or the `unit` of its one channel of depth, `log` where that is the natural
    logarithm. `side`: long side in pixels of the picture it sees; `mean` and `std` of its training pictures in 0..1.
    """

    classes: tuple[str, ...] = ()
    unit: Unit | None = None
    log: bool = False
    side: int = 512
    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD

    @classmethod
    def read(cls, folder: Path, given: Mapping[str, Any]) -> Self:
        """The card of a folder, where there is one, with what was given put over it. Raises `WeightsError`."""
        card = read_config(folder, CARD) if (folder / CARD).is_file() else {}
        fields = {key: card[key] for key in cls.__slots__ if key in card} | dict(given)
        for key in ("classes", "mean", "std"):
            if key in fields:
                fields[key] = tuple(fields[key])
        made = cls(**fields)
        if bool(made.classes) == (made.unit is not None):
            raise WeightsError(
                f"{folder}: say what the network answers: classes (in the order of its channels) or unit of depth "
                f"({', '.join(get_args(Unit))}), in {CARD} beside its weights or as params"
            )
        return made


class UNet(CheckpointBackend):
    """Classes or depth by any architecture of segmentation-models-pytorch, saved by its `save_pretrained`.

    The image is scaled to `side` with its aspect kept and filled up at the edge; images of one size go through the
    network together. Signals and notes of classes: see `visionrouter.backends.specialist.semantic`; depth has none.
    """

    def __init__(
        self,
        *,
        source: str,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        classes: Sequence[str] | None = None,
        unit: Unit | None = None,
        log: bool | None = None,
        side: int | None = None,
        batch_limit: int = 8,
    ) -> None:
        """`source`: the folder of your checkpoint, or a hub id. `classes`, `unit`, `log`, `side`: see `Meaning`; they
        go before what the folder's card says. Raises `ProfileError` for a unit that is none."""
        if unit is not None and unit not in get_args(Unit):
            raise ProfileError(f"{NAME}: unit {unit!r} is none; give one of {', '.join(get_args(Unit))}")
        given = {"classes": classes, "unit": unit, "log": log, "side": side}
        self._given = {key: value for key, value in given.items() if value is not None}
        self._meaning = Meaning()
        spec = BackendSpec(
            name=NAME,
            kind="specialist",
            tasks=frozenset({Task.SEMANTIC}) if unit is None else frozenset({Task.DEPTH}),
            licence="unknown",
            labels=tuple(classes) if classes else None,
            batch_limit=batch_limit,
            depth_unit=unit,
            cost=2.0,
            memory_mb=300,
            extra="unet",
            requires=("segmentation_models_pytorch", "torch", "safetensors"),
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        if "_model_class" not in read_config(folder):
            raise WeightsError(
                f"{folder}: was not saved by segmentation-models-pytorch (no _model_class in config.json); save it "
                "with its save_pretrained"
            )
        meaning = self._meaning = Meaning.read(folder, self._given)
        task = Task.SEMANTIC if meaning.classes else Task.DEPTH
        return {"tasks": frozenset({task}), "labels": meaning.classes or None, "depth_unit": meaning.unit}

    def open(self, folder: Path, device: Any, dtype: Any) -> tuple[Any, Any]:
        library = require("segmentation_models_pytorch", NAME, "unet")
        files = require("safetensors.torch", NAME, "unet")
        torch = require("torch", NAME, "unet")
        config = read_config(folder)
        built = getattr(library, str(config.pop("_model_class")), None)
        channels = len(self._meaning.classes) or 1
        if built is None or config.get("classes", 1) != channels:
            raise WeightsError(
                f"{folder}: holds a network of {config.get('classes', 1)} channels, {channels} are named; mend {CARD} or params"
            )
        plain = [file for file in hub.weight_files(folder) if file.suffix == ".safetensors"]
        if len(plain) != 1:
            raise WeightsError(
                f"{folder}: holds {len(plain)} safetensors files; save it with save_pretrained"
            )
        with tell_broken(f"{folder}: not weights of its own configuration", "save it anew"):
            with torch.random.fork_rng(devices=[]):
                network = built(**{**config, "encoder_weights": None, "activation": None})
            network.load_state_dict(files.load_file(plain[0]))
        return network.to(device, dtype).eval(), (device, dtype)

    def answer(self, model: tuple[Any, Any], queries: Sequence[Query]) -> list[Prediction]:
        meaning = self._meaning
        asked = [
            semantic.read(query, meaning.classes, self.spec.name) if query.task is Task.SEMANTIC else None
            for query in queries
        ]
        channels = meaning.classes if len(meaning.classes) > 1 else (BACKGROUND, *meaning.classes)
        frames = [Frame.around(*query.image.size, meaning.side, STRIDE) for query in queries]
        seen = [frame.place(query.image.pixels) for query, frame in zip(queries, frames, strict=True)]
        maps = in_batches(seen, np.shape, lambda canvases: self._run(model, canvases))
        answers = []
        for frame, drawn, names in zip(frames, maps, asked, strict=True):
            inner: F32 = np.stack([frame.crop(channel) for channel in drawn])
            answers.append(
                semantic.as_prediction(inner, frame, channels, names)
                if names is not None
                else self._depth(inner[0], frame)
            )
        return answers

    def _run(self, model: tuple[Any, Any], canvases: list[Any]) -> Any:
        """float32 (N, C, h, w): probabilities of classes, a single one's after its background's, or depth as it comes."""
        import torch

        network, (device, dtype) = model
        rgb = torch.from_numpy(np.stack(canvases)).to(device).permute(0, 3, 1, 2).float() / 255
        mean, std = (rgb.new_tensor(v).view(1, 3, 1, 1) for v in (self._meaning.mean, self._meaning.std))
        output = finite(network(((rgb - mean) / std).to(dtype)).float(), self.spec.name)
        if self._meaning.classes:
            logits = output if output.shape[1] > 1 else torch.cat([torch.zeros_like(output), output], 1)
            output = logits.softmax(1)
        return output.cpu().numpy()

    def _depth(self, inner: F32, frame: Frame) -> Prediction:
        values = np.exp(inner) if self._meaning.log else inner
        large = frame.enlarge(values)
        return Prediction(
            DepthMap(large.clip(0) if self._meaning.unit == "m" else large, self._meaning.unit or "m")
        )
