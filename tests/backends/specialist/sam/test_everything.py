"""Masks of everything, against the filters of segment-anything and of transformers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from segment_anything import SamAutomaticMaskGenerator

from visionrouter.backends.registry import create
from visionrouter.backends.specialist.sam.everything import Grid
from visionrouter.backends.specialist.sam.everything import everything as keep
from visionrouter.backends.specialist.sam.prompts import Ask
from visionrouter.router import Router
from visionrouter.schema.errors import ProfileError, UnsupportedTargetError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

Tiny = Callable[[str], dict[str, Any]]
GENERATIONS = pytest.mark.parametrize("name", ["sam", "sam2", "sam3_tracker"])
GRID = {"points_per_side": 6, "least_iou": 0.6, "least_stability": 0.6}


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def everything(backend: Any, image: Image) -> Segmentation:
    (got,) = backend.predict([Query(Task.INSTANCE, image, (Target("object", "everything"),))])
    assert isinstance(got.payload, Segmentation)
    assert got.evidence.signals["count"] == len(got.payload)
    return got.payload


class Planted:
    """Answers every point with three soft discs around it, of sizes, edges and fits that chance gave."""

    def __init__(self, image: Image) -> None:
        self._rng = np.random.default_rng(0)
        self._y, self._x = np.mgrid[: image.height, : image.width].astype(np.float32)
        self.told: list[tuple[torch.Tensor, torch.Tensor]] = []

    def masks(self, asks: Sequence[Ask]) -> tuple[torch.Tensor, torch.Tensor]:
        centres = np.stack([ask.points[0] for ask in asks])[:, None, :, None, None]
        far = np.hypot(self._x - centres[:, :, 0], self._y - centres[:, :, 1])
        reach, soft, fit = self._rng.uniform((2, 0.2, 0), (20, 4, 1), (len(asks), 3, 3)).T
        logits = (reach.T[..., None, None] - far) / soft.T[..., None, None]
        self.told.append((torch.from_numpy(logits).float(), torch.from_numpy(fit.T.copy()).float()))
        return self.told[-1]

    def enlarged(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def test_what_is_doubtful_unstable_or_doubled_is_left_out_as_the_libraries_do(
    tiny: Tiny, image: Image
) -> None:
    planted = Planted(image)
    ours = keep(planted, image, Grid(8, 0.3, 0.7)).payload
    assert isinstance(ours, Segmentation)
    logits, fits = (torch.cat(part) for part in zip(*planted.told, strict=True))
    processor = hf.Sam2ImageProcessor()
    whole, size = torch.tensor([0, 0, *image.size]), (image.height, image.width)
    candidates = processor.filter_masks(logits, fits, size, whole, 0.3, 0.7)
    theirs, scores, *_ = processor.post_process_for_mask_generation(*candidates, crops_nms_thresh=0.7)
    assert 20 < len(theirs) < len(candidates[1]) < 8 * 8 * 3, "some go at each step"
    np.testing.assert_array_equal(ours.scores, scores.numpy())
    np.testing.assert_array_equal(ours.masks, np.stack(theirs))


def test_segment_anything_1_keeps_what_its_own_generator_keeps(tiny: Tiny, image: Image) -> None:
    backend: Any = create("sam", params={**tiny("sam"), **GRID})
    backend.load()
    generator = SamAutomaticMaskGenerator(
        backend._model.sam,
        points_per_side=GRID["points_per_side"],
        pred_iou_thresh=GRID["least_iou"],
        stability_score_thresh=GRID["least_stability"],
    )
    theirs = sorted(generator.generate(image.pixels.copy()), key=lambda mask: -mask["predicted_iou"])
    ours = everything(backend, image)
    assert len(ours) == len(theirs) > 0
    np.testing.assert_allclose(
        ours.scores, np.clip([mask["predicted_iou"] for mask in theirs], 0, 1), atol=1e-4
    )
    assert (ours.masks == np.stack([mask["segmentation"] for mask in theirs])).mean() > 0.999


@pytest.mark.parametrize(("name", "model"), [("sam2", "Sam2Model"), ("sam3_tracker", "Sam3TrackerModel")])
def test_sam_2_and_3_keep_what_their_processors_keep(name: str, model: str, tiny: Tiny, image: Image) -> None:
    params = {**tiny(name), **GRID}
    backend: Any = create(name, params=params)
    backend.load()
    network = getattr(hf, model).from_pretrained(params["source"]).eval()
    processor = backend._model.processor
    side = network.prompt_encoder.input_image_size
    middles = (torch.arange(6) + 0.5) / 6 * side
    places = torch.cartesian_prod(middles, middles).flip(-1).reshape(1, 36, 1, 2)
    with torch.inference_mode():
        output = network(
            **processor(images=image.pixels.copy(), return_tensors="pt"),
            input_points=places,
            input_labels=torch.ones(1, 36, 1, dtype=torch.long),
            multimask_output=True,
        )
        size = (image.height, image.width)
        (masks,) = processor.post_process_masks(output.pred_masks, [size], binarize=False)
        kept = processor.filter_masks(
            masks,
            output.iou_scores[0],
            size,
            torch.tensor([0, 0, image.width, image.height]),
            GRID["least_iou"],
            GRID["least_stability"],
        )
        theirs, scores, *_ = processor.post_process_for_mask_generation(*kept, crops_nms_thresh=0.7)
    ours = everything(backend, image)
    assert len(ours) == len(theirs) > 0
    np.testing.assert_allclose(ours.scores, scores.numpy().clip(0, 1), atol=1e-4)
    assert (ours.masks == np.stack(theirs).astype(bool)).mean() > 0.999


@GENERATIONS
def test_everything_has_masks_but_no_words(name: str, tiny: Tiny, image: Image) -> None:
    backend = create(name, params=tiny(name))
    found = everything(backend, image)
    assert len(found) > 0
    assert set(found.labels) == {"object"}
    assert found.masks.any((1, 2)).all()
    assert (np.diff(found.scores) <= 0).all()
    with pytest.raises(UnsupportedTargetError, match="knows no words"):
        backend.predict([Query(Task.INSTANCE, image, (Target("cat", "every cat"),))])


@GENERATIONS
def test_nothing_good_enough_is_no_mask(name: str, tiny: Tiny, image: Image) -> None:
    found = everything(create(name, params={**tiny(name), "least_iou": 1e6}), image)
    assert found.masks.shape == (0, image.height, image.width)


def test_the_router_segments_everything_and_says_that_words_are_not_known(tiny: Tiny, image: Image) -> None:
    with Router([create("sam2", params=tiny("sam2"))]) as router:
        result = router.run(image, "segment every object")
        named = router.run(image, "segment every cat")
    assert result.sources == ("sam2",)
    assert isinstance(result.payload, Segmentation)
    assert len(result.payload) > 0
    assert named.payload is None
    assert [attempt.verdict.reason for attempt in named.decision.attempts] == ["unsupported_target"]


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(ProfileError, match="points_per_side is 0"):
        create("sam2", params={"points_per_side": 0})
