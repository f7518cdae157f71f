"""From the probabilities of classes to one mask a class that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np

from visionrouter.backends.generative.framing import Frame
from visionrouter.instruction.grounding import ground
from visionrouter.instruction.inflection import singular
from visionrouter.schema.arrays import F32
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.palette import BACKGROUND
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target


@dataclass(frozen=True, slots=True)
class Asked:
    """The name to show for each class that was asked for, and notes."""

    names: Mapping[str, str]
    notes: tuple[str, ...] = ()


def read(query: Query, classes: Sequence[str], backend: str) -> Asked:
    """The classes that a query means, all of them where it names none.

    A palette's classes go by the palette's words, those of targets by their own names. Raises `UnsupportedTargetError`
    for a word without a class, or two palette words for one class.
    """
    if not query.palette and not query.targets:
        return Asked({name: name for name in classes})
    names: dict[str, str] = {}
    notes: dict[str, None] = {}
    for entry in query.palette:
        if entry.label == BACKGROUND:
            names[BACKGROUND] = BACKGROUND
            continue
        for label in _known(Target(singular(entry.label), entry.label), classes, notes, backend):
            if names.setdefault(label, entry.label) != entry.label:
                raise UnsupportedTargetError(
                    f"{backend} sees {names[label]!r} and {entry.label!r} both as {label!r}; ask for one of them"
                )
    for target in () if query.palette else query.targets:
        names |= {label: label for label in _known(target, classes, notes, backend)}
        words = (*target.attributes, *(relation.kind.value for relation in target.relations))
        notes |= dict.fromkeys(f"unresolved:{word}" for word in words)
    return Asked(names, tuple(notes))


def _known(target: Target, classes: Sequence[str], notes: dict[str, None], backend: str) -> tuple[str, ...]:
    """The classes that a target means: the one of its very name where there is one."""
    if target.noun in classes:
        return (target.noun,)
    grounding = ground(target, classes)
    if not grounding.labels:
        near = get_close_matches(target.noun, classes, 3, 0.5) or classes[:8]
        raise UnsupportedTargetError(
            f"{backend} has no class for {target.noun!r} (nearest: {', '.join(near)}); ask for one of those"
        )
    if not grounding.exact:
        notes[f"specificity_lost:{target.noun}"] = None
    return grounding.labels


def as_prediction(
    probability: F32,
    frame: Frame,
    classes: Sequence[str],
    asked: Asked,
    further: Mapping[str, float] = MappingProxyType({}),
) -> Prediction:
    """Each pixel of its likeliest class, of which those asked for are shown by the names they were asked by.

    `probability`: float32 (C, h, w) of the image's part of `frame`. Signals: `score`, the mean probability of the
    likeliest class, and `margin`, its mean lead over the second, and `further` ones. The confidence map is the probability of the class.
    """
    second, first = (
        np.sort(probability, axis=0)[-2:] if len(probability) > 1 else (0 * probability[0], probability[0])
    )
    names = list(dict.fromkeys(asked.names.values()))
    rest = names.index(BACKGROUND) if BACKGROUND in names else len(names)
    shown = [names.index(asked.names[c]) if c in asked.names else rest for c in classes]
    value = frame.enlarge_labels(np.array(shown, np.int16)[probability.argmax(0)])
    trust = frame.enlarge(first).clip(0, 1)
    kept = [i for i in range(len(names)) if (value == i).any()]
    masks = np.stack([value == i for i in kept]) if kept else np.zeros((0, *value.shape), np.bool_)
    scores = np.array([trust[mask].mean() for mask in masks], np.float32)
    payload = Segmentation(masks, scores, tuple(names[i] for i in kept), "semantic")
    signals = {"score": float(first.mean()), "margin": float((first - second).mean()), **further}
    return Prediction(payload, Evidence(signals, trust), notes=asked.notes)
