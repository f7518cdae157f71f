"""From drawings back to answers at the image's size, with what the drawings say of their own quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.check import NEAR, code_check
from visionrouter.backends.generative.codecs.codes import Codes
from visionrouter.backends.generative.codecs.decoded import Decoded
from visionrouter.backends.generative.codecs.depth import PLACE_DEPTH_M, DepthCode, resolution_m
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.backends.generative.codecs.instances import InstanceCode
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.codecs.normals import NormalCode
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.framing import Frame
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.palette import BLACK, NAMED_COLOURS, separation
from visionrouter.schema.payload import DepthMap, NormalMap, Payload, Poses, Segmentation
from visionrouter.schema.task import Palette, PaletteEntry, Task

_TYPICAL_LEVELS = 4
"""How many 8-bit levels along the walk a depth drawing is typically off."""
SKY_FROM_M = float(PLACE_DEPTH_M[-1 - _TYPICAL_LEVELS])
"""201 m: what is drawn this near to white cannot be told from sky and is read as it."""
_TORN = 0.3
"""A normal this far from unit length and from no length at all is neither a surface nor none."""
_LEAST_SHARE = 0.0005
"""Masks of a smaller share of the drawing are specks."""
_LEAST_JOINTS = 3
_FINITE, _SKY, _UNKNOWN = range(3)


@dataclass(frozen=True, slots=True)
class Reading:
    """A payload at the image's size, its signals, and float32 (H, W) in [0, 1] of where it is to be trusted."""

    payload: Payload
    signals: Mapping[str, float]
    confidence_map: F32
    notes: tuple[str, ...] = ()


def read(task: Task, asks: Sequence[Ask], drawings: Sequence[U8], frame: Frame, codes: Codes) -> Reading:
    """Decode `drawings`, uint8 (h, w, 3), the image's part of the canvas, one for each of `asks`."""
    match task:
        case Task.DEPTH:
            if isinstance(codes.depth, GrayDepthCode):
                return _disparity(drawings[0], frame, codes.depth)
            return _depth(drawings[0], frame, codes.depth)
        case Task.NORMALS:
            return _normals(drawings[0], frame, codes.normals)
        case Task.SEMANTIC:
            return read_classes(asks, drawings).reading(frame)
        case Task.REFERRING:
            return _referring(asks, drawings, frame)
        case Task.INSTANCE:
            return _instances(asks, drawings, frame, codes.instances)
        case _:
            assert codes.pose is not None
            return _poses(drawings[0], frame, codes.pose)


def _depth(drawing: U8, frame: Frame, code: DepthCode) -> Reading:
    decoded = code.decode(drawing)
    depth_m = decoded.values
    state = np.where(depth_m >= SKY_FROM_M, _SKY, _FINITE)
    state[~decoded.valid] = _UNKNOWN
    finite = state == _FINITE
    weight = frame.enlarge(finite.astype(np.float32))
    total = frame.enlarge(np.where(finite, depth_m, 0))
    state = frame.enlarge_labels(state)
    values = np.full(state.shape, np.nan, np.float32)
    np.divide(total, weight, out=values, where=(state == _FINITE) & (weight > 0))
    values[state == _SKY] = np.inf
    confidence = _closeness(decoded.residual, code.tolerance) * _resolved(depth_m)
    check = code_check(drawing, code)
    return Reading(
        DepthMap(values, "m"),
        {**_residuals(decoded), "on_code_share": check.on_code_share},
        frame.enlarge(confidence),
        (f"wrong_code:{check.suspected}",) if check.suspected else (),
    )


def _disparity(drawing: U8, frame: Frame, code: GrayDepthCode) -> Reading:
    decoded = code.decode(drawing)
    known = frame.enlarge(decoded.valid.astype(np.float32))
    total = frame.enlarge(np.where(decoded.valid, decoded.values, 0))
    values = np.full(known.shape, np.nan, np.float32)
    np.divide(total, known, out=values, where=known >= 0.5)
    check = code_check(drawing, code)
    return Reading(
        DepthMap(values, "disparity"),
        {**_residuals(decoded), "on_code_share": check.on_code_share},
        frame.enlarge(_closeness(decoded.residual, code.tolerance)),
        (f"wrong_code:{check.suspected}",) if check.suspected else (),
    )


