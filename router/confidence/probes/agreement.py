"""Agreement with other answers to the same question, as signals and as trust in each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.confidence.probes.probe import Finding
from visionrouter.merge.compare import compare
from visionrouter.schema.payload import DepthMap, Intrinsics, NormalMap, Payload

_HALF_TRUST_RELATIVE = 0.15
"""A depth this far from the other's, as a share of it, keeps half of its trust."""
_HALF_TRUST_HALF_TURNS = 15 / 180
_HALF_TRUST_ALBEDO = 0.15


def agreed(prefix: str, payload: Payload, others: Sequence[Payload]) -> Finding:
    """Signals `<prefix>_<measure>`, the mean over `others` of what `compare` gives; the least trust of each pixel."""
    found = [compare(payload, other) for other in others]
    if not found:
        return Finding()
    names = [name for name in found[0].signals if all(name in each.signals for each in found)]
    signals = {f"{prefix}_{name}": _mean(name, [each.signals[name] for each in found]) for name in names}
    maps = [each.map for each in found if each.map is not None]
    if not maps:
        return Finding(signals)
    off = np.maximum.reduce(maps)
    scale = _scale(payload)
    trust = 1 - off if scale is None else 1 / (1 + (off / scale) ** 2)
    return Finding(signals, np.nan_to_num(trust, nan=0.0).astype(np.float32))


def _mean(name: str, values: Sequence[float]) -> float:
    """A scale is as wrong above 1 as below: of its logarithm the size counts, so that more is always worse."""
    return float(np.mean(np.abs(values) if name == "log_scale" else values))


def _scale(payload: Payload) -> float | None:
    match payload:
        case DepthMap():
            return _HALF_TRUST_RELATIVE
        case NormalMap():
            return _HALF_TRUST_HALF_TURNS
        case Intrinsics():
            return _HALF_TRUST_ALBEDO
        case _:
            return None
