"""What goes into a merger (`Part`) and what comes out (`Merged`), whatever the payload's kind."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b

import numpy as np

from visionrouter.merge.alignment import Alignment
from visionrouter.schema.arrays import F32, U8, Bool, Record, check, fail
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Payload

MOST_PARTS = 255
"""A source is one byte."""


@dataclass(frozen=True, slots=True, eq=False)
class Part(Record):
    """One source's answer.

    `weight`: how much it counts against the others, finite and > 0; only ratios matter. `confidence_map`: float32
    (H, W) in [0, 1] at the image's size, which weighs each pixel further, or None. Raises `SchemaError` otherwise.
    """

    payload: Payload
    weight: float = 1.0
    confidence_map: F32 | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            fail("Part", "weight", f"is {self.weight}; give a finite number above 0, or leave the part out")
        if self.confidence_map is not None:
            check(self.confidence_map, "Part", "confidence_map", np.float32, (None, None))
            if (
                self.confidence_map.size
                and not 0 <= self.confidence_map.min() <= self.confidence_map.max() <= 1
            ):
                fail("Part", "confidence_map", "leaves 0..1")


@dataclass(frozen=True, slots=True, eq=False)
class Merged(Record):
    """One answer made of several. Every source is named by its place among the parts given.

    `contributors`: bool (N, S), which of the S sources each of N elements was made of, and `element_sources`: uint8
    (N,), the one of them with the most weight in it; both None for dense maps. `source_map`: uint8 (H, W), the source
    with the most weight in each pixel, the heaviest part where none knows the pixel; None for sets of things.
    `confidence_map`: float32 (H, W) in [0, 1], the parts' own maps where they agree with the answer, or None.
    `evidence`: finite numbers, `agreement` in [0, 1] always among them, none of them calibrated. `alignments`: for
    depth, how each part was aligned to the reference, None for the reference itself and where none was found. `notes`:
    codes of what a reader must know.
    """

    payload: Payload
    element_sources: U8 | None = None
    contributors: Bool | None = None
    source_map: U8 | None = None
    confidence_map: F32 | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    alignments: tuple[Alignment | None, ...] = ()
    notes: tuple[str, ...] = ()


def canonical(parts: Sequence[Part]) -> list[int]:
    """The parts' places, heaviest first and equally heavy ones by what they hold.

    Mergers go through the parts in this order, so that their answer does not depend on the order they were given in.
    """
    return sorted(range(len(parts)), key=lambda i: (-parts[i].weight, _fingerprint(parts[i])))


def _fingerprint(part: Part) -> bytes:
    digest = blake2b(digest_size=16)
    held = [getattr(part.payload, f.name) for f in fields(part.payload)]
    for value in (*held, part.confidence_map):
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.digest()


def pixel_weights(parts: Sequence[Part], size: tuple[int, int]) -> F32:
    """float32 (S, H, W): each part's weight at each pixel, its confidence map taken in.

    A confidence of 0 still leaves a millionth, so that a pixel that nobody trusts is answered by all alike. Raises
    `SchemaError` where a map is not of `size` (height, width).
    """
    weights = np.empty((len(parts), *size), np.float32)
    for i, part in enumerate(parts):
        weights[i] = part.weight
        if part.confidence_map is not None:
            if part.confidence_map.shape != size:
                raise SchemaError(
                    f"confidence_map is {part.confidence_map.shape}, the payload {size} (height, width)"
                )
            weights[i] *= np.maximum(part.confidence_map, 1e-6)
    return weights


def one_size(shapes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """The (height, width) that all parts share. Raises `SchemaError` where they do not."""
    sizes = {shape[:2] for shape in shapes}
    if len(sizes) != 1:
        raise SchemaError(f"parts are of sizes {sorted(sizes)}; bring them to the image's size first")
    height, width = sizes.pop()
    return height, width


def supported(parts: Sequence[Part], weights: F32, agreement: F32, knows: Bool) -> tuple[F32, float]:
    """The merged confidence map, float32 (H, W), and the mean agreement where several sources know a pixel.

    `weights` of `pixel_weights`, `agreement` in [0, 1] of each source with the answer, `knows` where a source says
    anything: all (S, H, W). The map is the weighted mean of the confidences of those that know the pixel, each times
    its agreement; 0 where none does. The mean is 1 for a single part and where no part knows any pixel, 0 where several know and share none.
    """
    plain = np.array([part.weight for part in parts], np.float32)[:, None, None] * knows
    total = plain.sum(0)
    safe = np.where(total > 0, total, 1)
    agrees = np.where(knows, agreement, 0)
    confidence: F32 = np.clip((weights * agrees).sum(0) / safe, 0, 1).astype(np.float32)
    if len(parts) == 1 or not knows.any():
        return confidence, 1.0
    shared = knows.sum(0) > 1
    if not shared.any():
        return confidence, 0.0
    return confidence, float(np.clip(((plain * agrees).sum(0) / safe)[shared].mean(), 0, 1))
