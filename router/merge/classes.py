"""Opinions of several classifiers pooled over the union of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from visionrouter.merge.part import Merged, Part
from visionrouter.schema.payload import Classification

F64 = npt.NDArray[np.float64]
Pool = Literal["linear", "log"]


def merge_classes(
    payloads: Sequence[Classification], parts: Sequence[Part], *, pool: Pool = "linear"
) -> Merged:
    """Best first, equals by name.

    "linear": p = Σ w p / Σ w, a class that a source does not list counting as 0 there. "log": p ∝ Π p^(w/Σw), a class
    not listed counting as the least that the source lists or its unlisted rest, whichever is smaller; scaled so that
    what is listed keeps the linear pool's total. The linear pool keeps a minority's opinion, the logarithmic one lets
    each source veto.
    """
    labels = sorted({label for found in payloads for label in found.labels})
    said = np.array([spread(found, labels) for found in payloads], np.float64).reshape(
        len(parts), len(labels)
    )
    weights = np.array([part.weight for part in parts], np.float64)
    shares = weights / sum(sorted(weights))
    listed = np.array([[label in found.labels for label in labels] for found in payloads], np.bool_)
    voiced = shares[:, None] * said
    linear = np.sort(voiced, 0).sum(0)
    pooled = linear if pool == "linear" else _log_pool(said, listed.reshape(said.shape), shares, linear.sum())
    order = np.argsort(-pooled.astype(np.float32), kind="stable")
    scores = pooled[order].clip(0, 1).astype(np.float32)
    payload = Classification(tuple(labels[n] for n in order), scores)
    agrees = sum(
        float(share)
        for share, found in zip(shares, payloads, strict=True)
        if found.labels[:1] == payload.labels[:1]
    )
    sources = voiced.argmax(0).astype(np.uint8) if labels else np.zeros(0, np.uint8)
    held = listed.reshape(said.shape).T[order]
    return Merged(payload, sources[order], held, evidence={"agreement": min(1.0, agrees)})


def spread(found: Classification, labels: Sequence[str]) -> F64:
    """float64 (L,): the score of each label, 0 where it is not listed; the best where it is listed twice."""
    best: dict[str, float] = {}
    for label, score in zip(found.labels, found.scores, strict=True):
        best[label] = max(best.get(label, 0.0), float(score))
    return np.array([best.get(label, 0.0) for label in labels])


def _log_pool(said: F64, listed: npt.NDArray[np.bool_], shares: F64, total: float) -> F64:
    if not said.size:
        return np.zeros(said.shape[1])
    least = np.where(listed, said, np.inf).min(1)
    rest = (1 - said.sum(1)).clip(0)
    floor = np.minimum(np.where(np.isfinite(least), least, 1.0), rest).clip(1e-6)
    logs = np.log(np.maximum(np.where(listed, said, floor[:, None]), 1e-12))
    pooled = np.exp(np.sort(shares[:, None] * logs, 0).sum(0))
    return np.asarray(pooled * total / pooled.sum())
