"""Depth by Depth Anything 3 (Lin et al. 2025, arXiv 2511.10647), one view at a time, by its own library's networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visionrouter.backends import hub
from visionrouter.backends.base import BackendSpec
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches, read_config
from visionrouter.backends.specialist.pretrained import finite
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import ProfileError, WeightsError
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

NAME = "depth_anything3"
_CANONICAL_FOCAL_PX = 300.0
"""Focal length at which the metric network's numbers are metres (the library's README)."""
PATCH = 14
_MEAN: F32 = np.array([0.485, 0.456, 0.406], np.float32)
_STD: F32 = np.array([0.229, 0.224, 0.225], np.float32)
_SKY = 0.3
"""Of a pixel being sky, as the library cuts it."""

Unit = Literal["m", "relative"]
Maps = tuple[Any, Any, Any]
"""Tensors (h, w): depth, how much of a pixel is sky, and the network's confidence; the last two or None."""


class DepthAnything3(CheckpointBackend):
    """Depth by Depth Anything 3.

    Unit by model: the nested one gives metres; `da3metric` gives metres where the camera's field of view is told
    (`fov_deg`), depth up to scale otherwise; `da3mono` and the any-view models give depth up to scale. Where a network
    sees sky the answer is +inf. Signal, of any-view models: `depth_conf`, the mean of the network's own confidence,
    which is 1 where it knows nothing; the confidence map is 1 - 1 / confidence.
    """

    def __init__(
        self,
        *,
        source: str = "depth-anything/DA3METRIC-LARGE",
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        fov_deg: float | None = None,
        side: int = 504,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id or a folder. `fov_deg`: the camera's horizontal field of view. `side`: long side in pixels
        of the picture the network sees."""
        if fov_deg is not None and not 0 < fov_deg < 180:
            raise ProfileError(
                f"{NAME}: fov_deg is {fov_deg}; give the camera's angle, between 0 and 180 degrees"
            )
        self._fov_deg = fov_deg
        self._side = side
        self._model_name = ""
        spec = BackendSpec(
            name=NAME,
            kind="specialist",
            tasks=frozenset({Task.DEPTH}),
            licence="unknown",
            batch_limit=batch_limit,
            depth_unit=_unit(source.lower(), fov_deg),
            cost=4.0,
            memory_mb=1600,
            extra="da3",
            requires=(
                "depth_anything_3",
                "addict",
                "omegaconf",
                "einops",
                "cv2",
                "torch",
                "torchvision",
                "safetensors",
            ),
        )
        super().__init__(spec, Origin(source, revision, device, precision, licence))

    def uninstalled(self) -> str | None:
        if find_spec("depth_anything_3") is None:
            return (
                "depth_anything_3 not installed; pip install 'visionrouter[da3]', then pip install --no-deps "
                "depth-anything-3 (its own pins, numpy below 2 among them, are not needed here)"
            )
        return super().uninstalled()

    def describe(self, folder: Path) -> Mapping[str, Any]:
        name = read_config(folder).get("model_name")
        if not isinstance(name, str) or not name.startswith("da3"):
            raise WeightsError(
                f"{folder}: holds no Depth Anything 3 model (no model_name in config.json); name another source or "
                "another backend"
            )
        self._model_name = name
        return {"depth_unit": _unit(name, self._fov_deg)}

    def open(self, folder: Path, device: Any, dtype: Any) -> tuple[Any, Any]:
        files = require("safetensors.torch", NAME, "da3")
        with _quiet():
            cfg = require("depth_anything_3.cfg", NAME, "da3")
            models = require("depth_anything_3.registry", NAME, "da3").MODEL_REGISTRY
            if self._model_name not in models:
                raise WeightsError(
                    f"{folder}: is a {self._model_name!r}, which this release of depth-anything-3 does not build; it "
                    f"builds {', '.join(models)}"
                )
            torch = require("torch", NAME, "da3")
            with torch.random.fork_rng(devices=[]):
                network = cfg.create_object(cfg.load_config(models[self._model_name]))
        plain = [file for file in hub.weight_files(folder) if file.suffix == ".safetensors"]
        with tell_broken(f"{folder}: not the weights of {self._model_name}", "fetch it anew"):
            state = {k.removeprefix("model."): v for file in plain for k, v in files.load_file(file).items()}
            network.load_state_dict(state)
        return network.float().to(device).eval(), dtype

    def answer(self, model: tuple[Any, Any], queries: Sequence[Query]) -> list[Prediction]:
        seen = [see(thicken(query.image.pixels), self._side) for query in queries]
        alone = "nested" in self._model_name  # it fits one scale to all that it is given together
        maps = in_batches(
            seen, lambda one: id(one) if alone else one.shape, lambda batch: self._run(model, batch)
        )
        return [self._read(query, *found) for query, found in zip(queries, maps, strict=True)]

    def _run(self, model: tuple[Any, Any], seen: list[Any]) -> list[Maps]:
        import torch

        network, dtype = model
        device = next(network.parameters()).device
        with (
            torch.random.fork_rng(
                devices=[device] if device.type == "cuda" else []
            ),  # it samples where there is sky
            torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
        ):
            output = network(torch.stack(seen).to(device))
        depth = finite(output["depth"].float(), NAME)[:, 0]
        sky, conf = (output[key][:, 0].float() if key in output else None for key in ("sky", "depth_conf"))
        return [
            (depth[i], None if sky is None else sky[i], None if conf is None else conf[i])
            for i in range(len(seen))
        ]

    def _read(self, query: Query, depth: Any, sky: Any, conf: Any) -> Prediction:
        pixels = thicken(query.image.pixels)
        values = _enlarge(depth, pixels, query)
        if self._fov_deg is not None and "metric" in self._model_name:
            focal_px = depth.shape[-1] / 2 / np.tan(np.radians(self._fov_deg) / 2)
            values = values * np.float32(focal_px / _CANONICAL_FOCAL_PX)
        if sky is not None:
            values = np.where(
                _enlarge((sky >= _SKY).float(), pixels, query) > 0.5, np.float32(np.inf), values
            )
        payload = DepthMap(values, self.spec.depth_unit or "relative")
        if conf is None:
            return Prediction(payload)
        trust = 1 - 1 / _enlarge(conf, pixels, query).clip(1)
        return Prediction(payload, Evidence({"depth_conf": float(conf.mean())}, trust.astype(np.float32)))


def see(pixels: U8, side: int) -> Any:
    """float32 (1, 3, h, w): what the network sees of an image, uint8 (H, W, 3): its long side `side` pixels, then both
    rounded to whole patches, in ImageNet's units; by the library's filters."""
    import torch

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    picture = _resized(pixels, max(1, round(width * scale)), max(1, round(height * scale)), scale > 1)
    inner = (picture.shape[1], picture.shape[0])
    outer_w, outer_h = (max(PATCH, (length + PATCH // 2) // PATCH * PATCH) for length in inner)
    picture = _resized(picture, outer_w, outer_h, outer_w > inner[0] or outer_h > inner[1])
    return torch.from_numpy(((picture / np.float32(255) - _MEAN) / _STD).transpose(2, 0, 1).copy())[None]


def _resized(pixels: U8, width: int, height: int, larger: bool) -> U8:
    import cv2

    if (width, height) == pixels.shape[1::-1]:
        return pixels
    return np.asarray(
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    )


def _unit(model: str, fov_deg: float | None) -> Unit:
    if "nested" in model or ("metric" in model and fov_deg is not None):
        return "m"
    return "relative"


def _enlarge(values: Any, pixels: U8, query: Query) -> F32:
    """A map (h, w) at the size of the image, of which `pixels` is the thickened picture."""
    from torch.nn.functional import interpolate

    large = interpolate(values[None, None], size=pixels.shape[:2], mode="bilinear", align_corners=False)[0, 0]
    inner: F32 = large.cpu().numpy()[: query.image.height, : query.image.width]
    return np.ascontiguousarray(inner)


@contextmanager
def _quiet() -> Iterator[None]:
    """The library speaks on stdout and warns of its own libraries' deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger = require("depth_anything_3.utils.logger", NAME, "da3").logger
        level, logger.level = logger.level, 0
        try:
            yield
        finally:
            logger.level = level
