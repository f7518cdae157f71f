"""How far two answers to one task agree: a few named numbers, and a map of the disagreement where the task is dense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from visionrouter.merge.alignment import align
from visionrouter.merge.classes import spread
from visionrouter.merge.intrinsics import known_in, offset, scale_onto, si_rmse
from visionrouter.merge.matching import assign, box_iou, mask_iou, same_labels
from visionrouter.merge.part import one_size
from visionrouter.merge.poses import similarity
from visionrouter.schema.arrays import F32, Bool, Record
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)

_FAR_OFF = 0.25
_SAME_BOX = 0.5
_SAME_MASK = 0.5
_SAME_PERSON = 0.5
_RANKED = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Agreement(Record):
    """`signals`: finite numbers, named as in docs/merging.md; one that cannot be told is absent. `map`: float32 (H, W)
    disagreement in [0, 1], NaN where the two cannot be compared, or None."""

    signals: Mapping[str, float] = field(default_factory=dict)
    map: F32 | None = None


def compare(a: Payload, b: Payload) -> Agreement:
    """Hold answer `a` against `b`, two answers to one task on one image.

    Raises `SchemaError` where they are of different kinds, modes or sizes, or of a kind that is not compared.
    """
    if type(a) is not type(b):
        raise SchemaError(f"compare: a {a.kind} and a {b.kind} answer different tasks")
    comparer = _COMPARERS.get(type(a))
    if comparer is None:
        raise SchemaError(f"compare: {a.kind} is not compared; compare the answers it is joined from")
    return comparer(a, b)


def _depth(a: DepthMap, b: DepthMap) -> Agreement:
    """Relative errors count against `b`, after `a` was brought onto its scale."""
    size = one_size([a.values.shape, b.values.shape])
    sky_a, sky_b = np.isposinf(a.values), np.isposinf(b.values)
    both = np.isfinite(a.values) & np.isfinite(b.values)
    knows = (sky_a | np.isfinite(a.values)) & (sky_b | np.isfinite(b.values))
    signals = {
        "common_share": _mean(both),
        "sky_disagreement": _mean((sky_a != sky_b)[knows]),
    }
    if a.unit == b.unit == "m":
        metres = np.abs(a.values[both] - b.values[both]) / np.maximum(b.values[both], 1e-3)
        if metres.size:
            signals["abs_rel"] = float(metres.mean(dtype=np.float64))
    found = align(a, b)
    signals["aligned"] = float(found is not None)
    if {a.unit, b.unit} == {"relative", "disparity"}:
        return _ranked(a, b, both, signals)
    if found is None:
        return Agreement(signals)
    error = _error(found.apply(a, b.unit), b, both)
    known = error[both]
    signals |= {
        "aligned_median": float(np.median(known)),
        "aligned_mean": float(known.mean(dtype=np.float64)),
        "aligned_share_25": _mean(known > _FAR_OFF),
    }
    if found.space == "log":
        signals["log_scale"] = found.log_scale
    apart: F32 = np.full(size, np.nan, np.float32)
    apart[both] = np.minimum(known, 1)
    apart[sky_a & sky_b] = 0
    apart[knows & (sky_a != sky_b)] = 1
    return Agreement(signals, apart)


def _error(aligned: F32, b: DepthMap, both: Bool) -> F32:
    """float32 (H, W): relative error, of `b`'s value in metres, else of its 5 to 95 % spread; at most 10."""
    if b.unit == "m":
        scale: Any = np.maximum(b.values, 1e-3)
    else:
        low, high = np.quantile(b.values[both], (0.05, 0.95))
        scale = max(float(high - low), 1e-12)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(aligned - b.values) / scale
    bounded: F32 = np.nan_to_num(error, nan=10, posinf=10).clip(0, 10).astype(np.float32)
    return bounded


