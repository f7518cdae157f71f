"""Trains the detector by its own loss on labelled pictures held on the device; ultralytics' trainer is not used."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.specialist.boxes import pairwise_iou
from visionrouter.backends.specialist.pictures import mirrored, visible, zoomed
from visionrouter.backends.specialist.scene_yolo.network import build, features, pick
from visionrouter.backends.specialist.sitting import Sitting, familiar, fit, save
from visionrouter.schema.arrays import F32, Bool

LEAST_PX, LEAST_SIDE_PX = 16, 3
"""Smaller things are not asked for."""
LIMITS = "Trained on rendered scenes alone; boxes are of what is seen of a thing. Runs on ultralytics' code: AGPL-3.0."
IOUS = np.arange(0.5, 1.0, 0.05)


def train(source: Source, sitting: Sitting) -> dict[str, float] | None:
    """Train, write weights and card into the sitting's folder; returns the metrics, None where the sitting ended first."""
    torch.manual_seed(sitting.seed)
    names = source.vocabulary.things
    unseen, bank = sitting.pictures_of(source)
    network = build(len(names)).to(sitting.device)

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        some = bank[torch.as_tensor(rng.integers(len(bank), size=sitting.batch), device=sitting.device)]
        if rng.random() < 0.5:
            some = mirrored(some)
        if rng.random() < 0.8:
            some = zoomed(some, 0.6, 2.0, noise)
        rgb = damage(recolour(some.rgb.float() / 255, rng, 0.5), some.depth_m, 0.3, rng, noise)
        with sitting.autocast():
            answer = network(rgb)
        exact = {k: [f.float() for f in v] if isinstance(v, list) else v.float() for k, v in answer.items()}
        total, _ = network.loss({"img": rgb, **targets(some, source.vocabulary)}, exact)
        loss: Tensor = total.sum() / sitting.batch
        return loss

    steps = fit(network, loss_of_step, sitting)
    if steps is None:
        return None
    metrics = {"steps": float(steps), "pictures": float(steps * sitting.batch)}
    metrics |= evaluate(network, unseen, source.vocabulary)
    card = {"side": sitting.size, "data": repr(source), "options": sitting.options, "metrics": metrics}
    known = familiar(partial(features, network), bank, unseen, sitting)
    save(network, sitting.folder, "scene_yolo", {"classes": names, **card, "limits": LIMITS}, known)
    return metrics


def targets(some: Labelled, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """What the loss takes: picture index (N,), class (N, 1) and box (N, 4) x y w h in shares of the side, of the seen
    part of each thing."""
    boxes, pixels = visible(some.region, vocabulary)
    sides = boxes[..., 2:] - boxes[..., :2]
    wanted = (some.thing >= 0) & (pixels >= LEAST_PX) & (sides.amin(-1) >= LEAST_SIDE_PX)
    picture, slot = wanted.nonzero(as_tuple=True)
    box, side = boxes[picture, slot], sides[picture, slot]
    centred = torch.cat([box[:, :2] + side / 2, side], 1) / some.region.shape[-1]
    return {
        "batch_idx": picture.float(),
        "cls": some.thing[picture, slot][:, None].float(),
        "bboxes": centred,
    }


@torch.no_grad()
def evaluate(network: Any, pictures: Labelled, vocabulary: Vocabulary) -> dict[str, float]:
    """Average precision over classes present at IoU 0.5 (`ap50`) and over 0.5:0.95 (`ap`), all points interpolated."""
    side = pictures.rgb.shape[-1]
    wanted = targets(pictures, vocabulary)
    picture, of_class = (wanted[k].flatten().cpu().numpy().astype(int) for k in ("batch_idx", "cls"))
    centre, sides = (wanted["bboxes"].cpu().numpy() * side).reshape(-1, 2, 2).transpose(1, 0, 2)
    truth = np.concatenate([centre - sides / 2, centre + sides / 2], 1)
    rows: list[tuple[F32, np.ndarray[Any, np.dtype[np.intp]], Bool]] = []
    for begin in range(0, len(pictures), 32):
        answers = network(pictures.rgb[begin : begin + 32].float() / 255)[0].float().cpu().numpy()
        for i, cells in enumerate(answers, begin):
            boxes, scores, classes = pick(cells, 0.01, 1.0)
            here = picture == i
            rows.append((scores, classes, _hits(boxes, classes, truth[here], of_class[here])))
    scores, classes = np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])
    hits = np.concatenate([r[2] for r in rows])
    each = []
    for c in np.unique(of_class):
        order = np.argsort(-scores[classes == c], kind="stable")
        each.append(_precision(hits[classes == c][order], int((of_class == c).sum())))
    table = np.array(each)
    return {"ap50": float(table[:, 0].mean()), "ap": float(table.mean()), "things": float(len(truth))}


def _hits(boxes: F32, classes: Any, truth: F32, of_class: Any) -> Bool:
    """bool (N, IOUS): which boxes, best first, find a thing of their class that no better one found."""
    hits = np.zeros((len(boxes), len(IOUS)), np.bool_)
    overlap = pairwise_iou(boxes, truth) * (classes[:, None] == of_class[None])
    for k, least in enumerate(IOUS):
        free = np.ones(len(truth), np.bool_)
        for n in range(len(boxes) if len(truth) else 0):
            best = (overlap[n] * free).argmax()
            if free[best] and overlap[n, best] >= least:
                hits[n, k], free[best] = True, False
    return hits


def _precision(hits: Bool, things: int) -> F32:
    """float32 (IOUS,): area under precision over recall of ranked `hits` (N, IOUS)."""
    true = hits.cumsum(0)
    precision = true / np.arange(1, len(hits) + 1)[:, None]
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    area: F32 = ((envelope * hits).sum(0) / things).astype(np.float32)
    return area
