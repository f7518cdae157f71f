"""When two answers to one question agree well enough that each speaks for the other."""

from __future__ import annotations

import math
from collections.abc import Mapping

from visionrouter.merge.compare import compare
from visionrouter.schema.payload import Payload
from visionrouter.schema.route import Limit, Limits, Opinion
from visionrouter.schema.task import Task

_SAME_THINGS: Limits = {"f1": Limit(min=0.5)}
_SAME_MASK: Limits = {"foreground_iou": Limit(min=0.5)}

AGREEMENT: Mapping[Task, Limits] = {
    Task.DEPTH: {
        "aligned": Limit(min=1),
        "aligned_median": Limit(max=0.12),
        "log_scale": Limit(-math.log(1.25), math.log(1.25)),
        "sky_disagreement": Limit(max=0.15),
    },
    Task.NORMALS: {"angle_mean_deg": Limit(max=25), "common_share": Limit(min=0.2)},
    Task.INTRINSICS: {"si_rmse": Limit(max=0.3), "common_share": Limit(min=0.2)},
    Task.SEMANTIC: {"pixel_agreement": Limit(min=0.75)},
    Task.REFERRING: _SAME_MASK,
    Task.PROMPTABLE: _SAME_MASK,
    Task.INSTANCE: _SAME_THINGS,
    Task.DETECT: _SAME_THINGS,
    Task.POSE: _SAME_THINGS,
    Task.CLASSIFY: {"top1_same": Limit(min=1)},
}
"""What `compare` must find of two answers to each task. Rules of thumb, wide enough for honest backends to keep and too
narrow for another scene's answer, a scale error of 1.5 or a mask of something else; they are no calibration. Where a
profile has measured better ones for a backend's opinion, those hold."""

_IF_METRIC = frozenset({"log_scale"})
"""Told only of two metric depths."""


def agreement(opinion: Opinion | None, task: Task) -> Limits:
    """What the profile says agreement with an opinion is, or the rules of thumb."""
    return AGREEMENT[task] if opinion is None or opinion.agrees is None else opinion.agrees


def disagreements(limits: Limits, signals: Mapping[str, float]) -> tuple[str, ...]:
    """What speaks against agreement, in words, of the signals that `compare` gives; a signal that could not be told
    does. None where they agree."""
    said = []
    for name, limit in limits.items():
        value = signals.get(name)
        if value is None:
            if name not in _IF_METRIC:
                said.append(f"{name} cannot be told")
        elif not limit.holds(value):
            said.append(f"{name} {value:.3g}, limit {limit}")
    return tuple(said)


def agree(limits: Limits, a: Payload, b: Payload) -> bool:
    """Whether two answers to one question agree."""
    return not disagreements(limits, compare(a, b).signals)
