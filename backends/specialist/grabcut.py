"""Masks from boxes and points by colour alone: needs no weights, and no class names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.colour_cut import MAYBE_OFF, MAYBE_ON, OFF, ON, Cut, cut
from visionrouter.backends.specialist.skeleton import Skeleton
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import BackendError
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Task

_MARGIN = 0.12
"""Of what lies around a box, in its long sides: where the background's colours are learned."""
_NEAR_FRAME = 0.04
"""Of the image's sides: a box edge nearer than this to the frame is of a thing that the frame cuts."""
_RIM = 0.03
"""Of a box that leaves nothing around it, in its long sides: the part that stands in for the background."""
_SURE_BREADTH, _LIKELY_BREADTH = 0.08, 0.45
"""Of a body's limbs, in trunk lengths: what is surely theirs, and what likely is."""
_POINT_RADIUS, _POINT_REACH = 0.015, 0.15
"""Of a point prompt, in long sides of its window: what it surely marks, and what it likely does."""


class GrabCut(Backend):
    """Cuts one thing out of each box, or the one thing that points mark, by its colours.

    Positive points mark the thing of every box they lie in, negative points are on no thing. Points without a box mean
    one thing. Given skeletons (`predict_bodies`), a person's own bones are sure and other people's are ruled out.

    Signals, the worst of all masks: `score` and the masks' scores, how well two mixtures of colour tell the thing from
    its surroundings; `contrast`, the colour step across the outline over the mean step (above 1 on real edges);
    `box_fill`, the share of the box; `stroke_support`, how far strokes look like the thing. The confidence map holds
    the same per pixel. Notes: `box_kept:I`, mask I is the whole box, too small or too plain to be cut; `empty:I`,
    nothing was left of it; `points_outside:N`, N positive points lie in no box.
    """

    def __init__(self, *, long_side: int = 224, iterations: int = 3) -> None:
        """`long_side`: pixels of the canvas a box is cut on, more is finer and slower (time grows faster than area)."""
        self._long_side = long_side
        self._iterations = iterations
        self.spec = BackendSpec(
            name="grabcut",
            kind="specialist",
            tasks=frozenset({Task.PROMPTABLE}),
            licence="Apache-2.0",
            cost=3.0,
            memory_mb=60,
            needs_prompts=True,
            extra="nano",
            requires=("cv2",),
        )

    def load(self) -> None:
        require("cv2", self.spec.name, "nano")

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self.predict_bodies(query) for query in queries]

    def predict_bodies(
        self, query: Query, bodies: Sequence[Skeleton | None] = (), bystanders: Sequence[Skeleton] = ()
    ) -> Prediction:
        """Answer `query` knowing whose body each box holds, and who else is in the picture.

        `bodies`: a skeleton or None for each box, in order; empty where none is known.
        """
        check_task(self.spec, query)
        self.load()
        prompts = query.prompts
        if not prompts:
            raise BackendError(f"{self.spec.name} needs a box or a point; give boxes= or points=")
        if not len(prompts.boxes):
            return self._from_points(query)
        known = list(bodies) or [None] * len(prompts.boxes)
        if len(known) != len(prompts.boxes):
            raise ValueError(f"{len(known)} bodies for {len(prompts.boxes)} boxes; give one or None for each")
        sketches = []
        for i, given in enumerate(prompts.boxes):
            box, body = _to_frame(given, query.image.size), known[i]
            whole = box if body is None else body.widened(box)
            window = Window.around(whole, query.image.size, self._long_side, _MARGIN)
            trimap = _box_trimap(window, box)
            others = [other for j, other in enumerate(known) if j != i and other is not None]
            _draw_bodies(trimap, window, body, [*others, *bystanders])
            _draw_points(trimap, window, prompts, box)
            sketches.append((window, trimap))
        notes = []
        stray = len(_strays(prompts))
        if stray:
            notes.append(f"points_outside:{stray}")
        return self._cut_all(query, sketches, prompts.boxes, notes)

    def _from_points(self, query: Query) -> Prediction:
        width, height = query.image.size
        if not query.prompts.point_labels.any():
            raise BackendError(
                f"{self.spec.name} was given points off the thing only; give one on it, or a box"
            )
        box = np.array([0, 0, width, height], np.float32)
        window = Window.around(box, (width, height), self._long_side, 0)
        trimap = np.full((window.height, window.width), MAYBE_OFF, np.uint8)
        _draw_points(trimap, window, query.prompts, box, reach=_POINT_REACH)
        return self._cut_all(query, [(window, trimap)], box[None], [])

    def _cut_all(
        self, query: Query, sketches: Sequence[tuple[Window, U8]], boxes: F32, notes: list[str]
    ) -> Prediction:
        image = query.image
        masks: Bool = np.zeros((len(sketches), image.height, image.width), np.bool_)
        trust: F32 = np.ones((image.height, image.width), np.float32)
        scores: F32 = np.zeros(len(sketches), np.float32)
        signals: dict[str, float] = {}
        for i, (window, trimap) in enumerate(sketches):
            place = window.slices
            done = cut(image.pixels, window, trimap, self._iterations, query.seed)
            if done is None:
                masks[i][Window.around(boxes[i], image.size, self._long_side, 0).slices] = True
                trust[place] = 0
                notes.append(f"box_kept:{i}")
                _keep_worst(signals, {"score": 0.0})
                continue
            masks[i][place] = done.mask
            trust[place] = np.minimum(trust[place], done.trust)
            if done.mask.any():
                scores[i] = done.separation
            else:
                notes.append(f"empty:{i}")
            _keep_worst(signals, {"score": float(scores[i]), **_signals(done, boxes[i])})
        label = query.targets[0].noun if len(query.targets) == 1 else "object"
        payload = Segmentation(masks, scores, (label,) * len(masks), "promptable")
        return Prediction(payload, Evidence(signals, trust), notes=tuple(notes))