def _resolved(depth_m: F32) -> F32:
    """In [0, 1]: 1/2 where a typical error along the walk is a tenth of the depth (78 m); 1 for sky, which is a class."""
    near = np.clip(depth_m, 0.1, SKY_FROM_M)
    relative = _TYPICAL_LEVELS * resolution_m(near) / near
    return np.where(depth_m >= SKY_FROM_M, 1, 1 / (1 + relative / 0.1)).astype(np.float32)


def _normals(drawing: U8, frame: Frame, code: NormalCode) -> Reading:
    decoded = code.decode(drawing)
    length = np.linalg.norm(drawing.astype(np.float32) / 127.5 - 1, axis=-1)
    surface = length >= 0.5
    summed = frame.enlarge(np.where(surface[..., None], decoded.values, 0))
    norm = np.linalg.norm(summed, axis=-1, keepdims=True)
    known = (frame.enlarge(surface.astype(np.float32)) >= 0.5)[..., None] & (norm > 0)
    values = np.full_like(summed, np.nan)
    np.divide(summed, norm, out=values, where=known)
    residual = np.minimum(decoded.residual, length)
    check = code_check(drawing, code)
    signals = {
        "code_residual": float(residual.mean()),
        "off_code_share": float((residual > _TORN).mean()),
        "on_code_share": check.on_code_share,
    }
    notes = (f"wrong_code:{check.suspected}",) if check.suspected else ()
    return Reading(NormalMap(values), signals, frame.enlarge(_closeness(residual, 0.5)), notes)


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Classes as drawn. `labels`: those of the palette, then what black means. `value`: int16 (h, w), indices into
    `labels`. `trust`: float32 (h, w) in [0, 1]."""

    labels: tuple[str, ...]
    value: npt.NDArray[np.int16]
    trust: F32
    signals: Mapping[str, float]

    def reading(self, frame: Frame) -> Reading:
        """The masks that hold a pixel; none for black where it means nothing."""
        large = frame.enlarge_labels(self.value)
        shown = [i for i in np.unique(large).tolist() if self.labels[i]]
        labels = [self.labels[i] for i in shown]
        masks = [large == i for i in shown]
        return _segmentation(masks, labels, "semantic", frame.enlarge(self.trust), dict(self.signals))


def read_classes(asks: Sequence[Ask], drawings: Sequence[U8]) -> Classes:
    """Join the drawings of one palette; where two claim a pixel, it is the surer one's."""
    labels = [*dict.fromkeys(entry.label for ask in asks for entry in ask.palette)]
    size = drawings[0].shape[:2]
    value = np.full(size, len(labels), np.int16)
    trust = np.ones(size, np.float32)
    signals = []
    for ask, drawing in zip(asks, drawings, strict=True):
        code = PaletteCode((*ask.palette, PaletteEntry(ask.label, BLACK)))
        decoded = code.decode(drawing)
        means = np.array([*(labels.index(entry.label) for entry in ask.palette), len(labels)], np.int16)
        here = means[decoded.values]
        sure = np.minimum(decoded.margin / separation(code.colours), 1)
        claims = (here < len(labels)) & ((value == len(labels)) | (sure > trust))
        nowhere = (here == len(labels)) & (value == len(labels))
        trust = np.where(claims, sure, np.where(nowhere, np.minimum(trust, sure), trust))
        value[claims] = here[claims]
        signals.append(_palette_signals(code, drawing, decoded, decoded.margin))
    return Classes((*labels, asks[0].label), value, trust, worst(signals))


def _referring(asks: Sequence[Ask], drawings: Sequence[U8], frame: Frame) -> Reading:
    code = PaletteCode(_WHITE_ON_BLACK)
    size = drawings[0].shape[:2]
    value = np.zeros((asks[-1].target + 1, *size), np.bool_)
    trust = np.ones(size, np.float32)
    signals = []
    for ask, drawing in zip(asks, drawings, strict=True):
        decoded = code.decode(drawing)
        drawn = decoded.values == 1
        if drawn.mean() >= _LEAST_SHARE:
            value[ask.target] |= drawn
        trust = np.minimum(trust, _closeness(decoded.residual, separation(code.colours) / 2))
        signals.append(_palette_signals(code, drawing, decoded, decoded.margin))
    masks = [frame.enlarge_labels(mask.astype(np.uint8)) == 1 for mask in value]
    labels = [next(ask.label for ask in asks if ask.target == i) for i in range(len(value))]
    return _segmentation(masks, labels, "referring", frame.enlarge(trust), worst(signals))


