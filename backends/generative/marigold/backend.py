"""Marigold as a backend: relative depth, or normals, with the disagreement of an ensemble as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.generative.codecs.normals import MARIGOLD_AXES, NormalCode
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.pretrained import (
    EXTRA,
    REQUIRES,
    DiffusersBackend,
    pipeline_class,
    read_model,
    read_pipeline,
)
from visionrouter.backends.memory import enough_memory
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import BackendError, ProfileError, SchemaError, WeightsError
from visionrouter.schema.payload import DepthMap, NormalMap
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

_PIPELINES: Mapping[Literal["depth", "normals"], str] = {
    "depth": "MarigoldDepthPipeline",
    "normals": "MarigoldNormalsPipeline",
}
_HALF_TRUST: Mapping[str, float] = {"depth": 0.05, "normals": 0.0625}
"""The disagreement at which a pixel is trusted by half: a twentieth of the range of depth, 11.25 degrees."""


class Marigold(DiffusersBackend):
    """Marigold (arXiv 2312.02145, 2505.09358), its LCM variant, and E2E-FT (arXiv 2409.11355), which draws in one step
    from no noise and so is deterministic.

    Depth is affine-invariant: unit "relative", or "disparity" where the pipeline says that it predicts inverse depth.
    Normals are turned from the model's axes to the frame of results.

    Signals, of an ensemble alone: `ensemble_uncertainty`, the mean over the picture of the members' disagreement (depth:
    median absolute deviation as a share of its range, after alignment; normals: mean angle to their mean, as a share of
    pi), and a confidence map of it. One drawing has no evidence for itself: a policy must check it with another backend.
    """

    def __init__(
        self,
        source: str,
        *,
        draws: Literal["depth", "normals"] = "depth",
        steps: int | None = None,
        noise: Literal["gaussian", "zeros"] = "gaussian",
        ensemble: int = 1,
        vae: str | None = None,
        axes: str = MARIGOLD_AXES,
        depth_unit: Literal["relative", "disparity"] = "relative",
        long_side: int | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        batch_limit: int = 4,
    ) -> None:
        """`source`: hub id or path. `draws`: what its weights are for. `steps` and `long_side` (pixels of the canvas):
        what the pipeline was saved with where None (else 4, and 768). `noise`: "zeros" for E2E-FT, which is drawn in one
        step. `ensemble`: drawings from different noise, 3 or more. `vae`: hub id or path of a tiny autoencoder, which is
        quicker and coarser. `axes`: the signed axes that the normals' three channels hold. `depth_unit`: what the
        weights predict. Raises `ProfileError`."""
        _check(draws, steps, noise, ensemble, depth_unit)
        try:
            self._code = NormalCode(axes)
        except SchemaError as error:
            raise ProfileError(f"axes: {error}") from error
        self._draws: Literal["depth", "normals"] = draws
        self._steps = steps
        self._noise = noise
        self._ensemble = ensemble
        self._long_side = long_side
        spec = BackendSpec(
            name="marigold",
            kind="generative",
            tasks=frozenset({Task.DEPTH if draws == "depth" else Task.NORMALS}),
            licence="unknown",
            batch_limit=batch_limit,
            depth_unit=depth_unit if draws == "depth" else None,
            cost=20.0 * ensemble,
            extra=EXTRA,
            requires=(*REQUIRES, "scipy"),
        )
        super().__init__(
            spec,
            {"pipeline": source, "vae": vae},
            revision=revision,
            device=device,
            precision=precision,
            licence=licence,
        )

    def told(self, folders: Mapping[str, Path]) -> Mapping[str, Any]:
        _refuse_others(self.spec.name, folders["pipeline"])
        pipeline_class(folders["pipeline"], {_PIPELINES[self._draws]: None}, self.spec.name)
        return {}

    def assemble(self, folders: Mapping[str, Path]) -> _Marigold:
        name, folder, cls = self.spec.name, folders["pipeline"], _PIPELINES[self._draws]
        device, dtype = self.placed("float16")
        parts = {}
        if tiny := folders.get("vae"):
            parts["vae"] = read_model(name, "AutoencoderTiny", tiny, dtype)
        pipeline = read_pipeline(name, cls, folder, device, dtype, **parts)
        predicts = pipeline.config.get("prediction_type")
        if self._draws == "depth" and (predicts == "disparity") != (self.spec.depth_unit == "disparity"):
            raise WeightsError(
                f"{name}: {folder} predicts {predicts}, the profile says {self.spec.depth_unit}; set "
                f"depth_unit: {'disparity' if predicts == 'disparity' else 'relative'}"
            )
        return _Marigold(
            pipeline,
            1 if self._noise == "zeros" else self._steps or pipeline.default_denoising_steps or 4,
            self._long_side or pipeline.default_processing_resolution or 768,
            self._noise == "zeros",
            self._ensemble,
        )

    def answers(self, model: _Marigold, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(model, query) for query in queries]

    def _answer(self, opened: _Marigold, query: Query) -> Prediction:
        frame = opened.frame(query)
        with enough_memory(self.spec.name, opened.ensemble):
            predicted, uncertainty = opened.draw(frame, query)
        if not np.isfinite(predicted).all():
            raise BackendError(
                f"{self.spec.name} drew NaN or infinite values; run it with precision: float32"
            )
        evidence = _evidence(uncertainty, frame, _HALF_TRUST[self._draws])
        inner = frame.crop(predicted)
        large = frame.enlarge(np.ascontiguousarray(inner[..., 0] if inner.shape[2] == 1 else inner))
        if self._draws == "depth":
            assert self.spec.depth_unit is not None
            return Prediction(DepthMap(large, self.spec.depth_unit), evidence)
        return Prediction(NormalMap(self._upright(large)), evidence)

    def _upright(self, drawn: F32) -> F32:
        """Normals (H, W, 3) in the model's axes as unit vectors in the frame of results; NaN where they cancel."""
        turned = self._code.turn(drawn)
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        normals = np.full_like(turned, np.nan)
        np.divide(turned, length, out=normals, where=length > 1e-3)
        return normals


