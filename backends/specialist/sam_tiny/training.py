"""Trains the promptable segmenter on labelled pictures: every picture is encoded once and asked several prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, interpolate

from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.specialist.embedded import ENCODER_WEIGHTS
from visionrouter.backends.specialist.familiarity import pooled
from visionrouter.backends.specialist.pictures import mirrored, visible, zoomed
from visionrouter.backends.specialist.sam_tiny.encoder import start_from
from visionrouter.backends.specialist.sam_tiny.network import build, decode, encode
from visionrouter.backends.specialist.sitting import Sitting, familiar, fit, save

LEAST_PX = 32
"""Seen pixels from which on an object is asked for."""
FOCAL, DICE, QUALITY = 20.0, 1.0, 1.0
LIMITS = (
    "Trained on rendered things of 32 pixels and more at 256x256, one whole thing a mask: no parts, no stuff."
)
POSITIVE = 3
"""Most points on the thing."""


@dataclass(frozen=True)
class Asked:
    """Prompts of B pictures, P each. `points` (B, P, 6, 2) and `labels` (B, P, 6): two corners, three points on the
    thing and one off it, each -1 where it is not given. `truth` bool (B, P, H, W)."""

    points: Tensor
    labels: Tensor
    truth: Tensor


def train(source: Source, sitting: Sitting, *, prompts: int = 8) -> dict[str, float] | None:
    """Train with so many prompts a picture, write weights and card into the sitting's folder.

    Returns the metrics, None where the sitting ended first.
    """
    torch.manual_seed(sitting.seed)
    unseen, bank = (_with_objects(some, source.vocabulary) for some in sitting.pictures_of(source))
    sam = build(sitting.size)
    start_from(sam.image_encoder, load_file(ENCODER_WEIGHTS))
    sam = sam.to(sitting.device)

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        some = bank[torch.as_tensor(rng.integers(len(bank), size=sitting.batch), device=sitting.device)]
        if rng.random() < 0.5:
            some = mirrored(some)
        if rng.random() < 0.7:
            some = zoomed(some, 1.0, 2.5, noise)
        asked = ask(some.region, source.vocabulary, prompts, noise)
        rgb = damage(recolour(some.rgb.float() / 255, rng, 0.5), some.depth_m, 0.3, rng, noise)
        with sitting.autocast():
            masks, iou = _answer(sam, rgb, asked)
        return loss(masks.float(), iou.float(), asked)

    steps = fit(sam, loss_of_step, sitting)
    if steps is None:
        return None
    metrics = {"steps": float(steps), "pictures": float(steps * sitting.batch)}
    metrics |= evaluate(sam, unseen, source.vocabulary, sitting.seed)
    options = {**sitting.options, "prompts": prompts}
    card = {"side": sitting.size, "data": repr(source), "options": options, "metrics": metrics}
    known = familiar(lambda rgb: pooled(encode(sam, rgb)), bank, unseen, sitting)
    save(sam, sitting.folder, "sam_tiny", {**card, "limits": LIMITS}, known)
    return metrics


def ask(region: Tensor, vocabulary: Vocabulary, prompts: int, noise: torch.Generator) -> Asked:
    """Draw objects of each picture, and for each a box (55 %), points (30 %) or both (15 %).

    Boxes are off by up to a tenth of their sides. A picture without objects is asked for nothing, and the answer to
    that is an empty mask.
    """
    boxes, pixels = visible(region, vocabulary)
    weight = (pixels >= LEAST_PX).float() + 1e-9
    slot = torch.multinomial(weight, prompts, replacement=True, generator=noise)
    truth = region[:, None] == (slot + vocabulary.first_object)[..., None, None].to(region.dtype)
    box = torch.gather(boxes, 1, slot[..., None].expand(-1, -1, 4))
    place = region.device
    kind = torch.rand(slot.shape, generator=noise, device=place)
    sides = (box[..., 2:] - box[..., :2]).repeat(1, 1, 2)
    jitter = torch.randn(box.shape, generator=noise, device=place).mul(0.05).clamp(-0.1, 0.1)
    corners = (box + jitter * sides).clamp(0, region.shape[-1]).view(*slot.shape, 2, 2)
    on = _points_in(truth.float(), POSITIVE, noise)
    around = ~truth & _inside(corners, region.shape[-1], 0.15)
    off = _points_in(around.float(), 1, noise)
    boxed, pointed = kind < 0.7, kind >= 0.55
    given = torch.randint(1, POSITIVE + 1, slot.shape, generator=noise, device=place)
    used = pointed[..., None] & (torch.arange(POSITIVE, device=place) < given[..., None])
    negative = pointed & around.any((2, 3)) & (torch.rand(slot.shape, generator=noise, device=place) < 0.25)
    labels = torch.cat(
        [
            torch.where(boxed[..., None], torch.tensor([2, 3], device=place), -1),
            torch.where(used, 1, -1),
            torch.where(negative, 0, -1)[..., None],
        ],
        -1,
    )
    return Asked(torch.cat([corners, on, off], 2), labels, truth)


def loss(masks: Tensor, iou: Tensor, asked: Asked) -> Tensor:
    """Focal and dice loss of the best of three masks, of the first where the prompt leaves no doubt, and the error of
    the predicted IoU of all (Kirillov et al. 2023, appendix A)."""
    truth = avg_pool2d(asked.truth.flatten(0, 1)[:, None].float(), 2)
    size = truth.shape[-2:]
    truth = truth.expand(-1, masks.shape[1], *size)
    chance = masks.sigmoid()
    miss = (chance - truth).abs()
    focal = (binary_cross_entropy_with_logits(masks, truth, reduction="none") * miss.square()).mean((2, 3))
    common = (chance * truth).sum((2, 3))
    dice = 1 - (2 * common + 1) / (chance.sum((2, 3)) + truth.sum((2, 3)) + 1)
    each = FOCAL * focal + DICE * dice
    sure = ((asked.labels >= 0).sum(-1) > 1).flatten()
    drawn = masks > 0
    held = truth > 0.5
    actual = (drawn & held).sum((2, 3)) / (drawn | held).sum((2, 3)).clamp_min(1)
    quality = (iou - actual).square().mean()
    return (
        each[:, 1:].amin(1).mean() + (each[:, 0] * sure).sum() / sure.sum().clamp_min(1) + QUALITY * quality
    )


@torch.no_grad()
def evaluate(sam: Any, pictures: Labelled, vocabulary: Vocabulary, seed: int = 0) -> dict[str, float]:
    """Mean IoU at full size of masks from the box, one point and three points, and the error of the predicted IoU."""
    noise = torch.Generator(pictures.rgb.device).manual_seed(seed)
    ways = {"box": [0, 1], "point": [2], "points": [2, 3, 4]}
    found: dict[str, list[Tensor]] = {way: [] for way in ways}
    errors: list[Tensor] = []
    for begin in range(0, len(pictures), 16):
        some = pictures[begin : begin + 16]
        drawn = ask(some.region, vocabulary, 4, noise)
        every = torch.tensor([2, 3, 1, 1, 1, 0], device=drawn.labels.device).expand_as(drawn.labels)
        for way, kept in ways.items():
            labels = torch.full_like(drawn.labels, -1)
            labels[..., kept] = every[..., kept]
            masks, iou = _answer(sam, some.rgb.float() / 255, Asked(drawn.points, labels, drawn.truth))
            chosen = choose(iou, way != "point")
            rows = torch.arange(len(masks), device=masks.device)
            mask = (
                interpolate(masks[rows, chosen][:, None], size=some.region.shape[1:], mode="bilinear")[:, 0]
                > 0
            )
            truth = drawn.truth.flatten(0, 1)
            shared = (mask & truth).sum((1, 2)) / (mask | truth).sum((1, 2)).clamp_min(1)
            found[way].append(shared)
            errors.append((iou[rows, chosen] - shared).abs())
    scores = {f"miou_{way}": float(torch.cat(each).mean()) for way, each in found.items()}
    return scores | {"predicted_iou_error": float(torch.cat(errors).mean())}


def choose(iou: Tensor, sure: bool) -> Tensor:
    """Which of four masks (N, 4) to take: the first where the prompt leaves no doubt, else the best of the others."""
    return torch.zeros(len(iou), dtype=torch.long, device=iou.device) if sure else iou[:, 1:].argmax(1) + 1


def _answer(sam: Any, rgb: Tensor, asked: Asked) -> tuple[Tensor, Tensor]:
    features = encode(sam, rgb).repeat_interleave(asked.points.shape[1], 0)
    return decode(sam, features, asked.points.flatten(0, 1), asked.labels.flatten(0, 1))


def _with_objects(pictures: Labelled, vocabulary: Vocabulary) -> Labelled:
    _, pixels = visible(pictures.region, vocabulary)
    return pictures[(pixels >= LEAST_PX).any(1).nonzero()[:, 0]]


def _points_in(weight: Tensor, count: int, noise: torch.Generator) -> Tensor:
    """(B, P, count, 2) x y of pixels drawn by weights (B, P, H, W), anywhere within them; any pixel where all are 0."""
    width = weight.shape[-1]
    flat = weight.flatten(2).flatten(0, 1)
    drawn = torch.multinomial(flat + 1e-9, count, replacement=True, generator=noise)
    pixel = torch.stack([drawn % width, drawn // width], -1).float()
    inside = torch.rand(pixel.shape, generator=noise, device=weight.device)
    return (pixel + inside).view(*weight.shape[:2], count, 2)


def _inside(corners: Tensor, side: int, margin: float) -> Tensor:
    """bool (B, P, side, side): pixels in boxes (B, P, 2, 2) made wider by a share of their sides."""
    pad = margin * (corners[..., 1, :] - corners[..., 0, :])
    low, high = corners[..., 0, :] - pad, corners[..., 1, :] + pad
    at = torch.arange(side, device=corners.device) + 0.5
    across = (at >= low[..., :1]) & (at <= high[..., :1])
    down = (at >= low[..., 1:]) & (at <= high[..., 1:])
    return down[..., :, None] & across[..., None, :]
