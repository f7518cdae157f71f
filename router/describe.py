"""Answers in words, one line each."""

from __future__ import annotations

from collections import Counter

import numpy as np

from visionrouter.schema.decision import Attempt, Decision, Outcome
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


def describe(payload: Payload | None) -> str:
    """A payload in one line: what was found, how much of it, with raw scores named as such."""
    match payload:
        case None:
            return "no answer"
        case Detections():
            return _tally(payload.labels, payload.scores)
        case Segmentation(mode="semantic"):
            shares = payload.masks.mean((1, 2))
            order = np.argsort(-shares)
            return (
                ", ".join(f"{payload.labels[i]} {shares[i]:.0%}" for i in order if shares[i] > 0) or "nothing"
            )
        case Segmentation():
            shares = payload.masks.mean((1, 2))
            return (
                f"{_tally(payload.labels, payload.scores)}; {shares.sum():.0%} of the picture"
                if len(payload)
                else "nothing"
            )
        case DepthMap():
            return _depth(payload)
        case NormalMap():
            known = np.isfinite(payload.values[..., 0]).mean()
            return f"normals of {known:.0%} of the picture"
        case Intrinsics():
            known = np.isfinite(payload.albedo).all(-1).mean()
            return f"{', '.join(payload.maps)} of {known:.0%} of the picture"
        case Poses():
            joints = int((payload.keypoint_scores > 0.25).sum())
            return (
                f"{len(payload)} {'person' if len(payload) == 1 else 'people'}, {joints} joints"
                if len(payload)
                else "nobody"
            )
        case Classification():
            return ", ".join(
                f"{label.split(',')[0]} {score:.2f}"
                for label, score in zip(payload.labels[:3], payload.scores, strict=False)
            )
        case Composite():
            return payload.summary


def verdict_line(decision: Decision) -> str:
    """Outcome, reason, and who said what, in one line."""
    tried = [*decision.attempts, *(a for child in decision.children for a in child.attempts)]
    steps = " > ".join(_attempt(a) for a in tried)
    return f"{decision.outcome} ({decision.reason})" + (f": {steps}" if steps else "")


def route_line(decision: Decision) -> str:
    """Policy, rule and the backends tried, in one line."""
    if decision.children:
        return " + ".join(route_line(child) for child in decision.children)
    tried = " > ".join(a.backend for a in decision.attempts)
    return f"{decision.policy}/{decision.rule}: {tried or 'nobody'}"


def why_not(result: Result) -> str:
    """Why an answer is missing or not vouched for, in words; empty where it is neither."""
    if result.outcome not in (Outcome.ABSTAINED, Outcome.FAILED, Outcome.DEGRADED):
        return ""
    tried = [*result.decision.attempts, *(a for c in result.decision.children for a in c.attempts)]
    refusals = [
        f"{a.backend}: {a.verdict.detail or a.verdict.reason}" for a in tried if not a.verdict.accepted
    ]
    return "; ".join(refusals) or result.decision.reason.replace("_", " ")


def _attempt(attempt: Attempt) -> str:
    mark = "ok" if attempt.verdict.accepted else attempt.verdict.reason
    return f"{attempt.backend} {mark} {attempt.latency_ms:.0f} ms"


def _tally(labels: tuple[str, ...], scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    if not labels:
        return "nothing"
    best = {
        label: max(float(s) for name, s in zip(labels, scores, strict=True) if name == label)
        for label in labels
    }
    return ", ".join(
        f"{n} x {label} (best score {best[label]:.2f})" for label, n in Counter(labels).most_common()
    )


def _depth(depth: DepthMap) -> str:
    known = depth.values[np.isfinite(depth.values)]
    if not known.size:
        return "no surface within range"
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95))
    sky = np.isinf(depth.values).mean()
    unit = "m" if depth.is_metric else depth.unit
    return f"{low:.1f} to {high:.1f} {unit}, median {middle:.1f}" + (
        f", {sky:.0%} without a surface" if sky > 0.005 else ""
    )
