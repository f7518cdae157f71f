"""Trains the detector by its own loss on labelled pictures held on the device; ultralytics' trainer is not used."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.boxes import pairwise_iou
from visionrouter.backends.specialist.pictures import mirrored, visible, zoomed
from visionrouter.backends.specialist.scene_yolo.network import Found, build, features, pick
from visionrouter.backends.specialist.sitting import Sitting, familiar, fit, save
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.unet.network import build as build_unet
from visionrouter.schema.arrays import F32, Bool

LEAST_PX, LEAST_SIDE_PX = 16, 3
"""Smaller things are not asked for."""
FROZEN = ("conv_stem", "bn1", "blocks.0", "blocks.1")
"""What of the encoder stays as it is: the maps of most pixels, which take most of a step and have least to learn."""
LIMITS = (
    "Trained on rendered scenes alone; boxes are of what is seen of a thing. Joints were learnt from the people of the four "
    "worlds, none from the town's. Runs on ultralytics' code: AGPL-3.0."
)
IOUS = np.arange(0.5, 1.0, 0.05)
PCK_SHARE = 0.1
"""A joint is right within this share of the longer side of its person's box."""


def train(source: Source, sitting: Sitting) -> dict[str, float] | None:
    """Train, write weights and card into the sitting's folder; returns the metrics, None where the sitting ended first.

    Begins with the encoder of the shipped U-Net, or, where the sitting says so, with the shipped detector.
    """
    torch.manual_seed(sitting.seed)
    names = source.vocabulary.things
    unseen, bank = sitting.pictures_of(source)
    network = build(len(names))
    if sitting.shipped:
        Trained.read("scene_yolo").fill(lambda: network)
    else:
        _take_encoder(network)
    network.to(sitting.device, memory_format=torch.channels_last)
    _freeze(network)
    network.criterion = _criterion(network)

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


def _take_encoder(network: Any) -> None:
    card = Trained.read("unet")
    unet = card.fill(lambda: build_unet(len(card.classes)))
    network.model[0].encoder.load_state_dict(unet.encoder.model.state_dict())


def _freeze(network: Any) -> None:
    """The encoder's first blocks, and its depthwise filters, whose gradient takes a third of a step on a CPU."""
    encoder = network.model[0].encoder
    for name, module in encoder.named_modules():
        if name.startswith(FROZEN) or (isinstance(module, torch.nn.Conv2d) and module.groups > 1):
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)


def _criterion(network: Any) -> Any:
    """The library's loss, but that joints are learnt from things alone that have some labelled: people of a source without
    joints would teach that there are none."""
    losses = require("ultralytics.utils.loss", "scene_yolo", "ultralytics")

    class JointsWhereLabelled(losses.v8PoseLoss):  # type: ignore[misc,name-defined]
        def calculate_keypoints_loss(
            self, masks: Tensor, target_gt_idx: Tensor, keypoints: Tensor, *rest: Tensor
        ) -> Any:
            labelled = (keypoints[..., 2] > 0).any(-1)
            asked = masks & labelled.gather(1, target_gt_idx)
            return super().calculate_keypoints_loss(asked, target_gt_idx, keypoints, *rest)

    return JointsWhereLabelled(network)


def targets(some: Labelled, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """What the loss takes: picture index (N,), class (N, 1), box (N, 4) x y w h of the seen part and joints (N, 17, 3)
    x y v of each thing; places in shares of the side, v 0 where unlabelled."""
    boxes, pixels = visible(some.region, vocabulary)
    sides = boxes[..., 2:] - boxes[..., :2]
    wanted = (some.thing >= 0) & (pixels >= LEAST_PX) & (sides.amin(-1) >= LEAST_SIDE_PX)
    picture, slot = wanted.nonzero(as_tuple=True)
    box, side = boxes[picture, slot], sides[picture, slot]
    whole = some.region.shape[-1]
    joints = some.keypoints[picture, slot]
    return {
        "batch_idx": picture.float(),
        "cls": some.thing[picture, slot][:, None].float(),
        "bboxes": torch.cat([box[:, :2] + side / 2, side], 1) / whole,
        "keypoints": torch.cat([joints[..., :2] / whole, joints[..., 2:]], -1),
    }


@torch.no_grad()
def evaluate(network: Any, pictures: Labelled, vocabulary: Vocabulary) -> dict[str, float]:
    """Average precision over classes present at IoU 0.5 (`ap50`) and over 0.5:0.95 (`ap`), all points interpolated; `pck`
    of the seen joints of people found at IoU 0.5, `people` of them all and `people_found`."""
    side = pictures.rgb.shape[-1]
    wanted = targets(pictures, vocabulary)
    picture, of_class = (wanted[k].flatten().cpu().numpy().astype(int) for k in ("batch_idx", "cls"))
    centre, sides = (wanted["bboxes"].cpu().numpy() * side).reshape(-1, 2, 2).transpose(1, 0, 2)
    truth = np.concatenate([centre - sides / 2, centre + sides / 2], 1)
    joints = wanted["keypoints"].cpu().numpy() * (side, side, 1)
    rows: list[tuple[F32, np.ndarray[Any, np.dtype[np.intp]], Bool]] = []
    right: list[Bool] = []
    for begin in range(0, len(pictures), 32):
        answers = network(pictures.rgb[begin : begin + 32].float() / 255)[0].float().cpu().numpy()
        for i, cells in enumerate(answers, begin):
            found = pick(cells, 0.01, 1.0)
            here = picture == i
            hits = _hits(found.boxes, found.classes, truth[here], of_class[here])
            rows.append((found.scores, found.classes, hits))
            right += _joints_right(found, truth[here], of_class[here], joints[here])
    scores, classes = np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])
    hits = np.concatenate([r[2] for r in rows])
    each = []
    for c in np.unique(of_class):
        order = np.argsort(-scores[classes == c], kind="stable")
        each.append(_precision(hits[classes == c][order], int((of_class == c).sum())))
    table = np.array(each)
    people = (joints[..., 2] == 2).any(-1)
    return {
        "ap50": float(table[:, 0].mean()),
        "ap": float(table.mean()),
        "things": float(len(truth)),
        "pck": float(np.concatenate(right).mean()) if right else 0.0,
        "people": float(people.sum()),
        "people_found": float(len(right)),
    }


def _joints_right(found: Found, truth: F32, of_class: Any, joints: F32) -> list[Bool]:
    """Of each person with joints in view who was found: which of these joints are in their place."""
    overlap = pairwise_iou(truth, found.boxes) * (of_class[:, None] == found.classes[None])
    right = []
    for box, own, known in zip(truth, overlap, joints, strict=True):
        seen = known[:, 2] == 2
        if not seen.any() or not own.size or own.max() < IOUS[0]:
            continue
        off = np.linalg.norm(found.joints[own.argmax(), :, :2] - known[:, :2], axis=-1)
        right.append(off[seen] <= PCK_SHARE * (box[2:] - box[:2]).max())
    return right


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