def _ranked(a: DepthMap, b: DepthMap, both: Bool, signals: dict[str, float]) -> Agreement:
    """Relative depth against disparity: no line relates them, so only their order is compared."""
    x, y = a.values[both], b.values[both]
    step = max(1, -(-len(x) // _RANKED))
    x, y = x[::step], y[::step]
    if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
        signals["rank_disagreement"] = (1 + float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])) / 2
    return Agreement(signals)


def _ranks(values: F32) -> Any:
    """Ranks, equal values sharing their mean rank (Spearman)."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2


def _normals(a: NormalMap, b: NormalMap) -> Agreement:
    size = one_size([a.values.shape, b.values.shape])
    cosine = (a.values * b.values).sum(-1)
    both = np.isfinite(cosine)
    known_a, known_b = np.isfinite(a.values).all(-1), np.isfinite(b.values).all(-1)
    signals = {"common_share": _mean(both), "known_disagreement": _mean(known_a != known_b)}
    apart: F32 = np.full(size, np.nan, np.float32)
    if both.any():
        degrees = np.degrees(np.arccos(cosine[both].clip(-1, 1)))
        signals |= {
            "angle_mean_deg": float(degrees.mean(dtype=np.float64)),
            "angle_median_deg": float(np.median(degrees)),
            "angle_share_30": _mean(degrees > 30),
        }
        apart[both] = degrees / 180
    return Agreement(signals, apart)


def _intrinsics(a: Intrinsics, b: Intrinsics) -> Agreement:
    """Colours up to one scale: how much of a picture's brightness is its surfaces' and how much the light's, no picture
    tells. Maps that only one of them has are not compared."""
    size = one_size([a.albedo.shape, b.albedo.shape])
    both = known_in(a.albedo) & known_in(b.albedo)
    signals = {"common_share": _mean(both)}
    apart: F32 = np.full(size, np.nan, np.float32)
    if both.any():
        mine, theirs = a.albedo[both], b.albedo[both]
        scale = scale_onto(mine, theirs)
        signals["si_rmse"] = si_rmse(mine, theirs)
        if scale > 0:
            signals["log_scale"] = float(np.log(scale))
        apart[both] = offset(np.float32(scale or 1) * mine, theirs).clip(0, 1)
    for name in ("roughness", "metallicity", "shading", "residual"):
        if name in a.maps and name in b.maps:
            signals |= _intrinsic(name, a.maps[name], b.maps[name])
    return Agreement(signals, apart)


def _intrinsic(name: str, a: F32, b: F32) -> dict[str, float]:
    both = known_in(a) & known_in(b)
    if not both.any():
        return {}
    if a.ndim == 2:
        return {f"{name}_mean": float(np.abs(a[both] - b[both]).mean(dtype=np.float64))}
    return {f"{name}_si_rmse": si_rmse(a[both], b[both])}


def _masks(a: Segmentation, b: Segmentation) -> Agreement:
    one_size([a.masks.shape[1:], b.masks.shape[1:]])
    if a.mode != b.mode:
        raise SchemaError(f"compare: {a.mode} and {b.mode} masks answer different tasks")
    return _semantic(a, b) if a.mode == "semantic" else _things(a, b)


def _semantic(a: Segmentation, b: Segmentation) -> Agreement:
    """Classes by name. "No class" is one more: a pixel that only one of them labels is a disagreement."""
    names = sorted({*a.labels, *b.labels})
    of_a, of_b = class_map(a, names), class_map(b, names)
    labelled = [n for n in range(len(names)) if (of_a == n).any() or (of_b == n).any()]
    ious = [((of_a == n) & (of_b == n)).sum() / ((of_a == n) | (of_b == n)).sum() for n in labelled]
    differs = of_a != of_b
    signals = {"miou": float(np.mean(ious)) if ious else 1.0, "pixel_agreement": 1 - _mean(differs)}
    return Agreement(signals, differs.astype(np.float32))


def class_map(found: Segmentation, names: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """int32 (H, W): each pixel's class as an index into `names`, -1 where it has none or one not among them."""
    index = np.array(
        [names.index(label) if label in names else -1 for label in found.labels] + [-1], np.int32
    )
    return index[found.label_map]


