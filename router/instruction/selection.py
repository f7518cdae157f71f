"""Which detections a target means: its noun, attributes, relations, rank and number, resolved on boxes.

Boxes say little about the world, so a relation is a plain rule on them, given in `_holds`; what boxes, depths and
colours cannot tell is reported in `Selection.unresolved` and narrows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from visionrouter.instruction.canonical import thing
from visionrouter.instruction.colours import looks
from visionrouter.instruction.grounding import ground
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.task import Relation, RelationKind, Target

Floats = npt.NDArray[np.floating]
Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
RGB = tuple[float, float, float]

_TOUCHING = 0.05  # of the anchor's height: how far above it something may hang and still be on it
_INSIDE = 0.5  # share of a box that lies in what it is in, or a part of
_HELD = 0.3  # share of the smaller of two boxes that overlaps, where one wears, holds or rides the other
_BESIDE = 0.5  # gap between neighbours, in mean sizes of the two
_SIDES = frozenset(
    {RelationKind.LEFTMOST, RelationKind.RIGHTMOST, RelationKind.TOPMOST, RelationKind.BOTTOMMOST}
)


@dataclass(frozen=True, slots=True)
class Selection:
    """`indices`: the detections meant, ascending, or by rank where a superlative chose them.

    `unresolved`: what could not be told, one sentence each. Where it is not empty, `indices` holds every detection
    that may be meant.
    """

    indices: tuple[int, ...]
    unresolved: tuple[str, ...] = ()


def select(
    target: Target,
    boxes: Floats,
    labels: Sequence[str],
    image_size: tuple[int, int],
    *,
    depths_m: Floats | None = None,
    colours: Floats | Callable[[int], RGB] | None = None,
) -> Selection:
    """The detections that `target` means.

    `boxes`: float32 (N, 4) xyxy pixels, and `labels`, N of them: all detections, those of anchors too. `image_size`:
    (width, height) in pixels. `depths_m`: float32 (N,) z-depth of each in metres, NaN where not known. `colours`:
    float32 (N, 3), the mean sRGB of each from 0 to 255, or a function that gives it for an index.

    Raises SchemaError where shapes do not agree or boxes are not finite.
    """
    boxes = np.asarray(boxes, np.float32)
    if boxes.shape != (len(labels), 4) or not np.isfinite(boxes).all():
        raise SchemaError(
            f"select: boxes has shape {boxes.shape}; give finite float32 ({len(labels)}, 4), one a label"
        )
    if depths_m is not None and np.shape(depths_m) != (len(labels),):
        raise SchemaError(
            f"select: depths_m has shape {np.shape(depths_m)}; give ({len(labels)},), one a box"
        )
    if colours is not None and not callable(colours) and np.shape(colours) != (len(labels), 3):
        raise SchemaError(
            f"select: colours has shape {np.shape(colours)}; give ({len(labels)}, 3), one row a box"
        )
    scene = _Scene(boxes, tuple(labels), image_size, depths_m, colours)
    chosen = scene.meant(target)
    return Selection(tuple(map(int, chosen)), tuple(dict.fromkeys(scene.unresolved)))


@dataclass(slots=True)
class _Scene:
    boxes: Floats
    labels: tuple[str, ...]
    size: tuple[int, int]
    depths_m: Floats | None
    colours: Floats | Callable[[int], RGB] | None
    unresolved: list[str] = field(default_factory=list)

    def meant(self, target: Target) -> Indices:
        """The detections that `target` means; what cannot be told goes to `unresolved`."""
        among = self._named(target)
        for attribute in target.attributes:
            among = self._with_attribute(among, attribute)
        for relation in target.relations:
            if relation.anchor is not None:
                among = self._related(among, target, relation, relation.anchor)
        among = self._ranked(among, target)
        wanted = 1 if target.number == "one" else target.number
        if isinstance(wanted, int) and len(among) != wanted and len(among):
            self.unresolved.append(f'"{thing(target)}": {wanted} asked for, {len(among)} fit')
        return among

    def _named(self, target: Target) -> Indices:
        grounding = ground(target, tuple(dict.fromkeys(self.labels)))
        if grounding.labels and not grounding.exact:
            self.unresolved.append(
                f'"{target.noun}" is not told from any other {" or ".join(grounding.labels)}'
            )
        return np.array([i for i, label in enumerate(self.labels) if label in grounding.labels], np.intp)

    # ---- attributes

    def _with_attribute(self, among: Indices, attribute: str) -> Indices:
        if not len(among):
            return among
        seen = None if self.colours is None else looks(self._mean_colours(among), attribute)
        if seen is None:
            self.unresolved.append(f'"{attribute}" cannot be told')
            return among
        return among[seen]

    def _mean_colours(self, among: Indices) -> Floats:
        if callable(self.colours):
            return np.array([self.colours(int(i)) for i in among], np.float32).reshape(-1, 3)
        return np.asarray(self.colours, np.float32)[among]

    # ---- anchors

    def _related(self, among: Indices, target: Target, relation: Relation, anchor: Target) -> Indices:
        said = f'"{relation.kind.replace("_", " ")} {thing(anchor, anchor=True)}"'
        anchors = self.meant(anchor)
        if not len(anchors):
            self.unresolved.append(f"{said} cannot be told: no {anchor.noun} is among the detections")
            return among
        if relation.kind.by_depth and not self._depths_known(np.concatenate([among, anchors])):
            self.unresolved.append(f"{said} cannot be told: not all depths are known")
            return among
        holds = self._holds(relation.kind, among, anchors) & (among[:, None] != anchors)
        related: Indices = among[holds.any(1)]
        if relation.kind is RelationKind.NEXT_TO and target.number == "one" and len(related) > 1:
            nearest = self._gaps(related, anchors).min(1).argmin()
            return related[nearest : nearest + 1]
        return related

    def _holds(self, kind: RelationKind, among: Indices, anchors: Indices) -> Booleans:
        """bool (len(among), len(anchors)): the relation between each and each anchor."""
        a, b = self.boxes[among][:, None], self.boxes[anchors][None]
        (ax, ay), (_, by) = _centres(a), _centres(b)
        overlap, size_a, size_b = _overlap(a, b), _area(a), _area(b)
        in_line = (a[..., 0] < b[..., 2]) & (
            b[..., 0] < a[..., 2]
        )  # one above the other, or one before the other
        match kind:
            case RelationKind.LEFT_OF:
                return ax < b[..., 0]  # the centre is beyond the anchor's edge
            case RelationKind.RIGHT_OF:
                return ax > b[..., 2]
            case RelationKind.ABOVE:
                return ay < b[..., 1]
            case RelationKind.BELOW:
                return ay > b[..., 3]
            case RelationKind.NEXT_TO:
                return self._gaps(among, anchors) <= _BESIDE
            case RelationKind.ON:
                hangs = a[..., 3] >= b[..., 1] - _TOUCHING * (b[..., 3] - b[..., 1])
                return (ay < by) & in_line & hangs & (a[..., 1] <= b[..., 3])
            case RelationKind.IN | RelationKind.OF:
                return overlap >= _INSIDE * np.maximum(size_a, 1e-6)
            case RelationKind.WITH:
                return overlap >= _HELD * np.maximum(np.minimum(size_a, size_b), 1e-6)
            case RelationKind.IN_FRONT_OF:
                return in_line & (self._depth(among)[:, None] < self._depth(anchors))
            case RelationKind.BEHIND:
                return in_line & (self._depth(among)[:, None] > self._depth(anchors))
            case _:
                raise SchemaError(f"select: the relation {kind} takes no anchor")

    def _gaps(self, among: Indices, anchors: Indices) -> Floats:
        """float32 (len(among), len(anchors)): distance from box to box, in mean sizes of the two."""
        a, b = self.boxes[among][:, None], self.boxes[anchors][None]
        dx = np.maximum(0, np.maximum(a[..., 0] - b[..., 2], b[..., 0] - a[..., 2]))
        dy = np.maximum(0, np.maximum(a[..., 1] - b[..., 3], b[..., 1] - a[..., 3]))
        size = (np.sqrt(_area(a)) + np.sqrt(_area(b))) / 2
        return np.asarray(np.hypot(dx, dy) / np.maximum(size, 1e-6), np.float32)

    # ---- superlatives

    def _ranked(self, among: Indices, target: Target) -> Indices:
        """Apply "leftmost", "second largest", "nearest"."""
        superlatives = [relation for relation in target.relations if relation.anchor is None]
        sides = [relation for relation in superlatives if relation.kind in _SIDES]
        others = [relation for relation in superlatives if relation.kind not in _SIDES]
        if sides and (others or target.number == "all"):
            among = self._in_halves(among, sides)
        elif sides:
            keys = sum(self._key(relation.kind, among) for relation in sides)
            among = self._first(among, np.asarray(keys), sides, target)
        for relation in others:
            if relation.kind is RelationKind.MIDDLE:
                among = self._middle(among, target)
            elif relation.kind.by_depth and not self._depths_known(among):
                self.unresolved.append(f'"{relation.kind}" cannot be told: not all depths are known')
            elif target.number == "all":
                self.unresolved.append(f'"{relation.kind}" does not say how many')
            else:
                among = self._first(among, self._key(relation.kind, among), [relation], target)
        return among

    def _in_halves(self, among: Indices, sides: list[Relation]) -> Indices:
        """ "all cars on the left": those whose centre is in the left half of the image."""
        for side in sides:
            if side.rank > 1:
                self.unresolved.append(f'"{side.kind}" with a rank needs a single thing')
            horizontal = side.kind in (RelationKind.LEFTMOST, RelationKind.RIGHTMOST)
            half = self.size[0] / 2 if horizontal else self.size[1] / 2
            sign = 1 if side.kind in (RelationKind.LEFTMOST, RelationKind.TOPMOST) else -1
            among = among[
                self._key(side.kind, among) * (self.size[0] if horizontal else self.size[1]) <= sign * half
            ]
        return among

    def _key(self, kind: RelationKind, among: Indices) -> Floats:
        """float32 (len(among),): least for what is leftmost, largest, nearest; places in shares of the image."""
        x, y = _centres(self.boxes[among])
        keys = {
            RelationKind.LEFTMOST: x / self.size[0],
            RelationKind.RIGHTMOST: -x / self.size[0],
            RelationKind.TOPMOST: y / self.size[1],
            RelationKind.BOTTOMMOST: -y / self.size[1],
            RelationKind.LARGEST: -_area(self.boxes[among]),
            RelationKind.SMALLEST: _area(self.boxes[among]),
        }
        if kind in keys:
            return keys[kind]
        return self._depth(among) if kind is RelationKind.NEAREST else -self._depth(among)

    def _first(self, among: Indices, key: Floats, by: list[Relation], target: Target) -> Indices:
        """The detections from the rank asked for on, as many as asked for."""
        count = target.number if isinstance(target.number, int) else 1
        start = max(relation.rank for relation in by) - 1
        order = np.argsort(key, kind="stable")
        taken = order[start : start + count]
        tied = np.flatnonzero(np.isin(key, key[taken]))
        if len(tied) > len(taken):
            self.unresolved.append(f'"{" ".join(relation.kind for relation in by)}" is a tie of {len(tied)}')
            return among[tied]
        return among[taken]

    def _middle(self, among: Indices, target: Target) -> Indices:
        """The one in the middle of its like, if that is the one nearest to the middle of the image too."""
        x, y = _centres(self.boxes[among])
        width, height = self.size
        if target.number == "all":
            third: Indices = among[np.abs(x - width / 2) <= width / 6]
            return third
        if len(among) < 2:
            return among
        central = int(np.hypot((x - width / 2) / width, (y - height / 2) / height).argmin())
        median = int(np.argsort(x, kind="stable")[len(among) // 2]) if len(among) % 2 else central
        if median == central:
            return among[central : central + 1]
        self.unresolved.append('"middle" may be the middle of the image or of the row')
        either: Indices = among[sorted({central, median})]
        return either

    # ---- depths

    def _depth(self, among: Indices) -> Floats:
        assert self.depths_m is not None  # every caller asked `_depths_known`
        return np.asarray(self.depths_m, np.float32)[among]

    def _depths_known(self, among: Indices) -> bool:
        return self.depths_m is not None and not np.isnan(self._depth(among)).any()


def _centres(boxes: Floats) -> tuple[Floats, Floats]:
    return (boxes[..., 0] + boxes[..., 2]) / 2, (boxes[..., 1] + boxes[..., 3]) / 2


def _area(boxes: Floats) -> Floats:
    return np.maximum(0, boxes[..., 2] - boxes[..., 0]) * np.maximum(0, boxes[..., 3] - boxes[..., 1])


def _overlap(a: Floats, b: Floats) -> Floats:
    corners = np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], -1)
    return _area(corners)
