"""Does a backend say the same again: of the mirrored image, of the image in other light, with another seed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from visionrouter.confidence.probes.agreement import agreed
from visionrouter.confidence.probes.mirror import mirrored_payload, mirrored_query
from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

ALL = frozenset(Task) - {Task.COMPOSITE}
_GAMMA = 1.5
_SEED_STEP = 1_000_003


class Flip(Probe):
    """The mirrored image: what a model reads off the picture turns with it, what it guesses does not."""

    role, calls, tasks, prefix = Role.SELF, 1, ALL, "flip"

    def questions(self, query: Query) -> tuple[Query, ...]:
        return (mirrored_query(query),)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        turned = [mirrored_payload(answer.payload, query.image.width) for answer in answers]
        return agreed(self.prefix, prediction.payload, turned)


class Photometric(Probe):
    """The image in other light: darker by a gamma of 1.5, which changes nothing that is asked of it, unless it is asked
    for its intrinsics: a gamma bends the albedo too, and light is half of the answer."""

    role, calls, tasks, prefix = Role.SELF, 1, ALL - {Task.INTRINSICS}, "photometric"

    def questions(self, query: Query) -> tuple[Query, ...]:
        darker = (255 * (np.arange(256) / 255) ** _GAMMA).round().astype(np.uint8)
        return (replace(query, image=replace(query.image, pixels=darker[query.image.pixels])),)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        return agreed(self.prefix, prediction.payload, [answer.payload for answer in answers])


class Seeds(Probe):
    """Other seeds, as in Marigold's ensembles (arXiv:2312.02145). A deterministic backend always agrees with itself:
    then the signal is constant and tells nothing."""

    role, calls, tasks, prefix = Role.SELF, 2, ALL, "seeds"

    def questions(self, query: Query) -> tuple[Query, ...]:
        seeds = ((query.seed + k * _SEED_STEP) % 2**63 for k in range(1, self.calls + 1))
        return tuple(replace(query, seed=seed) for seed in seeds)

    def read(self, query: Query, prediction: Prediction, answers: Sequence[Prediction]) -> Finding:
        return agreed(self.prefix, prediction.payload, [answer.payload for answer in answers])