def _things(a: Segmentation, b: Segmentation) -> Agreement:
    """Instances within a label, other masks whatever each calls the thing meant. An empty mask is no thing."""
    (masks_a, labels_a), (masks_b, labels_b) = _present(a), _present(b)
    overlap = mask_iou(masks_a, masks_b)
    if a.mode == "instance":
        overlap[~same_labels(labels_a, labels_b)] = 0
    pairs = assign(overlap, _SAME_MASK)
    union_a, union_b = masks_a.any(0), masks_b.any(0)
    cover = (union_a | union_b).sum()
    signals = {
        **_matched([float(overlap[p]) for p in pairs], len(masks_a), len(masks_b), "iou"),
        "foreground_iou": float((union_a & union_b).sum() / cover) if cover else 1.0,
    }
    return Agreement(signals, (union_a != union_b).astype(np.float32))


def _present(found: Segmentation) -> tuple[Bool, list[str]]:
    kept = np.flatnonzero(found.masks.any((1, 2)))
    return found.masks[kept], [found.labels[i] for i in kept]


def _detections(a: Detections, b: Detections) -> Agreement:
    overlap = box_iou(a.boxes, b.boxes)
    overlap[~same_labels(a.labels, b.labels)] = 0
    pairs = assign(overlap, _SAME_BOX)
    return Agreement(_matched([float(overlap[p]) for p in pairs], len(a), len(b), "iou"))


def _poses(a: Poses, b: Poses) -> Agreement:
    names = [name for name in a.names if name in b.names]
    alike = similarity(a, b, names)
    pairs = assign(alike, _SAME_PERSON)
    return Agreement(_matched([float(alike[p]) for p in pairs], len(a), len(b), "oks"))


def _matched(likeness: list[float], n: int, m: int, name: str) -> dict[str, float]:
    """Signals of things matched one to one.

    `f1`: 2 TP / (n + m). `NAME`: mean likeness over matched and unmatched things alike, an unmatched one as 0.
    `NAME_matched`: over the matched alone. `unmatched_share`: of all things seen. Nothing on both sides is full
    agreement, nothing on one side none.
    """
    things = n + m - len(likeness)
    if not things:
        return {"f1": 1.0, name: 1.0, "unmatched_share": 0.0}
    signals = {
        "f1": 2 * len(likeness) / (n + m),
        name: sum(likeness) / things,
        "unmatched_share": 1 - len(likeness) / things,
    }
    return signals | ({f"{name}_matched": sum(likeness) / len(likeness)} if likeness else {})


def _classes(a: Classification, b: Classification) -> Agreement:
    """Jensen-Shannon divergence in bits over the union of labels; what is not listed is one more class.

    Two answers without a class agree; one without disagrees with one that has some.
    """
    names = sorted({*a.labels, *b.labels})
    p, q = (_distribution(found, names) for found in (a, b))
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return Agreement(
        {"top1_same": float(a.labels[:1] == b.labels[:1]), "js_divergence": float(np.clip(divergence, 0, 1))}
    )


def _distribution(found: Classification, names: list[str]) -> Any:
    listed = spread(found, names)
    whole = np.append(listed, max(0.0, 1 - listed.sum()))
    return whole / whole.sum()


def _relative_entropy(p: Any, q: Any) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())


def _mean(marked: Any) -> float:
    return float(marked.mean()) if marked.size else 0.0


_COMPARERS: Mapping[type, Callable[[Any, Any], Agreement]] = {
    Detections: _detections,
    Segmentation: _masks,
    DepthMap: _depth,
    NormalMap: _normals,
    Intrinsics: _intrinsics,
    Poses: _poses,
    Classification: _classes,
}
