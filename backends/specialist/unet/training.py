"""Trains the U-Net on labelled pictures. One sitting, the encoder starts from ImageNet weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.specialist.embedded import FOLDER
from visionrouter.backends.specialist.pictures import mirrored
from visionrouter.backends.specialist.sitting import Sitting, familiar, fit, save
from visionrouter.backends.specialist.unet.network import Heads, build, features, normalise, split

ENCODER_WEIGHTS = FOLDER / "efficientnet_lite0_timm.safetensors"
IGNORED = 255
LIMITS = "Trained on rendered scenes alone; depth is metric for lenses like theirs."


def train(source: Source, sitting: Sitting) -> dict[str, float] | None:
    """Train, write weights and card into the sitting's folder; returns the metrics, None where the sitting ended first."""
    torch.manual_seed(sitting.seed)
    classes = (*source.vocabulary.stuff, *source.vocabulary.things)
    unseen, bank = sitting.pictures_of(source)
    network = build(len(classes))
    _load_encoder(network)
    network = network.to(sitting.device)

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        some = bank[torch.as_tensor(rng.integers(len(bank), size=sitting.batch), device=sitting.device)]
        if rng.random() < 0.5:
            some = mirrored(some)
        rgb = damage(recolour(some.rgb.float() / 255, rng, 0.5), some.depth_m, 0.4, rng, noise)
        with sitting.autocast():
            output = network(normalise(rgb))
        return _loss(split(output), some, source.vocabulary)

    steps = fit(network, loss_of_step, sitting)
    if steps is None:
        return None
    metrics = {"steps": float(steps), "pictures": float(steps * sitting.batch)}
    metrics |= evaluate(network, unseen, source.vocabulary)
    card = {"side": sitting.size, "data": repr(source), "options": sitting.options, "metrics": metrics}
    known = familiar(partial(features, network), bank, unseen, sitting)
    save(network, sitting.folder, "unet", {"classes": classes, **card, "limits": LIMITS}, known)
    return metrics


@torch.no_grad()
def evaluate(network: torch.nn.Module, pictures: Labelled, vocabulary: Vocabulary) -> dict[str, float]:
    """Depth AbsRel and delta1 below 80 m, mean angle of normals in degrees, and semantic mIoU over classes present."""
    network.eval()
    sums = dict.fromkeys(("absrel", "delta1", "known", "angle", "faces"), 0.0)
    classes = len(vocabulary.stuff) + len(vocabulary.things)
    confusion = torch.zeros(classes, classes, dtype=torch.int64, device=pictures.rgb.device)
    for begin in range(0, len(pictures), 32):
        some = pictures[begin : begin + 32]
        heads = split(network(normalise(some.rgb.float() / 255)))
        truth = some.depth_m.float()
        near = truth < 80
        ratio = heads.log_depth.exp()[near] / truth[near]
        sums["absrel"] += float((ratio - 1).abs().sum())
        sums["delta1"] += float((torch.maximum(ratio, 1 / ratio) < 1.25).sum())
        sums["known"] += float(near.sum())
        normals = some.normals.float() / 127
        faces = normals.norm(dim=1) > 0.5
        cosine = (heads.normals * normals).sum(1).clamp(-1, 1)[faces]
        sums["angle"] += float(cosine.acos().rad2deg().sum())
        sums["faces"] += float(faces.sum())
        semantic = _semantic(some, vocabulary)
        labelled = semantic != IGNORED
        pairs = semantic[labelled].long() * classes + heads.logits.argmax(1)[labelled]
        confusion += torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    hits = confusion.diag().double()
    union = confusion.sum(0) + confusion.sum(1) - confusion.diag()
    present = confusion.sum(1) > 0
    return {
        "depth_absrel": sums["absrel"] / sums["known"],
        "depth_delta1": sums["delta1"] / sums["known"],
        "normals_mean_deg": sums["angle"] / sums["faces"],
        "semantic_miou": float((hits[present] / union[present]).mean()),
        "semantic_accuracy": float(hits.sum() / confusion.sum()),
    }


def _loss(heads: Heads, truth: Labelled, vocabulary: Vocabulary) -> Tensor:
    """Laplace likelihood of log depth, cosine of normals, cross entropy of classes."""
    depth = truth.depth_m.float()
    known = torch.isfinite(depth) & (depth > 0)
    error = (heads.log_depth - torch.where(known, depth, 1.0).log()).abs()
    likelihood = error * torch.exp(-heads.log_scale) + heads.log_scale
    depth_loss = (likelihood[known]).mean() + error[known].mean()
    normals = truth.normals.float() / 127
    faces = normals.norm(dim=1) > 0.5
    normals_loss = 1 - (heads.normals * normals).sum(1)[faces].mean()
    semantic_loss = cross_entropy(heads.logits, _semantic(truth, vocabulary).long(), ignore_index=IGNORED)
    return depth_loss + 2 * normals_loss + semantic_loss


def _semantic(truth: Labelled, vocabulary: Vocabulary) -> Tensor:
    """(B, H, W) class of each pixel: stuff first, then things; 255 where the labels do not say."""
    stuff = len(vocabulary.stuff)
    region = truth.region.long()
    slot = (region - vocabulary.first_object).clamp_min(0)
    thing = torch.gather(truth.thing.long(), 1, slot.flatten(1)).view_as(region)
    semantic = torch.where(
        region < vocabulary.first_object, region - 1, torch.where(thing < 0, IGNORED, stuff + thing)
    )
    return torch.where(region == 0, IGNORED, semantic)


def _load_encoder(network: torch.nn.Module) -> None:
    """ImageNet's weights. The depthwise filters stay as they are: their gradient takes a third of a step on a CPU."""
    from safetensors.torch import load_file

    weights = {f"model.{k}": v.float() for k, v in load_file(ENCODER_WEIGHTS).items()}
    encoder = network.get_submodule("encoder")
    wanted = encoder.state_dict().keys()
    encoder.load_state_dict({k: v for k, v in weights.items() if k in wanted}, strict=True)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Conv2d) and module.groups > 1:
            module.weight.requires_grad_(False)
