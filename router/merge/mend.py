"""Region repair: the doubtful regions of a dense answer, filled from a specialist that was held against a trusted ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.merge.alignment import Alignment
from visionrouter.merge.compare import class_map
from visionrouter.merge.graft import Graft, Refusal, Rejected, graft_classes, graft_depth, graft_normals
from visionrouter.merge.part import Merged
from visionrouter.merge.regions import Regions, dilated
from visionrouter.schema.arrays import F32, Bool, Record, check, fail
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import DepthMap, NormalMap, Segmentation

Dense = DepthMap | NormalMap | Segmentation
Box = tuple[int, int, int, int]

_MOST_RESIDUAL = {DepthMap: 0.15, NormalMap: 30 / 180, Segmentation: 0.5}
_FEATHER = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Patch(Record):
    """A specialist's answer to the whole image, or to the crop `box`: x1 y1 x2 y2 in whole pixels of the image.

    `source`: its number in the source map, 1 or more. `confidence_map`: float32 in [0, 1] at the payload's size, or None.
    """

    payload: Dense
    box: Box | None = None
    source: int = 1
    confidence_map: F32 | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.source <= 255:
            fail("Patch", "source", f"is {self.source}; 0 is the base, patches are 1 to 255")
        height, width = _size(self.payload)
        if self.box is not None and (self.box[2] - self.box[0], self.box[3] - self.box[1]) != (width, height):
            fail(
                "Patch",
                "box",
                f"is {self.box}, the payload is {width} x {height}; answer crops at their own size",
            )
        if self.confidence_map is not None:
            check(self.confidence_map, "Patch", "confidence_map", np.float32, (height, width))

    def window(self, box: Box) -> tuple[slice, slice] | None:
        """Where `box` of the image lies in the payload; None where it is not wholly inside."""
        height, width = _size(self.payload)
        left, top = (0, 0) if self.box is None else self.box[:2]
        x1, y1, x2, y2 = box[0] - left, box[1] - top, box[2] - left, box[3] - top
        if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
            return None
        return slice(y1, y2), slice(x1, x2)


@dataclass(frozen=True, slots=True)
class Mend:
    """What became of one region, by its number.

    `refusal` is None where it was mended, from `source`. `residual`: error left on the ring of trusted pixels,
    `ring_pixels` of them, in the unit of its task (relative depth error, half turns, share of other classes).
    `alignment`: of depths; its scale is evidence. `seam`: step across the border beyond the specialist's own.
    `share`: of the image, what was set in.
    """

    region: int
    refusal: Refusal | None
    source: int = 0
    residual: float | None = None
    ring_pixels: int = 0
    alignment: Alignment | None = None
    seam: float = 0.0
    share: float = 0.0


def mend(
    base: Dense,
    patches: Sequence[Patch],
    regions: Regions,
    confidence_map: F32,
    *,
    most_residual: float | None = None,
    ring_px: float | None = None,
) -> tuple[Merged, tuple[Mend, ...]]:
    """Fill the regions of `base` from the first patch that covers each, aligned on the trusted ring around it.

    `confidence_map`: float32 (H, W), the base's, from which `regions` came. `most_residual`: the ring's error above
    which a region stays as it is (default: 15 % of the depth, 30°, half of the classes). `ring_px`: the ring's width
    (default: a quarter of the root of the region's area, at least 6), as far as the region's box reaches.

    The merged confidence map holds, where pixels were set in, the patch's own or, where it has none, a value between
    the threshold and 1 that falls with the ring's residual; elsewhere the base's (0 for NaN), so that what was not
    mended stays doubtful. Neither is calibrated: judge the merged answer anew. Evidence: `mended_share`,
    `doubtful_share` (region pixels left), `regions`, `regions_mended`, and over all that were compared the largest
    `ring_residual`, `seam` and, between metric maps, `ring_log_scale`. Notes: `not_mended:REGION:WHY`.

    Raises `SchemaError` where sizes or kinds do not fit, or masks are not semantic.
    """
    size = _size(base)
    if regions.labels.shape != size or confidence_map.shape != size:
        raise SchemaError(
            f"base is {size}, regions {regions.labels.shape}, confidence_map {confidence_map.shape}"
        )
    for patch in patches:
        if type(patch.payload) is not type(base):
            raise SchemaError(f"a {patch.payload.kind} cannot mend a {base.kind}")
        if patch.box is None and _size(patch.payload) != size:
            raise SchemaError(
                f"a patch is {_size(patch.payload)}, the base {size} (height, width); give its box"
            )
    canvas = _Canvas.of(base, patches)
    values = canvas.base.copy()
    sources = np.zeros(size, np.uint8)
    trust: F32 = np.nan_to_num(confidence_map, nan=0.0).astype(np.float32)
    most = _MOST_RESIDUAL[type(base)] if most_residual is None else most_residual
    mends = []
    for number in range(1, len(regions) + 1):
        x1, y1, x2, y2 = (int(v) for v in regions.boxes[number - 1])
        at = (slice(y1, y2), slice(x1, x2))
        chosen = next(((n, w) for n, p in enumerate(patches) if (w := p.window((x1, y1, x2, y2)))), None)
        if chosen is None:
            mends.append(Mend(number, Refusal.NOT_COVERED))
            continue
        patch, window = patches[chosen[0]], chosen[1]
        inside = regions.labels[at] == number
        width = max(6.0, 0.25 * float(np.sqrt(inside.sum()))) if ring_px is None else ring_px
        ring = dilated(inside, width) & regions.trusted[at]
        made = canvas.graft(chosen[0], at, window, inside, ring, most)
        if isinstance(made, Rejected):
            mends.append(Mend(number, made.refusal, patch.source, made.residual, made.pixels, made.alignment))
            continue
        values[at][made.used] = made.values[made.used]
        sources[at][made.used] = patch.source
        if patch.confidence_map is not None:
            trust[at][made.used] = patch.confidence_map[window][made.used]
        else:
            trust[at][made.used] = regions.below + (1 - regions.below) * (
                1 - made.residual / max(most, 1e-12)
            )
        share = float(made.used.sum() / max(1, sources.size))
        mends.append(
            Mend(number, None, patch.source, made.residual, made.pixels, made.alignment, made.seam, share)
        )
    notes = tuple(f"not_mended:{m.region}:{m.refusal}" for m in mends if m.refusal is not None)
    merged = Merged(
        canvas.payload(values),
        source_map=sources,
        confidence_map=trust.clip(0, 1),
        evidence=_evidence(mends, regions, sources),
        notes=notes,
    )
    return merged, tuple(mends)


def _evidence(mends: Sequence[Mend], regions: Regions, sources: npt.NDArray[np.uint8]) -> dict[str, float]:
    inside = regions.labels > 0
    residuals = [m.residual for m in mends if m.residual is not None]
    scales = [
        abs(m.alignment.log_scale) for m in mends if m.alignment is not None and m.alignment.space == "log"
    ]
    evidence = {
        "agreement": float(np.clip(1 - max(residuals, default=0.0), 0, 1)),
        "mended_share": float((sources > 0).mean()) if sources.size else 0.0,
        "doubtful_share": float((inside & (sources == 0)).mean()) if sources.size else 0.0,
        "regions": float(len(regions)),
        "regions_mended": float(sum(m.refusal is None for m in mends)),
        "seam": max((m.seam for m in mends), default=0.0),
    }
    if residuals:
        evidence["ring_residual"] = max(residuals)
    if scales:
        evidence["ring_log_scale"] = max(scales)
    return evidence


@dataclass(frozen=True, slots=True, eq=False)
class _Canvas:
    """The base and the patches as arrays of one meaning: depths, normals, or numbers of classes by one list of names."""

    answer: Dense
    base: npt.NDArray[Any]
    patches: tuple[npt.NDArray[Any], ...]
    payloads: tuple[Dense, ...]
    names: tuple[str, ...] = ()

    @staticmethod
    def of(base: Dense, patches: Sequence[Patch]) -> _Canvas:
        payloads = tuple(patch.payload for patch in patches)
        if not isinstance(base, Segmentation):
            plain = tuple(p.values for p in payloads if not isinstance(p, Segmentation))
            return _Canvas(base, base.values, plain, payloads)
        masked = [base, *(p for p in payloads if isinstance(p, Segmentation))]
        if any(found.mode != "semantic" for found in masked):
            raise SchemaError("only semantic masks are mended by region; things are merged whole")
        names = list(dict.fromkeys(label for found in masked for label in found.labels))
        first, *rest = (class_map(found, names) for found in masked)
        return _Canvas(base, first, tuple(rest), payloads, tuple(names))

    def graft(self, n: int, at: Any, window: Any, inside: Bool, ring: Bool, most: float) -> Graft | Rejected:
        base, patch, payload = self.base[at], self.patches[n][window], self.payloads[n]
        if isinstance(self.answer, DepthMap) and isinstance(payload, DepthMap):
            return graft_depth(
                DepthMap(base, self.answer.unit), DepthMap(patch, payload.unit), inside, ring, most
            )
        if isinstance(self.answer, NormalMap):
            feather_px = max(2.0, _FEATHER * float(np.sqrt(inside.sum())))
            return graft_normals(base, patch, inside, ring, most, feather_px)
        return graft_classes(base, patch, inside, ring, most)

    def payload(self, values: npt.NDArray[Any]) -> Dense:
        if isinstance(self.answer, DepthMap):
            return DepthMap(values, self.answer.unit)
        if isinstance(self.answer, NormalMap):
            return NormalMap(values)
        shown = [n for n, name in enumerate(self.names) if name in self.answer.labels or (values == n).any()]
        masks = np.array([values == n for n in shown], np.bool_).reshape(-1, *values.shape)
        scores = np.array([self._score(self.names[n]) for n in shown], np.float32)
        return Segmentation(masks, scores, tuple(self.names[n] for n in shown), "semantic")

    def _score(self, name: str) -> float:
        """The base's own score of a class, else that of the first patch which brought it."""
        for found in (self.answer, *self.payloads):
            if isinstance(found, Segmentation) and name in found.labels:
                return float(found.scores[found.labels.index(name)])
        raise AssertionError("a name without a source")


def _size(payload: Dense) -> tuple[int, int]:
    height, width = payload.masks.shape[1:] if isinstance(payload, Segmentation) else payload.values.shape[:2]
    return int(height), int(width)