_WHITE_ON_BLACK: Palette = (PaletteEntry("nothing", BLACK), PaletteEntry("meant", NAMED_COLOURS["white"]))


def _instances(asks: Sequence[Ask], drawings: Sequence[U8], frame: Frame, code: InstanceCode) -> Reading:
    trust = np.ones(drawings[0].shape[:2], np.float32)
    masks: list[Bool] = []
    labels: list[str] = []
    signals = []
    for ask, drawing in zip(asks, drawings, strict=True):
        decoded = code.decode(drawing)
        numbers = np.zeros(trust.shape, np.int16)
        for number, mask in enumerate(decoded.values, start=1):
            numbers[mask] = number
        large = frame.enlarge_labels(numbers)
        masks += [large == number for number in range(1, len(decoded.values) + 1)]
        labels += [ask.label] * len(decoded.values)
        trust = np.minimum(trust, _closeness(decoded.residual, code.tolerance))
        signals.append(_ink_signals(drawing, decoded, decoded.margin))
    return _segmentation(masks, labels, "instance", frame.enlarge(trust), worst(signals))


def _poses(drawing: U8, frame: Frame, code: KeypointCode) -> Reading:
    decoded = code.decode(drawing)
    points = frame.to_image(decoded.values + np.array([frame.left, frame.top], np.float32))
    people = np.isfinite(points[..., 0]).sum(1) >= min(_LEAST_JOINTS, len(code.joints))
    points, roundness = points[people], np.nan_to_num(decoded.roundness[people])
    boxes = np.zeros((len(points), 4), np.float32)
    if len(points):
        boxes = np.concatenate([np.nanmin(points, 1), np.nanmax(points, 1)], axis=1)
    scores = roundness.mean(1, dtype=np.float32)
    payload = Poses(np.nan_to_num(points), roundness, boxes, scores, code.joints, code.edges)
    signals = _ink_signals(drawing, decoded, None)
    if len(scores):
        signals["score"] = float(scores.mean())
    return Reading(payload, signals, frame.enlarge(_closeness(decoded.residual, code.tolerance)))


def _segmentation(
    masks: Sequence[Bool],
    labels: Sequence[str],
    mode: Literal["semantic", "referring", "instance"],
    trust: F32,
    signals: dict[str, float],
) -> Reading:
    """Masks that hold a pixel, each scored by the mean trust in it."""
    kept = [(mask, label) for mask, label in zip(masks, labels, strict=True) if mask.any()]
    stack = np.stack([mask for mask, _ in kept]) if kept else np.zeros((0, *trust.shape), np.bool_)
    scores = np.array([trust[mask].mean() for mask, _ in kept], np.float32)
    if kept:
        signals["score"] = float(scores.mean())
    return Reading(Segmentation(stack, scores, tuple(label for _, label in kept), mode), signals, trust)


def _closeness(residual: F32, reach: float) -> F32:
    """In [0, 1]: 1 on the code, 0 from `reach` on."""
    closeness: F32 = np.clip(1 - residual / reach, 0, 1).astype(np.float32)
    return closeness


def _residuals(decoded: Decoded) -> dict[str, float]:
    return {
        "code_residual": float(decoded.residual.mean()),
        "off_code_share": 1 - float(decoded.valid.mean()),
    }


def _ink_signals(drawing: U8, decoded: Decoded, margin: F32 | None) -> dict[str, float]:
    """Signals of a drawing on black. `ink_residual` is the residual where something is drawn, which a large black
    ground does not thin out; 0 where nothing is."""
    ink = (drawing.astype(np.float32) ** 2).sum(-1) > (255 * NEAR) ** 2
    signals = {
        **_residuals(decoded),
        "ink_residual": float(decoded.residual[ink].mean()) if ink.any() else 0.0,
        "on_code_share": float((decoded.residual <= NEAR).mean()),
    }
    if margin is not None:
        signals["margin"] = float(np.minimum(margin, 1).mean())
    return signals


def _palette_signals(code: PaletteCode, drawing: U8, decoded: Decoded, margin: F32) -> dict[str, float]:
    signals = _ink_signals(drawing, decoded, margin / separation(code.colours))
    return {**signals, "on_code_share": code_check(drawing, code).on_code_share}


_WORST: Mapping[str, Callable[[Sequence[float]], float]] = {"margin": min, "on_code_share": min}


def worst(signals: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each signal the value that speaks most against any of the drawings."""
    return {name: _WORST.get(name, max)([each[name] for each in signals]) for name in signals[0]}
