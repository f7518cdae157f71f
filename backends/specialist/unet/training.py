"""Trains the U-Net on labelled pictures: first the decoder alone on what the ImageNet encoder sees, then the whole.

The order is that of Kumar et al. 2022 (arXiv 2202.10054). What the encoder sees of each picture is kept, so that the
first part costs a CPU a tenth of whole steps; it brings most of the accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from visionrouter.backends.generative.tuning.damage import damage, recolour
from visionrouter.backends.generative.tuning.labelled import Labelled, Source, Vocabulary
from visionrouter.backends.specialist.embedded import ENCODER_WEIGHTS
from visionrouter.backends.specialist.pictures import kept, mirrored
from visionrouter.backends.specialist.sitting import Sitting, familiar, fit, save
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.unet.network import (
    STRIDE,
    Heads,
    answer,
    build,
    decode,
    encode,
    pooled_stages,
    split,
)

IGNORED = 255
DECODER_SHARE = 0.75
"""Share of the run in which the decoder alone learns."""
DECODER_RATE = 2.5
"""Its learning rate, over that of the whole network."""
DECODER_BATCH = 2
"""Its batch, over that of the whole network."""
LIMITS = "Trained on rendered scenes alone; depth is metric for lenses like theirs; edges are those of a quarter of the side."


def train(source: Source, sitting: Sitting) -> dict[str, float] | None:
    """Train, write weights and card into the sitting's folder; returns the metrics, None where the sitting ended first."""
    torch.manual_seed(sitting.seed)
    classes = (*source.vocabulary.stuff, *source.vocabulary.things)
    unseen, bank = sitting.pictures_of(source)
    network, whole, first = build(len(classes)), sitting, 0
    _load_encoder(network)
    if sitting.shipped:
        Trained.read("unet").fill(lambda: network, sitting.device)
    else:
        network = network.to(sitting.device)
        whole = sitting.part(1 - DECODER_SHARE)
        decoded = _train_decoder(network, bank, source.vocabulary, sitting)
        if decoded is None:
            return None
        first = decoded

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        some = bank[torch.as_tensor(rng.integers(len(bank), size=sitting.batch), device=sitting.device)]
        if rng.random() < 0.5:
            some = mirrored(some)
        rgb = _seen(some, rng, noise)
        with sitting.autocast():
            output = decode(network, encode(network, rgb))
        return _loss(split(output), Truth.of(some, source.vocabulary))

    steps = fit(network, loss_of_step, whole)
    if steps is None:
        return None
    metrics = {"decoder_steps": float(first), "steps": float(steps), "pictures": float(steps * sitting.batch)}
    metrics |= evaluate(network, unseen, source.vocabulary)
    card = {"side": sitting.size, "data": repr(source), "options": sitting.options, "metrics": metrics}
    known = familiar(lambda rgb: pooled_stages(encode(network, rgb)), bank, unseen, sitting)
    save(network, sitting.folder, "unet", {"classes": classes, **card, "limits": LIMITS}, known)
    return metrics


