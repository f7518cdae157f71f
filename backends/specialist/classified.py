"""From probabilities to the likeliest classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from visionrouter.schema.arrays import F32
from visionrouter.schema.payload import Classification
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query


def classified(
    query: Query,
    probabilities: F32,
    labels: Sequence[str],
    top: int,
    known: Mapping[str, float] | None = None,
) -> Prediction:
    """The `top` likeliest of `labels`, whose probabilities are float32 (C,).

    Signals: `score`, the best class's probability; `margin`, its lead over the second; and those `known` of the picture.
    Note `targets_ignored`: words that narrow the question ("what kind of dog") do not narrow the answer.
    """
    best = np.argsort(-probabilities, kind="stable")
    scores = probabilities[best].clip(0, 1)
    second = float(scores[1]) if len(scores) > 1 else 0.0
    signals = {"score": float(scores[0]), "margin": float(scores[0]) - second, **(known or {})}
    payload = Classification(tuple(labels[i] for i in best[:top]), scores[:top])
    return Prediction(payload, Evidence(signals), notes=("targets_ignored",) if query.targets else ())
