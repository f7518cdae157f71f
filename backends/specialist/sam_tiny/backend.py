"""The promptable segmenter of the proving ground as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec, Reuse
from visionrouter.backends.specialist.familiarity import Familiarity, pooled
from visionrouter.backends.specialist.sam.embeddings import Embeddings
from visionrouter.backends.specialist.sam_tiny.network import build, decode, encode
from visionrouter.backends.specialist.trained import Trained
from visionrouter.backends.specialist.window import Window
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, Bool
from visionrouter.schema.errors import BackendError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Task

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 8
"""Images whose features are kept for further prompts."""
_TOKENS = 6
"""Fewest prompt tokens the network was trained with: two corners and four points."""
_CORNERS, _NONE = (2, 3), -1
_STABILITY_OFFSET = 1.0


class SamTiny(Backend):
    """One mask for each box, or one for the thing that points mark.

    Positive points help every box they lie in; negative points are on no thing. The picture is stretched to a square.

    Signals, the worst of all masks: `predicted_iou`, the network's own guess at how well the mask fits, and
    `stability`, the IoU of the masks cut at logits +1 and -1 (Kirillov et al. 2023, appendix B); and
    `familiarity`, above 1 where the picture is unlike the training's. The confidence map
    is how far the least sure mask is from a coin toss. Notes: `empty:I`, mask I has no pixel; `points_outside:N`, N
    positive points lie in no box.
    """

    def __init__(self, *, folder: str | Path | None = None, device: str = "cpu") -> None:
        """`folder` of weights and card (default: the package's). Raises `WeightsError` where there is no card."""
        self._trained = Trained.read("sam_tiny", folder)
        self._device = device
        self._model: tuple[Any, Familiarity | None] | None = None
        self._embeddings: Embeddings[Tensor] = Embeddings(KEPT)
        self.spec = BackendSpec(
            name="sam_tiny",
            kind="specialist",
            tasks=frozenset({Task.PROMPTABLE}),
            licence="Apache-2.0",
            weights_digest=self._trained.weights.digest,
            weights_bytes=self._trained.weights.size,
            input_size=(self._trained.side, self._trained.side),
            cost=2.0,
            memory_mb=150,
            needs_prompts=True,
            extra="sam",
            requires=("segment_anything", "torch", "safetensors"),
        )

    def load(self) -> None:
        self._loaded()

    @property
    def reuse(self) -> Reuse | None:
        return self._embeddings.reuse

    def close(self) -> None:
        self._model = None
        self._embeddings.clear()

    def _loaded(self) -> tuple[Any, Familiarity | None]:
        if self._model is None:
            sam = self._trained.fill(lambda: build(self._trained.side, self.spec.name), self._device)
            self._model = sam, self._trained.familiarity()
        return self._model

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        asked, notes = _tokens(query.prompts, self.spec.name)
        width, height = query.image.size
        (features,) = self._embeddings.of([query.image], self._encoded)
        canvas = self._canvas(query.image)
        logits, iou, known = self._run(features, [(canvas.to_canvas(xy), kinds) for xy, kinds in asked])
        masks: Bool = np.zeros((len(asked), height, width), np.bool_)
        trust: F32 = np.ones((height, width), np.float32)
        for i, logit in enumerate(_resized(logits, height, width)):
            masks[i] = logit > 0
            np.minimum(trust, np.abs(np.tanh(logit / 2)), out=trust)
            if not masks[i].any():
                notes.append(f"empty:{i}")
        label = query.targets[0].noun if len(query.targets) == 1 else "object"
        payload = Segmentation(masks, iou, (label,) * len(masks), "promptable")
        signals = {"predicted_iou": float(iou.min()), "stability": _stability(logits), **known}
        return Prediction(payload, Evidence(signals, trust), notes=tuple(notes))

    def _canvas(self, image: Image) -> Window:
        return Window(0, 0, image.width, image.height, self._trained.side, self._trained.side)

    def _encoded(self, images: Sequence[Image]) -> list[Tensor]:
        """Features (1, C, side / 8, side / 8) of each."""
        import torch

        sam, _ = self._loaded()
        seen = [torch.from_numpy(self._canvas(image).sample(image.pixels)) for image in images]
        with torch.inference_mode():
            rgb = torch.stack(seen).permute(0, 3, 1, 2).to(self._device).float() / 255
            features = encode(sam, rgb)
            return [features[i : i + 1] for i in range(len(images))]

    def _run(
        self, features: Tensor, asked: Sequence[tuple[F32, list[int]]]
    ) -> tuple[Tensor, F32, dict[str, float]]:
        """Logits (N, side / 2, side / 2) and predicted IoU (N,) of the mask chosen for each prompt; the signal
        `familiarity` where the weights bring its statistics."""
        import torch

        sam, familiarity = self._loaded()
        longest = max(_TOKENS, *(len(kinds) for _, kinds in asked))
        points = torch.zeros(len(asked), longest, 2)
        labels = torch.full((len(asked), longest), _NONE)
        for i, (xy, kinds) in enumerate(asked):
            points[i, : len(xy)] = torch.from_numpy(xy)
            labels[i, : len(kinds)] = torch.tensor(kinds)
        with torch.inference_mode():
            known = {} if familiarity is None else familiarity.signal(pooled(features))
            masks, iou = decode(
                sam, features.expand(len(asked), -1, -1, -1), points.to(self._device), labels.to(self._device)
            )
            alone = (labels >= 0).sum(1) == 1
            chosen = torch.where(alone.to(iou.device), iou[:, 1:].argmax(1) + 1, 0)
            rows = torch.arange(len(asked), device=iou.device)
            quality = iou[rows, chosen].float().clamp(0, 1).cpu().numpy()
            return masks[rows, chosen].float().cpu(), quality, known


def _tokens(prompts: Prompts, name: str) -> tuple[list[tuple[F32, list[int]]], list[str]]:
    """Places float32 (P, 2) in image pixels and kinds of the tokens for each mask, and notes."""
    if not prompts:
        raise BackendError(f"{name} needs a box or a point; give boxes= or points=")
    points, kinds = prompts.points, prompts.point_labels.astype(int)
    if not len(prompts.boxes):
        if not kinds.any():
            raise BackendError(f"{name} was given points off the thing only; give one on it, or a box")
        return [(points, kinds.tolist())], []
    asked, held = [], kinds == 0
    for box in prompts.boxes:
        inside = ((points >= box[:2]) & (points <= box[2:])).all(1)
        held |= inside
        used = inside | (kinds == 0)
        asked.append((np.concatenate([box.reshape(2, 2), points[used]]), [*_CORNERS, *kinds[used].tolist()]))
    return asked, [] if held.all() else [f"points_outside:{int((~held).sum())}"]


def _resized(logits: Tensor, height: int, width: int) -> list[F32]:
    """Each of (N, h, w) at (height, width), one at a time: a photo's masks in float are large."""
    from torch.nn.functional import interpolate

    return [
        interpolate(one[None, None], size=(height, width), mode="bilinear")[0, 0].numpy() for one in logits
    ]


def _stability(logits: Tensor) -> float:
    core = (logits > _STABILITY_OFFSET).sum((1, 2))
    whole = (logits > -_STABILITY_OFFSET).sum((1, 2))
    return float((core / whole.clamp_min(1)).min())