def _to_frame(box: F32, size: tuple[int, int]) -> F32:
    """The box, its edges near the frame moved onto it: a strip left there shows the thing, not what lies around it."""
    limits = np.array([0, 0, *size], np.float32)
    near = np.abs(box - limits) <= _NEAR_FRAME * np.array([*size, *size], np.float32)
    moved: F32 = np.where(near, limits, box)
    return moved


def _box_trimap(window: Window, box: F32) -> U8:
    (x1, y1), (x2, y2) = np.rint(window.to_canvas(box.reshape(2, 2))).astype(int)
    trimap: U8 = np.full((window.height, window.width), OFF, np.uint8)
    trimap[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = MAYBE_ON
    if (trimap == MAYBE_ON).all():
        rim = max(1, round(_RIM * max(trimap.shape)))
        core = trimap[rim:-rim, rim:-rim].copy()
        trimap[:] = MAYBE_OFF
        trimap[rim:-rim, rim:-rim] = core
    return trimap


def _draw_bodies(trimap: U8, window: Window, own: Skeleton | None, others: Sequence[Skeleton]) -> None:
    if own is not None and own.trunk > 0:
        trimap[trimap == MAYBE_ON] = MAYBE_OFF
        trimap[own.strokes(window, _LIKELY_BREADTH)] = MAYBE_ON
    for other in others:
        trimap[other.strokes(window, _SURE_BREADTH)] = OFF
    if own is not None and own.trunk > 0:
        trimap[own.strokes(window, _SURE_BREADTH)] = ON


def _draw_points(trimap: U8, window: Window, prompts: Prompts, box: F32, reach: float | None = None) -> None:
    import cv2

    side = max(trimap.shape)
    radius = max(1, round(_POINT_RADIUS * side))
    inside = _in_box(prompts.points, box)
    places = np.rint(window.to_canvas(prompts.points) - 0.5).astype(int)
    on = [
        place.tolist()
        for place, label, here in zip(places, prompts.point_labels, inside, strict=True)
        if label and here
    ]
    off = [place.tolist() for place, label in zip(places, prompts.point_labels, strict=True) if not label]
    if reach is not None:
        for place in on:
            cv2.circle(trimap, place, max(1, round(reach * side)), MAYBE_ON, -1)
    for place in off:
        cv2.circle(trimap, place, radius, OFF, -1)
    for place in on:
        cv2.circle(trimap, place, radius, ON, -1)


def _in_box(points: F32, box: F32) -> Bool:
    x, y = points.T
    inside: Bool = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    return inside


def _strays(prompts: Prompts) -> F32:
    """Positive points that lie in no box."""
    positive = prompts.points[prompts.point_labels > 0]
    held = np.zeros(len(positive), np.bool_)
    for box in prompts.boxes:
        held |= _in_box(positive, box)
    return positive[~held]


def _signals(done: Cut, box: F32) -> dict[str, float]:
    area = max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
    signals = {"contrast": done.contrast, "box_fill": min(1.0, float(done.mask.sum()) / area)}
    if done.support is not None:
        signals["stroke_support"] = done.support
    return signals


def _keep_worst(signals: dict[str, float], more: dict[str, float]) -> None:
    for name, value in more.items():
        signals[name] = min(value, signals.get(name, value))
