"""Of the things found, those that the words ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt

from visionrouter.backends.base import BackendSpec
from visionrouter.instruction.grounding import ground
from visionrouter.instruction.selection import RGB, select
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.payload import Detections
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target

Indices = npt.NDArray[np.intp]


def narrow(
    found: Detections,
    query: Query,
    spec: BackendSpec,
    colours: Callable[[int], RGB] | None = None,
    depths: F32 | None = None,
) -> tuple[Indices, tuple[str, ...]]:
    """Indices, ascending, of the detections that the query's targets mean (all, where it names none), and notes.

    `found` holds all that was seen, so that what a target is placed against ("the cup on the table") is among it.
    `colours` gives the mean sRGB of a detection, 0 to 255; without it, that of the middle half of its box. `depths`
    float32 (N,), larger is farther, NaN where not known. Notes: `specificity_lost:WORD` where the nearest label is
    broader than the word ("woman" is answered by any person), `unresolved:WORDS` where words narrowed nothing because
    a picture of boxes does not tell ("nearest", without depths), or fit another number of things than was asked for.

    Raises `UnsupportedTargetError` naming the nearest labels where the backend has no label for a target.
    """
    if not query.targets:
        return np.arange(len(found)), ()
    chosen: set[int] = set()
    notes: dict[str, None] = {}
    for target in query.targets:
        vocabulary = spec.labels if spec.labels is not None else tuple(dict.fromkeys(found.labels))
        grounding = ground(target, vocabulary)
        if spec.labels is not None and not grounding.labels:
            raise UnsupportedTargetError(_refusal(target, spec.name, spec.labels))
        selection = select(
            target,
            found.boxes,
            found.labels,
            query.image.size,
            depths_m=depths,
            colours=colours or (lambda i: mean_colour(query.image.pixels, found.boxes[i])),
        )
        chosen.update(i for i in selection.indices if found.labels[i] in grounding.labels)
        if not grounding.exact:
            notes[f"specificity_lost:{target.noun}"] = None
        for sentence in selection.unresolved:
            said = sentence.split('"')[1]
            if grounding.exact or said != target.noun:
                notes[f"unresolved:{said}"] = None
    return np.array(sorted(chosen), np.intp), tuple(notes)


def mean_colour(pixels: U8, box: F32) -> RGB:
    """Mean sRGB, 0 to 255, of the middle half of a box, where there is more of the thing than of its background."""
    middle, quarter = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 4
    x1, y1 = np.floor(middle - quarter).astype(int)
    x2, y2 = np.ceil(middle + quarter).astype(int)
    red, green, blue = pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)].reshape(-1, 3).mean(0)
    return float(red), float(green), float(blue)


def _refusal(target: Target, name: str, labels: Sequence[str]) -> str:
    near = get_close_matches(target.noun, labels, 3, 0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"it knows {_some(labels)}"
    return f"{name} has no label for {target.noun!r} ({hint}); ask for one of those, or ask an open-vocabulary backend"


def _some(labels: Sequence[str], shown: int = 8) -> str:
    more = len(labels) - shown
    return ", ".join(labels[:shown]) + (f" and {more} more" if more > 0 else "")
