"""Does a class keep its pixels when it is given another colour?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.merge.compare import class_map
from visionrouter.schema.palette import BACKGROUND, BLACK, separated_colours
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Palette, PaletteEntry, Task


class Votes(Probe):
    """The same classes in permuted colours, after Open Vision Banana: signal `votes_agreement`, the mean share of the
    drawings that agree with a pixel's class. It speaks of classes, not of their edges."""

    role, calls, tasks, prefix = Role.SELF, 2, frozenset({Task.SEMANTIC}), "votes"

    def questions(self, query: Query) -> tuple[Query, ...]:
        palette = query.palette or _palette(query)
        if sum(entry.label != BACKGROUND for entry in palette) < 2:
            return ()
        return tuple(replace(query, palette=_turned(palette, k)) for k in range(1, self.calls + 1))

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        if not answers:
            return Finding()
        payloads = [prediction.payload, *(answer.payload for answer in answers)]
        drawn = [payload for payload in payloads if isinstance(payload, Segmentation)]
        names = list(dict.fromkeys(label for payload in drawn for label in payload.labels))
        mine, *others = (class_map(payload, names) for payload in drawn)
        share = np.mean([mine == other for other in others], 0, dtype=np.float32)
        return Finding({"votes_agreement": float(share.mean())}, share)


def _palette(query: Query) -> Palette:
    labels = list(dict.fromkeys(target.noun for target in query.targets))
    colours = separated_colours(len(labels), avoid=(BLACK,))
    return tuple(
        PaletteEntry(label, colour.rgb, colour.name) for label, colour in zip(labels, colours, strict=True)
    )


def _turned(palette: Palette, by: int) -> Palette:
    """Each class in the colour of the one `by` places on; a background stays what it is."""
    classes = [entry for entry in palette if entry.label != BACKGROUND]
    paints = [classes[(i + by) % len(classes)] for i in range(len(classes))]
    turned = iter([replace(e, rgb=p.rgb, colour=p.colour) for e, p in zip(classes, paints, strict=True)])
    return tuple(entry if entry.label == BACKGROUND else next(turned) for entry in palette)
