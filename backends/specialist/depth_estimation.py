"""Depth of one image by transformers' estimators: Depth Anything V2, Depth Pro, ZoeDepth.

Yang et al. 2024 (arXiv 2406.09414), Bochkovskii et al. 2024 (arXiv 2410.02073), Bhat et al. 2023 (arXiv 2302.12288).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.specialist.checkpoint import CheckpointBackend, Origin, in_batches
from visionrouter.backends.specialist.pretrained import (
    EXTRA,
    REQUIRES,
    Pretrained,
    check_family,
    finite,
    fixed_size,
)
from visionrouter.backends.specialist.thicken import thicken
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

Unit = Literal["m", "relative", "disparity"]

_DEPTH_PRO_FARTHEST_M = 9_999.0
"""The network speaks of inverse depth, which its library cuts at a ten-thousandth of a metre."""


class DepthAnything(CheckpointBackend):
    """Depth by Depth Anything V1 or V2.

    A metric checkpoint gives metres of z-depth, up to the range it was tuned on; a relative one gives disparity up to
    scale and shift, larger is nearer. The configuration says which. No signals: the network does not know how sure it is.
    """

    name: ClassVar[str] = "depth_anything"
    families: ClassVar[tuple[str, ...]] = ("depth_anything",)
    usual: ClassVar[str] = "depth-anything/Depth-Anything-V2-Small-hf"
    usual_unit: ClassVar[Unit] = "disparity"

    def __init__(
        self,
        *,
        source: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        batch_limit: int = 4,
    ) -> None:
        """`source`: a hub id or a folder (default: the family's usual model)."""
        spec = BackendSpec(
            name=self.name,
            kind="specialist",
            tasks=frozenset({Task.DEPTH}),
            licence="unknown",
            batch_limit=batch_limit,
            depth_unit=self.usual_unit,
            cost=3.0,
            memory_mb=600,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(spec, Origin(source or self.usual, revision, device, precision, licence))

    def describe(self, folder: Path) -> Mapping[str, Any]:
        config = check_family(folder, self.name, self.families)
        return {"depth_unit": self.unit(config), "input_size": fixed_size(folder)}

    def unit(self, config: Mapping[str, Any], /) -> Unit:
        """What a checkpoint's numbers mean, by its configuration."""
        return "m" if config.get("depth_estimation_type") == "metric" else "disparity"

    def open(self, folder: Path, device: Any, dtype: Any) -> Pretrained:
        return Pretrained.open(folder, self.name, device, dtype, model="AutoModelForDepthEstimation")

    def answer(self, model: Pretrained, queries: Sequence[Query]) -> list[Prediction]:
        def run(seen: list[tuple[Any, tuple[int, int]]]) -> list[Any]:
            output = model.run([tensors for tensors, _ in seen])
            output.predicted_depth = finite(output.predicted_depth.float(), self.spec.name)
            return self.resize(model.processor, output, [size for _, size in seen])

        thick = [thicken(query.image.pixels) for query in queries]
        seen = [(model.see(pixels), pixels.shape[:2]) for pixels in thick]
        maps = in_batches(seen, lambda one: one[0]["pixel_values"].shape, run)
        return [self._read(query, found) for query, found in zip(queries, maps, strict=True)]

    def resize(self, processor: Any, output: Any, sizes: list[tuple[int, int]]) -> list[Any]:
        """The library's maps at (height, width) of each image."""
        rows = processor.post_process_depth_estimation(output, target_sizes=sizes)
        return [row["predicted_depth"] for row in rows]

    def _read(self, query: Query, found: Any) -> Prediction:
        values = found.float().cpu().numpy()[: query.image.height, : query.image.width]
        if self.spec.depth_unit == "m":
            values = values.clip(0)  # cubic enlargement undershoots at edges
        return Prediction(DepthMap(np.ascontiguousarray(values, np.float32), self.spec.depth_unit or "m"))


class DepthPro(DepthAnything):
    """Metres of z-depth by Depth Pro, which guesses the camera's field of view from the picture; +inf beyond 10 km."""

    name = "depth_pro"
    families = ("depth_pro",)
    usual = "apple/DepthPro-hf"
    usual_unit = "m"

    def unit(self, config: Mapping[str, Any], /) -> Unit:
        return "m" if config.get("use_fov_model") else "relative"

    def resize(self, processor: Any, output: Any, sizes: list[tuple[int, int]]) -> list[Any]:
        maps = super().resize(processor, output, sizes)
        return [depth.masked_fill(depth >= _DEPTH_PRO_FARTHEST_M, float("inf")) for depth in maps]


class ZoeDepth(DepthAnything):
    """Metres of z-depth by ZoeDepth: indoors (NYU), outdoors (KITTI) or both, as the checkpoint was tuned."""

    name = "zoedepth"
    families = ("zoedepth",)
    usual = "Intel/zoedepth-nyu-kitti"
    usual_unit = "m"

    def unit(self, _: Mapping[str, Any], /) -> Unit:
        return "m"

    def resize(self, processor: Any, output: Any, sizes: list[tuple[int, int]]) -> list[Any]:
        rows = processor.post_process_depth_estimation(output, source_sizes=sizes, target_sizes=sizes)
        return [row["predicted_depth"] for row in rows]