@dataclass(frozen=True, slots=True, eq=False)
class _Marigold:
    """A pipeline with how it is run."""

    pipeline: Any
    steps: int
    long_side: int
    from_zeros: bool
    ensemble: int

    def frame(self, query: Query) -> Frame:
        return Frame.around(*query.image.size, self.long_side, int(self.pipeline.vae_scale_factor))

    def draw(self, frame: Frame, query: Query) -> tuple[F32, F32 | None]:
        """float32 (H, W, 1 or 3) of the canvas, and of an ensemble its disagreement (H, W).

        Noise is drawn on the CPU by the query's seed, so that it does not depend on the device.
        """
        import torch

        pipeline = self.pipeline
        canvas = torch.from_numpy(frame.place(query.image.pixels)).permute(2, 0, 1)[None].float() / 255
        start: dict[str, Any] = {"generator": torch.Generator().manual_seed(query.seed)}
        if self.from_zeros:
            scale = int(pipeline.vae_scale_factor)
            size = (frame.canvas_height // scale, frame.canvas_width // scale)
            latents = torch.zeros(1, pipeline.vae.config.latent_channels, *size, dtype=pipeline.dtype)
            start = {"latents": latents.to(pipeline.device)}
        is_cpu = pipeline.device.type == "cpu"
        with torch.inference_mode():
            made = pipeline(
                canvas,
                num_inference_steps=self.steps,
                ensemble_size=self.ensemble,
                processing_resolution=0,
                batch_size=1 if is_cpu else min(self.ensemble, 8),
                output_uncertainty=self.ensemble > 1,
                output_type="np",
                **start,
            )
        uncertainty = (
            None if made.uncertainty is None else np.asarray(made.uncertainty[0, ..., 0], np.float32)
        )
        return np.asarray(made.prediction[0], np.float32), uncertainty


def _evidence(uncertainty: F32 | None, frame: Frame, half_trust: float) -> Evidence:
    if uncertainty is None:
        return Evidence()
    inner = frame.crop(np.nan_to_num(uncertainty, nan=1.0))
    trust = frame.enlarge((1 / (1 + inner / half_trust)).astype(np.float32)).clip(0, 1)
    return Evidence({"ensemble_uncertainty": float(inner.mean())}, trust)


def _refuse_others(name: str, folder: Path) -> None:
    """Say of the relatives that cannot be run why that is so. Raises `WeightsError`."""
    index = folder / "model_index.json"
    said = index.read_text(encoding="utf-8") if index.is_file() else ""
    if "Lotus" in said:
        raise WeightsError(
            f"{name}: {folder} is a Lotus pipeline, which diffusers does not have and whose own code is not run; "
            "use marigold-e2e-ft weights, which draw in one step too"
        )
    if "MarigoldIntrinsicsPipeline" in said:
        raise WeightsError(
            f"{name}: {folder} draws albedo and shading, which no task asks for; name marigold-depth or "
            "marigold-normals weights"
        )


def _check(draws: str, steps: int | None, noise: str, ensemble: int, unit: str) -> None:
    if draws not in _PIPELINES:
        raise ProfileError(f"draws is {draws!r}; give depth or normals")
    if noise not in ("gaussian", "zeros"):
        raise ProfileError(f"noise is {noise!r}; give gaussian or zeros")
    if unit not in ("relative", "disparity"):
        raise ProfileError(
            f"depth_unit is {unit!r}; Marigold's depth has no scale, give relative or disparity"
        )
    if steps is not None and steps < 1:
        raise ProfileError(f"steps is {steps}; give 1 or more")
    if noise == "zeros" and (ensemble > 1 or (steps or 1) > 1):
        raise ProfileError(
            "noise: zeros draws the same picture each time, in one step; leave out ensemble and steps"
        )
    if ensemble < 1 or ensemble == 2:
        raise ProfileError(
            f"ensemble is {ensemble}; give 1, or 3 and more: two members cannot outvote each other"
        )
