"""Do the normals a backend gives lie on the depth it gives? It misses a smooth bias that both share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.payload import DepthMap, NormalMap
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

FIELD_OF_VIEW_DEG = 65.0
"""Of the long side, where nothing is known of the lens: the middle of what ordinary cameras have."""
_EDGE = 0.1
"""A relative step in depth between neighbours above which there is an edge and no surface."""
_HALF_TRUST_DEG = 25.0


class Geometry(Probe):
    """Depth against normals, both of the same backend: signals are the median and mean angle in degrees over smooth
    surface, and the share of the image that was smooth enough to judge."""

    role, calls, tasks, prefix = Role.SELF, 1, frozenset({Task.DEPTH, Task.NORMALS}), "geometry"

    def questions(self, query: Query) -> tuple[Query, ...]:
        other = Task.NORMALS if query.task is Task.DEPTH else Task.DEPTH
        return (replace(query, task=other),)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        pair = {type(p): p for p in (prediction.payload, answers[0].payload)}
        depth, normals = pair[DepthMap], pair[NormalMap]
        assert isinstance(depth, DepthMap)
        assert isinstance(normals, NormalMap)
        if depth.unit == "disparity":
            return Finding()
        angle, judged = angle_between(depth.values, normals.values)
        share = float(judged.mean())
        if not judged.any():
            return Finding({"geometry_median_deg": 90.0, "geometry_mean_deg": 90.0, "geometry_share": 0.0})
        signals = {
            "geometry_median_deg": float(np.median(angle[judged])),
            "geometry_mean_deg": float(angle[judged].mean()),
            "geometry_share": share,
        }
        trust = np.where(judged, 1 / (1 + (angle / _HALF_TRUST_DEG) ** 2), 1).astype(np.float32)
        return Finding(signals, trust)


def angle_between(depth: F32, normals: F32) -> tuple[F32, Bool]:
    """Angle in degrees, float32 (H, W), between `normals` (H, W, 3) and those of the surface that `depth` (H, W) is,
    and where both are known away from edges."""
    made, smooth = normals_of(depth)
    judged = smooth & np.isfinite(normals[..., 0])
    cosine = np.where(judged, (made * np.nan_to_num(normals)).sum(-1), 1).clip(-1, 1)
    return np.degrees(np.arccos(cosine)).astype(np.float32), judged


def normals_of(depth: F32, field_of_view_deg: float = FIELD_OF_VIEW_DEG) -> tuple[F32, Bool]:
    """Normals, float32 (H, W, 3) in the frame +x right, +y up, +z towards the viewer, of a z-depth map (H, W), by
    central differences of the points it stands for; and where there is no edge, sky or gap next to them."""
    height, width = depth.shape
    focal = max(width, height) / 2 / np.tan(np.radians(field_of_view_deg / 2))
    known = np.isfinite(depth) & (depth > 0)
    z = np.where(known, depth, 1).astype(np.float32)
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal
    y = (height / 2 - np.arange(height, dtype=np.float32) - 0.5) / focal
    points = np.stack([x[None] * z, y[:, None] * z, -z], -1)
    across, up = np.zeros_like(points), np.zeros_like(points)
    across[:, 1:-1] = points[:, 2:] - points[:, :-2]
    up[1:-1] = points[:-2] - points[2:]
    normal = np.cross(across, up)
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    log_z = np.log(z)
    smooth = np.zeros(depth.shape, np.bool_)
    step = np.maximum(np.abs(log_z[1:-1, 2:] - log_z[1:-1, :-2]), np.abs(log_z[2:, 1:-1] - log_z[:-2, 1:-1]))
    inner = known[1:-1, 1:-1] & known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1]
    smooth[1:-1, 1:-1] = inner & (step < _EDGE) & (length[1:-1, 1:-1, 0] > 0)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0), smooth
