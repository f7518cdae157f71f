"""A pipeline of Marigold's, opened: how it is run, and what it draws of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.marigold.targets import Target
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.request import Query


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A pipeline with how it is run. `targets`: the intrinsics that it draws; none for depth and normals."""

    pipeline: Any
    targets: tuple[Target, ...]
    steps: int
    long_side: int
    from_zeros: bool
    ensemble: int

    def frame(self, query: Query) -> Frame:
        return Frame.around(*query.image.size, self.long_side, int(self.pipeline.vae_scale_factor))

    def require(self, name: str, query: Query) -> None:
        """Raise `UnsupportedTargetError` where the intrinsics asked for are not among those drawn."""
        drawn = [target.name for target in self.targets]
        if drawn and query.style is not None and query.style not in drawn:
            raise UnsupportedTargetError(
                f"{name} draws {', '.join(drawn)}, not {query.style}; route that to a backend with other weights"
            )

    def draw(self, frame: Frame, query: Query) -> tuple[F32, F32 | None]:
        """float32 (T, H, W, 1 or 3) of the canvas, T pictures for intrinsics and else one, and of an ensemble its
        disagreement (H, W).

        Noise is drawn on the CPU by the query's seed, so that it does not depend on the device.
        """
        import torch

        pipeline = self.pipeline
        canvas = torch.from_numpy(frame.place(query.image.pixels)).permute(2, 0, 1)[None].float() / 255
        start: dict[str, Any] = {"generator": torch.Generator().manual_seed(query.seed)}
        if self.from_zeros:
            scale = int(pipeline.vae_scale_factor)
            size = (frame.canvas_height // scale, frame.canvas_width // scale)
            latents = torch.zeros(1, pipeline.unet.config.out_channels, *size, dtype=pipeline.dtype)
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
        apart = None if made.uncertainty is None else self._mean(np.asarray(made.uncertainty, np.float32))
        return np.asarray(made.prediction, np.float32), apart

    def _mean(self, apart: F32) -> F32:
        """A disagreement in each channel of each picture, float32 (T, H, W, C), as one of the pixel."""
        if not self.targets:
            return apart[0, ..., 0]
        maps = [target.seen(apart) for target in self.targets]
        whole: F32 = np.mean(
            [each if each.ndim == 2 else each.mean(-1) for each in maps], 0, dtype=np.float32
        )
        return whole
