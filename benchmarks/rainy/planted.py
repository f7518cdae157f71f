"""Planted hallucinations: a backend's answer turned wrong, the evidence for it kept, at the backend itself.

The plant is consistent: asked of the mirrored image, in other light or with another seed, the backend gives the same
wrong answer, mirrored where the image is. So no router finds it by asking the same backend again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.rainy.around import Around
from visionrouter.confidence.probes.mirror import mirrored_payload
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.image import Image
from visionrouter.schema.payload import DepthMap, Detections, Payload, Poses, Segmentation, boxes_of
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

SCALE = 1.5
SHIFT = 0.25
"""Of the width."""
INVENTED_SIDE = 0.25
INVENTED_SCORE = 0.95
_GRID = 9

Turn = Callable[[Payload, Item], Payload | None]
"""The wrong answer to an item, given the right one; None where it cannot be turned."""


class Planted(Around):
    """Answers as `inner` does, but what is sown in it while something is. `delivered`: wrong answers given since."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.delivered = 0
        self._sown: Sown | None = None

    def sow(self, sown: Sown | None) -> None:
        self._sown, self.delivered = sown, 0

    def answer(self, query: Query) -> Prediction:
        if self._sown is None:
            return self.inner.predict([query])[0]
        answer = self._sown.answer(query, self.inner)
        self.delivered += answer is not None
        return self.inner.predict([query])[0] if answer is None else answer


@dataclass(frozen=True, slots=True, eq=False)
class Sown:
    """One plant for one item. `other`: the picture of another scene, whose answer is given; or else `turn`."""

    item: Item
    turn: Turn | None = None
    other: Image | None = None

    def answer(self, query: Query, inner: Backend) -> Prediction | None:
        """What is said in place of the answer to `query`; None where nothing is."""
        width = query.image.width
        is_mirrored = _is_mirrored(query, self.item)
        if self.other is not None:
            (theirs,) = inner.predict([replace(query, image=self.other)])
            return replace(theirs, payload=mirrored_payload(theirs.payload, width)) if is_mirrored else theirs
        (answer,) = inner.predict([query])
        if self.turn is None or query.task is not self.item.instruction.task:
            return None
        said = mirrored_payload(answer.payload, width) if is_mirrored else answer.payload
        wrong = self.turn(said, self.item)
        if wrong is None:
            return None
        return replace(answer, payload=mirrored_payload(wrong, width) if is_mirrored else wrong)


OTHER_SCENE = "other_scene"


def plants(task: Task) -> tuple[str, ...]:
    """What can be planted into answers of a task."""
    dense = (OTHER_SCENE,) if task in (Task.DEPTH, Task.NORMALS, Task.POSE) else ()
    return (*dense, *(name for name, (tasks, _) in _TURNS.items() if task in tasks))


def sown(plant: str, items: Sequence[Item]) -> Iterator[tuple[int, Sown]]:
    """A plant for each of `items` that it can be made for, with the item's place. Another scene's answer is that of the
    next one of the same size."""
    for i, item in enumerate(items):
        if plant != OTHER_SCENE:
            yield i, Sown(item, turn=_TURNS[plant][1])
            continue
        others = (*items[i + 1 :], *items[:i])
        fits = (o.image for o in others if o.scene != item.scene and o.image.size == item.image.size)
        image = next(fits, None)
        if image is not None:
            yield i, Sown(item, other=image)


def _is_mirrored(query: Query, item: Item) -> bool:
    mine, theirs = query.image.pixels, item.image.pixels
    return (
        mine.shape == theirs.shape and bool((mine == theirs[:, ::-1]).all()) and bool((mine != theirs).any())
    )


def _scaled(payload: Payload, _: Item) -> Payload | None:
    if not isinstance(payload, DepthMap) or not payload.is_metric:
        return None
    return replace(payload, values=payload.values * np.float32(SCALE))


def _shifted(payload: Payload, _: Item) -> Payload | None:
    if not isinstance(payload, Segmentation) or not payload.masks.any():
        return None
    step = round(SHIFT * payload.masks.shape[2])
    return replace(payload, masks=np.roll(payload.masks, step, axis=2))


def _invented(payload: Payload, item: Item) -> Payload | None:
    """All that is found is one thing where nothing of what is asked for is."""
    label = item.instruction.targets[0].noun if item.instruction.targets else ""
    place = _empty_place(item)
    score = np.array([INVENTED_SCORE], np.float32)
    if isinstance(payload, Segmentation):
        return Segmentation(place[None], score, (label,), payload.mode)
    if isinstance(payload, Detections):
        return Detections(boxes_of(place[None]), score, (label,))
    return None


def _empty_place(item: Item) -> Bool:
    """A square, bool (H, W), where least of the true answer lies; of equals, one by the item's name."""
    height, width = item.image.height, item.image.width
    wanted = _wanted(item)
    rows, columns = max(1, round(height * INVENTED_SIDE)), max(1, round(width * INVENTED_SIDE))
    places = [
        (int(y), int(x))
        for y in np.linspace(0, height - rows, _GRID)
        for x in np.linspace(0, width - columns, _GRID)
    ]
    covered = np.array([wanted[y : y + rows, x : x + columns].sum() for y, x in places])
    free = np.flatnonzero(covered == covered.min())
    key = int.from_bytes(hashlib.sha256(item.id.encode()).digest()[:8], "big")
    y, x = places[int(free[key % len(free)])]
    square = np.zeros((height, width), np.bool_)
    square[y : y + rows, x : x + columns] = True
    return square


def _wanted(item: Item) -> Bool:
    """Where the true answer lies, bool (H, W)."""
    truth = item.truth
    if isinstance(truth, Segmentation):
        return np.asarray(truth.masks.any(0))
    covered: Bool = np.zeros((item.image.height, item.image.width), np.bool_)
    boxes: F32 = truth.boxes if isinstance(truth, Detections | Poses) else np.zeros((0, 4), np.float32)
    for x1, y1, x2, y2 in boxes.astype(int):
        covered[y1 : y2 + 1, x1 : x2 + 1] = True
    return covered


_MASKS = frozenset({Task.SEMANTIC, Task.INSTANCE, Task.REFERRING, Task.PROMPTABLE})
_TURNS: Mapping[str, tuple[frozenset[Task], Turn]] = {
    "scale": (frozenset({Task.DEPTH}), _scaled),
    "shifted_mask": (_MASKS, _shifted),
    "invented": (frozenset({Task.REFERRING, Task.INSTANCE, Task.DETECT}), _invented),
}
