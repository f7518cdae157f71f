"""Several drawings of one palette in other colours, put to the vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.reading import Classes, read_classes, worst
from visionrouter.schema.arrays import F32, U8

_TIE = 1e-3
"""What trust weighs beside a vote: it decides between classes of as many votes, and nothing else."""


def tally(ballots: Sequence[Sequence[Ask]], drawings: Sequence[Sequence[U8]]) -> Classes:
    """Each pixel of the class that most drawings give it.

    `trust` is the share of drawings that agree: how sure of its labels the model is, not how sharp its borders are.
    Signals: of each drawing's the worst, and `vote_agreement`, the mean of that share.
    """
    rounds = [read_classes(asks, drawn) for asks, drawn in zip(ballots, drawings, strict=True)]
    labels = rounds[0].labels
    votes = np.zeros((len(labels), *rounds[0].value.shape), np.float32)
    for each in rounds:
        for i in range(len(labels)):
            votes[i] += (each.value == i) * (1 + _TIE * each.trust)
    winner = votes.argmax(0).astype(np.int16)
    agree = np.stack([each.value == winner for each in rounds])
    agreement: F32 = agree.mean(0, dtype=np.float32)
    signals = {**worst([each.signals for each in rounds]), "vote_agreement": float(agreement.mean())}
    return Classes(labels, winner, agreement, signals)
