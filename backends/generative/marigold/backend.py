"""Marigold as a backend: relative depth, normals or intrinsics, with the disagreement of an ensemble as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.generative.codecs.normals import MARIGOLD_AXES, NormalCode
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.marigold.opened import Opened
from visionrouter.backends.generative.marigold.targets import Target, targets_of
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
from visionrouter.schema.errors import (
    BackendError,
    ProfileError,
    SchemaError,
    WeightsError,
)
from visionrouter.schema.payload import DepthMap, Intrinsics, NormalMap, Payload
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Draws = Literal["depth", "normals", "intrinsics"]

_PIPELINES: Mapping[Draws, str] = {
    "depth": "MarigoldDepthPipeline",
    "normals": "MarigoldNormalsPipeline",
    "intrinsics": "MarigoldIntrinsicsPipeline",
}
_TASKS: Mapping[Draws, Task] = {
    "depth": Task.DEPTH,
    "normals": Task.NORMALS,
    "intrinsics": Task.INTRINSICS,
}
_WEIGHTS: Mapping[Draws, str] = {
    "depth": "marigold-depth",
    "normals": "marigold-normals",
    "intrinsics": "marigold-iid",
}
_HALF_TRUST: Mapping[Draws, float] = {"depth": 0.05, "normals": 0.0625, "intrinsics": 0.05}
"""The disagreement at which a pixel is trusted by half: a twentieth of the range of depth, 11.25 degrees, a twentieth of
what a map of intrinsics is drawn in."""


class Marigold(DiffusersBackend):
    """Marigold (arXiv 2312.02145, 2505.09358), its LCM variant, and E2E-FT (arXiv 2409.11355), which draws in one step
    from no noise and so is deterministic.

    Depth is affine-invariant: unit "relative", or "disparity" where the pipeline says that it predicts inverse depth.
    Normals are turned from the model's axes to the frame of results. Intrinsics are those that the weights name: albedo,
    roughness and metallicity of "appearance", albedo, shading and residual of "lighting", made linear where they are drawn
    gamma encoded; a query for another raises `UnsupportedTargetError`.

    Signals, of an ensemble alone: `ensemble_uncertainty`, the mean over the picture of the members' disagreement (depth:
    median absolute deviation as a share of its range, after alignment; normals: mean angle to their mean, as a share of
    pi; intrinsics: median absolute deviation as drawn, averaged over the maps), and a confidence map of it. One drawing has
    no evidence for itself: a policy must check it with another backend.
    """

    def __init__(
        self,
        source: str,
        *,
        draws: Draws = "depth",
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
        self._draws: Draws = draws
        self._steps = steps
        self._noise = noise
        self._ensemble = ensemble
        self._long_side = long_side
        spec = BackendSpec(
            name="marigold",
            kind="generative",
            tasks=frozenset({_TASKS[draws]}),
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
        name, folder = self.spec.name, folders["pipeline"]
        _refuse_lotus(name, folder)
        cls, draws = pipeline_class(folder, {cls: draws for draws, cls in _PIPELINES.items()}, name)
        if draws != self._draws:
            raise WeightsError(
                f"{name}: {folder} holds a {cls}, the profile says draws: {self._draws}; set draws: {draws}, or name "
                f"{_WEIGHTS[self._draws]} weights"
            )
        return {}

    def assemble(self, folders: Mapping[str, Path]) -> Opened:
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
        return Opened(
            pipeline,
            _targets(name, folder, pipeline) if self._draws == "intrinsics" else (),
            1 if self._noise == "zeros" else self._steps or pipeline.default_denoising_steps or 4,
            self._long_side or pipeline.default_processing_resolution or 768,
            self._noise == "zeros",
            self._ensemble,
        )

    def answers(self, model: Opened, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(model, query) for query in queries]

    def _answer(self, opened: Opened, query: Query) -> Prediction:
        opened.require(self.spec.name, query)
        frame = opened.frame(query)
        with enough_memory(self.spec.name, opened.ensemble):
            predicted, uncertainty = opened.draw(frame, query)
        if not np.isfinite(predicted).all():
            raise BackendError(
                f"{self.spec.name} drew NaN or infinite values; run it with precision: float32"
            )
        evidence = _evidence(uncertainty, frame, _HALF_TRUST[self._draws])
        return Prediction(self._payload(predicted, frame, opened.targets), evidence)

    def _payload(self, predicted: F32, frame: Frame, targets: Sequence[Target]) -> Payload:
        """What is drawn on the canvas, float32 (T, H, W, 1 or 3), as an answer at the image's size."""

        def large(drawn: F32) -> F32:
            return frame.enlarge(np.ascontiguousarray(frame.crop(drawn)))

        if targets:
            maps: dict[str, Any] = {t.name: large(t.read(predicted)).clip(0, 1) for t in targets}
            return Intrinsics(**maps)
        if self.spec.depth_unit is not None:
            return DepthMap(large(predicted[0, ..., 0]), self.spec.depth_unit)
        return NormalMap(self._upright(large(predicted[0])))

    def _upright(self, drawn: F32) -> F32:
        """Normals (H, W, 3) in the model's axes as unit vectors in the frame of results; NaN where they cancel."""
        turned = self._code.turn(drawn)
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        normals = np.full_like(turned, np.nan)
        np.divide(turned, length, out=normals, where=length > 1e-3)
        return normals


def _evidence(uncertainty: F32 | None, frame: Frame, half_trust: float) -> Evidence:
    if uncertainty is None:
        return Evidence()
    inner = frame.crop(np.nan_to_num(uncertainty, nan=1.0))
    trust = frame.enlarge((1 / (1 + inner / half_trust)).astype(np.float32)).clip(0, 1)
    return Evidence({"ensemble_uncertainty": float(inner.mean())}, trust)


def _targets(name: str, folder: Path, pipeline: Any) -> tuple[Target, ...]:
    """What a pipeline of intrinsics draws. Raises `WeightsError` where it does not say so."""
    try:
        found = targets_of(pipeline.target_properties)
    except SchemaError as error:
        raise WeightsError(f"{name}: {folder}: {error}; name marigold-iid weights") from error
    pictures = 1 + max(target.picture for target in found)
    if pictures > pipeline.n_targets:
        raise WeightsError(
            f"{name}: {folder} names {pictures} pictures and draws {pipeline.n_targets}; fetch it anew"
        )
    return found


def _refuse_lotus(name: str, folder: Path) -> None:
    """Say of a relative that cannot be run why that is so. Raises `WeightsError`."""
    index = folder / "model_index.json"
    said = index.read_text(encoding="utf-8") if index.is_file() else ""
    if "Lotus" in said:
        raise WeightsError(
            f"{name}: {folder} is a Lotus pipeline, which diffusers does not have and whose own code is not run; "
            "use marigold-e2e-ft weights, which draw in one step too"
        )


def _check(draws: str, steps: int | None, noise: str, ensemble: int, unit: str) -> None:
    if draws not in _PIPELINES:
        raise ProfileError(f"draws is {draws!r}; give depth, normals or intrinsics")
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