def _train_decoder(
    network: torch.nn.Module, bank: Labelled, vocabulary: Vocabulary, sitting: Sitting
) -> int | None:
    """Train decoder and head on what the encoder sees of the pictures, held in float16."""
    network.eval()
    part = sitting.part(DECODER_SHARE, "decoder")
    part = replace(part, rate=DECODER_RATE * sitting.rate, batch=DECODER_BATCH * sitting.batch)
    turned = Labelled.joined([bank[::2], mirrored(bank[1::2])])
    stages = kept(part.folder / "stages.safetensors", lambda: _stages(network, turned, sitting), part.device)
    truth = Truth.of(turned, vocabulary)
    learnt = torch.nn.ModuleList(
        [network.get_submodule("decoder"), network.get_submodule("segmentation_head")]
    )

    def loss_of_step(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        del noise
        index = torch.as_tensor(rng.integers(len(turned), size=part.batch), device=part.device)
        with part.autocast():
            output = decode(network, [stages[name][index].float() for name in sorted(stages)])
        return _loss(split(output), truth[index])

    return fit(learnt, loss_of_step, part)


@torch.no_grad()
def _stages(network: torch.nn.Module, pictures: Labelled, sitting: Sitting) -> dict[str, Tensor]:
    """The encoder's stages for all pictures, float16, by number."""
    rng = np.random.default_rng((sitting.seed, 2))
    noise = torch.Generator(sitting.device).manual_seed(sitting.seed)
    parts = []
    for begin in range(0, len(pictures), 32):
        with sitting.autocast():
            parts.append(encode(network, _seen(pictures[begin : begin + 32], rng, noise)))
    joined = [torch.cat([stage.half() for stage in some]) for some in zip(*parts, strict=True)]
    return {str(number): stage for number, stage in enumerate(joined)}


def _seen(some: Labelled, rng: np.random.Generator, noise: torch.Generator) -> Tensor:
    """The pictures in other colours, some damaged, sRGB in [0, 1]."""
    return damage(recolour(some.rgb.float() / 255, rng, 0.5), some.depth_m, 0.4, rng, noise)


@dataclass(frozen=True, slots=True)
class Truth:
    """Labels at the output's places. `depth_m` (B, h, w); `normals` int8 (B, 3, h, w); `classes` uint8 (B, h, w)."""

    depth_m: Tensor
    normals: Tensor
    classes: Tensor

    @classmethod
    def of(cls, some: Labelled, vocabulary: Vocabulary) -> Truth:
        at = slice(STRIDE // 2, None, STRIDE)
        fewer = replace(some, depth_m=some.depth_m[:, at, at], region=some.region[:, at, at])
        return cls(fewer.depth_m, some.normals[..., at, at], _semantic(fewer, vocabulary).to(torch.uint8))

    def __getitem__(self, index: Tensor) -> Truth:
        return Truth(self.depth_m[index], self.normals[index], self.classes[index])


@torch.no_grad()
def evaluate(network: torch.nn.Module, pictures: Labelled, vocabulary: Vocabulary) -> dict[str, float]:
    """Depth AbsRel and delta1 below 80 m, mean angle of normals in degrees, and semantic mIoU over classes present."""
    network.eval()
    sums = dict.fromkeys(("absrel", "delta1", "known", "angle", "faces"), 0.0)
    classes = len(vocabulary.stuff) + len(vocabulary.things)
    confusion = torch.zeros(classes, classes, dtype=torch.int64, device=pictures.rgb.device)
    for begin in range(0, len(pictures), 32):
        some = pictures[begin : begin + 32]
        heads, _ = answer(network, some.rgb.float() / 255)
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
        "depth_absrel": sums["absrel"] / max(1, sums["known"]),
        "depth_delta1": sums["delta1"] / max(1, sums["known"]),
        "normals_mean_deg": sums["angle"] / max(1, sums["faces"]),
        "semantic_miou": float((hits[present] / union[present]).mean()),
        "semantic_accuracy": float(hits.sum() / confusion.sum()),
    }


def _loss(heads: Heads, truth: Truth) -> Tensor:
    """Laplace likelihood of log depth, cosine of normals, cross entropy of classes; what is not labelled counts for
    nothing."""
    depth = truth.depth_m.float()
    known = torch.isfinite(depth) & (depth > 0)
    error = (heads.log_depth - torch.where(known, depth, 1.0).log()).abs()
    likelihood = error * torch.exp(-heads.log_scale) + heads.log_scale
    depth_loss = ((likelihood + error) * known).sum() / known.sum().clamp_min(1)
    normals = truth.normals.float() / 127
    faces = normals.norm(dim=1) > 0.5
    normals_loss = ((1 - (heads.normals * normals).sum(1)) * faces).sum() / faces.sum().clamp_min(1)
    each = cross_entropy(heads.logits, truth.classes.long(), ignore_index=IGNORED, reduction="sum")
    semantic_loss = each / (truth.classes != IGNORED).sum().clamp_min(1)
    total: Tensor = depth_loss + 2 * normals_loss + semantic_loss
    return total


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
