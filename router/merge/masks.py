"""Masks of several sources: things matched one to one and voted pixel by pixel; classes voted pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visionrouter.merge.elements import (
    agreement,
    contributors,
    joint_scores,
    loudest,
    pooled_confidence,
    voices,
)
from visionrouter.merge.matching import Cluster, cluster, mask_iou, same_labels
from visionrouter.merge.part import Merged, Part, canonical, one_size, pixel_weights, supported
from visionrouter.schema.arrays import F32, U8, Bool
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.payload import Segmentation


def merge_masks(payloads: Sequence[Segmentation], parts: Sequence[Part], *, iou: float = 0.5) -> Merged:
    """Masks of one mode, by the rule of that mode. Raises `SchemaError` where modes or sizes differ."""
    modes = {found.mode for found in payloads}
    if len(modes) != 1:
        raise SchemaError(f"masks of modes {sorted(modes)} do not merge; give answers to one task")
    size = one_size([found.masks.shape[1:] for found in payloads])
    if modes == {"semantic"}:
        return _classes(payloads, parts, size)
    return _things(payloads, parts, size, iou)


# ---- things


def _things(
    payloads: Sequence[Segmentation], parts: Sequence[Part], size: tuple[int, int], iou: float
) -> Merged:
    """One mask a thing, best first.

    Masks are matched by IoU of at least `iou` to the heaviest source's, instances within a label, referring masks
    whatever each source calls the thing meant, and prompted ones by place where all sources gave as many (each answers
    a prompt, in order). A pixel is in where more than half of the weight times score of those that saw the thing says
    so. Prompted masks that answer one prompt and overlap by less than `iou` are not mixed: the loudest stands, with the
    note `masks_disagree:I`. score = Σ w s / Σ w over all sources.
    """
    sources = canonical(parts)
    counts = [len(found) for found in payloads]
    mode = payloads[0].mode
    notes: list[str] = []
    by_place = mode == "promptable" and len(set(counts)) == 1
    if by_place:
        clusters: list[Cluster] = [dict.fromkeys(sources, i) for i in range(counts[0])]
    else:
        clusters = cluster(counts, lambda s, held: _likeness(payloads, s, held), sources, iou)
    voiced = voices(clusters, [found.scores for found in payloads], parts)
    speakers = loudest(np.nan_to_num(voiced, nan=-1)[:, sources])
    leading = np.array(sources, np.uint8)[speakers] if len(clusters) else np.zeros(0, np.uint8)
    masks: Bool = np.zeros((len(clusters), *size), np.bool_)
    for n, held in enumerate(clusters):
        lead = payloads[leading[n]].masks[held[int(leading[n])]]
        if by_place and any(
            mask_iou(lead[None], payloads[s].masks[i][None])[0, 0] < iou for s, i in held.items()
        ):
            masks[n] = lead
            notes.append(f"masks_disagree:{n}")
        else:
            masks[n] = _vote(held, payloads, parts, lead)
    scores = joint_scores(voiced, parts)
    labels = [payloads[leading[n]].labels[held[int(leading[n])]] for n, held in enumerate(clusters)]
    seen = contributors(clusters, len(parts))
    order = np.arange(len(clusters)) if by_place else np.argsort(-scores, kind="stable")
    payload = Segmentation(masks[order], scores[order], tuple(labels[n] for n in order), mode)
    evidence = {"agreement": agreement(seen, parts), "elements": float(len(clusters))}
    if by_place and len(clusters):
        evidence["agreement"] *= 1 - len(notes) / len(clusters)
    return Merged(
        payload, leading[order], seen[order], None, pooled_confidence(parts), evidence, (), tuple(notes)
    )


def _likeness(payloads: Sequence[Segmentation], source: int, held: Cluster) -> F32:
    found = payloads[source]
    founder, i = next(iter(held.items()))
    overlap = mask_iou(found.masks, payloads[founder].masks[i][None])[:, 0]
    if found.mode == "instance":
        overlap[~same_labels(found.labels, payloads[founder].labels[i : i + 1])[:, 0]] = 0
    return overlap


def _vote(held: Cluster, payloads: Sequence[Segmentation], parts: Sequence[Part], lead: Bool) -> Bool:
    """bool (H, W). A source whose confidence map is low at a pixel says less there; a draw goes to `lead`."""
    if len(held) == 1:
        return lead
    balance = np.zeros(lead.shape)
    for source, i in held.items():
        loudness = parts[source].weight * max(float(payloads[source].scores[i]), 1e-6)
        trust = parts[source].confidence_map
        says = np.where(payloads[source].masks[i], loudness, -loudness)
        balance += says if trust is None else says * np.maximum(trust, 1e-6)
    return np.where(balance == 0, lead, balance > 0)


# ---- classes


def _classes(payloads: Sequence[Segmentation], parts: Sequence[Part], size: tuple[int, int]) -> Merged:
    """One class a pixel, the one with the most votes: weight times confidence map, or times the class's score.

    A pixel that a source gives no class is no vote: its vocabulary may lack the word. A draw goes to the class first
    by name. Classes keep the order of the heaviest source, then of the others.
    """
    sources = canonical(parts)
    labels = tuple(dict.fromkeys(label for s in sources for label in payloads[s].labels))
    weights = pixel_weights(parts, size)
    ballots = np.zeros((len(labels), *size))
    for s in sources:
        for i, label in enumerate(payloads[s].labels):
            mask = payloads[s].masks[i]
            ballots[labels.index(label)][mask] += _ballot(weights[s], payloads[s], parts[s], i)[mask]
    by_name = sorted(range(len(labels)), key=labels.__getitem__)
    voted = ballots.any(0)
    winner = np.array(by_name, int)[ballots[by_name].argmax(0)] if labels else np.zeros(size, int)
    winner = np.where(voted, winner, -1)
    masks = np.array([winner == n for n in range(len(labels))], np.bool_).reshape(-1, *size)
    knows = np.array([found.masks.any(0) for found in payloads])
    agrees = np.zeros((len(parts), *size), np.bool_)
    for s, found in enumerate(payloads):
        for i, label in enumerate(found.labels):
            agrees[s] |= found.masks[i] & masks[labels.index(label)]
    confidence, agreed = supported(parts, weights, agrees.astype(np.float32), knows)
    scores = np.array([_class_score(label, payloads, parts) for label in labels], np.float32)
    payload = Segmentation(masks, scores, labels, "semantic")
    evidence = {"agreement": agreed, "unlabelled_share": float(1 - voted.mean()) if voted.size else 0.0}
    return Merged(
        payload, source_map=heaviest(weights, agrees, sources), confidence_map=confidence, evidence=evidence
    )


def _ballot(weights: F32, found: Segmentation, part: Part, i: int) -> F32:
    return weights if part.confidence_map is not None else weights * max(float(found.scores[i]), 1e-6)


def _class_score(label: str, payloads: Sequence[Segmentation], parts: Sequence[Part]) -> float:
    """The weighted mean of the raw scores of those that know the class."""
    known = sorted(
        (part.weight, float(found.scores[found.labels.index(label)]))
        for part, found in zip(parts, payloads, strict=True)
        if label in found.labels
    )
    return min(1.0, sum(w * score for w, score in known) / sum(w for w, _ in known))


def heaviest(weights: F32, speaks: Bool, sources: Sequence[int]) -> U8:
    """uint8 (H, W): of the sources that speak for a pixel's answer, the one with the most weight there.

    `weights`, `speaks` (S, H, W). Where none speaks: the first of `sources`, heaviest first.
    """
    ordered = list(sources)
    loud = np.where(speaks, weights, 0)[ordered]
    chosen: U8 = np.array(ordered, np.uint8)[loud.argmax(0)]
    return chosen
