"""Skeletons: bones of the left and the right side in two colours, joints as dots; what was not found is not drawn."""

from __future__ import annotations

from visionrouter.render.boxes import by_falling, draw_box, rects_of
from visionrouter.render.canvas import Canvas
from visionrouter.render.colour import RGB, of_instance
from visionrouter.render.labels import Chip, draw_chips
from visionrouter.render.legend import draw_key
from visionrouter.schema.payload import Poses

LEFT: RGB = (255, 170, 20)
RIGHT: RGB = (60, 170, 245)
CENTRE: RGB = (245, 245, 245)


def draw_poses(canvas: Canvas, payload: Poses) -> None:
    """Every person's found joints (score above 0) and the bones between two of them, with a thin box and a number."""
    rects = rects_of(payload.boxes, canvas)
    thin = max(1, canvas.line_px // 2)
    for i, rect in enumerate(rects):
        draw_box(canvas, rect, of_instance(i), thin)
    for i in reversed(by_falling(payload.scores)):
        _draw_person(canvas, payload, i, min(max(0.022 * rects[i].height, 1.5), 1.6 * canvas.line_px))
    if len(payload) and any(side_colour(name) != CENTRE for name in payload.names):
        draw_key(canvas, [(LEFT, "own left"), (RIGHT, "own right")])
    name = "person {}" if len(payload) > 1 else "person"
    draw_chips(
        canvas,
        [
            Chip(name.format(i + 1), f" {payload.scores[i]:.2f}", of_instance(i), rects[i])
            for i in by_falling(payload.scores)
        ],
    )


def side_colour(*names: str) -> RGB:
    """The colour of a joint, or of a bone between two: `LEFT` or `RIGHT` by their names, `CENTRE` for neither or both."""
    left = any(name.lower().startswith("left") for name in names)
    right = any(name.lower().startswith("right") for name in names)
    if left == right:
        return CENTRE
    return LEFT if left else RIGHT


def _draw_person(canvas: Canvas, payload: Poses, i: int, thickness: float) -> None:
    points: list[tuple[float, float]] = [(x, y) for x, y in payload.keypoints[i].tolist()]
    found = (payload.keypoint_scores[i] > 0).tolist()
    rim = 0.4 * canvas.line_px
    for a, b in payload.edges:
        if found[a] and found[b]:
            canvas.stroke(
                points[a], points[b], thickness, side_colour(payload.names[a], payload.names[b]), rim
            )
    for k, point in enumerate(points):
        if found[k]:
            canvas.stroke(point, point, 1.7 * thickness, side_colour(payload.names[k]), rim)
