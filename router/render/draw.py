"""From an answer to a picture: which drawing a payload gets, and the marks of outcomes that are no plain answer."""

from __future__ import annotations

from visionrouter.render.boxes import draw_detections
from visionrouter.render.canvas import Canvas
from visionrouter.render.classes import draw_classes
from visionrouter.render.composite import draw_banner, draw_composite
from visionrouter.render.depth import draw_depth
from visionrouter.render.intrinsics import draw_intrinsics
from visionrouter.render.masks import draw_segmentation
from visionrouter.render.normals import draw_normals
from visionrouter.render.skeleton import draw_poses
from visionrouter.render.sources import draw_sources
from visionrouter.render.status import draw_mark, draw_refusal, reserve_mark
from visionrouter.schema.arrays import U8
from visionrouter.schema.decision import Outcome
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.image import ImageSource, load_image
from visionrouter.schema.payload import (
    Classification,
    Composite,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.result import Result


def overlay(answer: Result | Payload, image: ImageSource) -> U8:
    """Draw an answer on the image it was made from: uint8 (H, W, 3), the image's own size.

    `image` is anything `load_image` takes. Numbers on labels are the models' raw scores. Depth, normals and intrinsics
    replace the picture; an abstention dims it and says why; an answer nobody vouches for is framed and says so. Pictures too small
    for words get none. Raises `SchemaError` where the answer belongs to an image of another size, `ImageError` where
    the image cannot be read.
    """
    return draw(answer, load_image(image).pixels)


def source_overlay(result: Result, image: ImageSource) -> U8:
    """Tint every pixel by the backend it is from: uint8 (H, W, 3), with a key.

    Raises `SchemaError` where the result has no `source_map`, that is where it is not merged from several pixel maps.
    """
    return draw_source_map(result, load_image(image).pixels)


def draw(answer: Result | Payload, pixels: U8, text_scale: float = 1.0) -> U8:
    """`overlay` on uint8 (H, W, 3), with the text `text_scale` times its usual size."""
    canvas = Canvas(pixels, text_scale)
    if not isinstance(answer, Result):
        _draw_payload(canvas, answer)
        return canvas.pixels()
    _check_size(canvas, "result", (answer.image_size[1], answer.image_size[0]))
    if answer.payload is None:
        draw_refusal(canvas, answer.decision)
    elif answer.outcome is Outcome.DEGRADED:
        reserve_mark(canvas, answer.decision)
        _draw_payload(canvas, answer.payload)
        draw_mark(canvas, answer.decision)
    else:
        _draw_payload(canvas, answer.payload)
    return canvas.pixels()


def draw_source_map(result: Result, pixels: U8, text_scale: float = 1.0) -> U8:
    """`source_overlay` on uint8 (H, W, 3), with the text `text_scale` times its usual size."""
    canvas = Canvas(pixels, text_scale)
    if result.source_map is None:
        raise SchemaError(
            "Result.source_map is None: only answers merged pixel by pixel have one; use overlay()"
        )
    _check_size(canvas, "source map", result.source_map.shape)
    draw_sources(canvas, result.source_map, result.sources)
    return canvas.pixels()


def _draw_payload(canvas: Canvas, payload: Payload) -> None:
    match payload:
        case Detections():
            draw_detections(canvas, payload)
        case Segmentation():
            _check_masks(canvas, payload)
            draw_segmentation(canvas, payload)
        case DepthMap():
            _check_size(canvas, payload.kind, payload.values.shape)
            draw_depth(canvas, payload)
        case NormalMap():
            _check_size(canvas, payload.kind, payload.values.shape[:2])
            draw_normals(canvas, payload)
        case Intrinsics():
            _check_size(canvas, payload.kind, payload.albedo.shape[:2])
            draw_intrinsics(canvas, payload)
        case Poses():
            draw_poses(canvas, payload)
        case Classification():
            draw_classes(canvas, payload)
        case Composite():
            _check_composite(canvas, payload)
            draw_composite(canvas, payload)
    if isinstance(payload, Detections | Segmentation | Poses) and not len(payload):
        draw_banner(canvas, "nothing found")


def _check_composite(canvas: Canvas, payload: Composite) -> None:
    if payload.image is not None:
        _check_size(canvas, "edited picture", payload.image.shape[:2])
    for part in payload.parts.values():
        if isinstance(part, Segmentation):
            _check_masks(canvas, part)


def _check_masks(canvas: Canvas, payload: Segmentation) -> None:
    if len(payload):
        _check_size(canvas, payload.kind, payload.masks.shape[1:])


def _check_size(canvas: Canvas, what: str, shape: tuple[int, ...]) -> None:
    if shape != (canvas.height, canvas.width):
        raise SchemaError(
            f"overlay: the image is {canvas.width}x{canvas.height} pixels but the {what} is {shape[1]}x{shape[0]}; "
            "give the image the answer was made from"
        )
