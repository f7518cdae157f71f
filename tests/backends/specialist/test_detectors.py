"""Boxes of transformers' detectors: known answers planted, and the library's own processors as the oracle."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from visionrouter.backends.registry import create
from visionrouter.backends.specialist.words import sought
from visionrouter.schema.errors import UnsupportedTargetError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Detections
from visionrouter.schema.request import Query
from visionrouter.schema.task import Relation, RelationKind, Target, Task

Tiny = Callable[[str], dict[str, Any]]
BOXES = torch.tensor([[0.25, 0.5, 0.1, 0.2], [0.75, 0.25, 0.5, 0.5]])  # centre, size, in parts of the image


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (100, 200, 3), np.uint8))


def answers(monkeypatch: pytest.MonkeyPatch, backend: Any, logits: torch.Tensor) -> None:
    """Make the network answer BOXES with these logits, whatever it sees."""

    def forward(pixel_values: torch.Tensor, **_: Any) -> SimpleNamespace:
        n = len(pixel_values)
        return SimpleNamespace(logits=logits.expand(n, -1, -1).clone(), pred_boxes=BOXES.expand(n, -1, -1))

    monkeypatch.setattr(backend._model.model, "forward", forward)


@pytest.mark.parametrize("name", ["rt_detr", "d_fine"])
def test_planted_boxes_come_out_in_pixels(
    name: str, tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create(name, params=tiny(name))
    backend.load()
    answers(monkeypatch, backend, torch.tensor([[-9.0, 2.0, -9.0], [-9.0, -9.0, 3.0]]))
    (got, again) = backend.predict(
        [Query(Task.DETECT, image), Query(Task.DETECT, image, (Target("car", "the car"),))]
    )
    assert isinstance(got.payload, Detections)
    assert got.payload.labels == ("dog", "car")
    np.testing.assert_allclose(got.payload.boxes, [[100, 0, 200, 50], [40, 40, 60, 60]], atol=1e-3)
    np.testing.assert_allclose(got.payload.scores, 1 / (1 + np.exp([-3.0, -2.0])), atol=1e-5)
    assert isinstance(again.payload, Detections)
    assert again.payload.labels == ("car",)


def test_a_box_under_two_names_is_given_once(
    tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create("rt_detr", params=tiny("rt_detr"))
    backend.load()
    answers(monkeypatch, backend, torch.tensor([[1.0, 2.0, -9.0], [-9.0, -9.0, -9.0]]))
    (got,) = backend.predict([Query(Task.DETECT, image)])
    assert got.payload.labels == ("car",)  # type: ignore[union-attr]


def test_words_outside_the_classes_are_refused(tiny: Tiny, image: Image) -> None:
    backend = create("rt_detr", params={**tiny("rt_detr"), "threshold": 0.99})
    with pytest.raises(UnsupportedTargetError, match="violin"):
        backend.predict([Query(Task.DETECT, image, (Target("violin", "violin"),))])


def test_images_of_other_sizes_share_a_run(tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = create("rt_detr", params=tiny("rt_detr"))
    backend.load()
    runs = []
    forward = backend._model.model.forward  # type: ignore[attr-defined]
    monkeypatch.setattr(
        backend._model.model,  # type: ignore[attr-defined]
        "forward",
        lambda pixel_values, **more: runs.append(len(pixel_values)) or forward(pixel_values, **more),
    )
    other = load_image(np.zeros((50, 40, 3), np.uint8))
    backend.predict([Query(Task.DETECT, image), Query(Task.DETECT, other), Query(Task.DETECT, image)])
    assert runs == [3]


def test_owlv2_answers_as_its_own_processor(tiny: Tiny, image: Image) -> None:
    params = tiny("owlv2")
    backend = create("owlv2", params={**params, "duplicate_iou": 1.0})
    backend.load()
    model = backend._model  # type: ignore[attr-defined]
    words = ["cat", "forklift"]
    inputs = model.processor(
        images=[image.pixels.copy()], text=[[f"a photo of a {word}" for word in words]], return_tensors="pt"
    )
    with torch.inference_mode():
        output = model.model(**inputs)
    (row,) = model.processor.post_process_grounded_object_detection(
        output, threshold=params["threshold"], target_sizes=[(image.height, image.width)]
    )
    (got,) = backend.predict([Query(Task.DETECT, image, tuple(Target(word, word) for word in words))])
    assert isinstance(got.payload, Detections)
    inside = row["boxes"].numpy().reshape(-1, 2, 2).clip(0, image.size).reshape(-1, 4)
    kept = ((inside[:, 2:] - inside[:, :2]) > 0).all(1)
    assert kept.any()
    assert len(got.payload) == kept.sum()
    order = np.argsort(-row["scores"].numpy()[kept], kind="stable")
    np.testing.assert_allclose(got.payload.boxes, inside[kept][order], atol=1e-3)
    assert got.payload.labels == tuple(words[i] for i in row["labels"].numpy()[kept][order])


def test_grounding_dino_gives_boxes_to_the_words_whose_tokens_they_answer(
    tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = create("grounding_dino", params=tiny("grounding_dino"))
    backend.load()
    logits = torch.full((1, 2, 256), -9.0)
    logits[0, 0, 6] = 2.0  # [CLS] c a t . d o g . : token 6 is in "dog"
    logits[0, 1, 3] = 3.0  # and token 3 in "cat"
    ids: list[torch.Tensor] = []

    def forward(pixel_values: torch.Tensor, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        ids.append(input_ids)
        return SimpleNamespace(logits=logits, pred_boxes=BOXES[None], input_ids=input_ids)

    monkeypatch.setattr(backend._model.model, "forward", forward)  # type: ignore[attr-defined]
    (got,) = backend.predict([Query(Task.DETECT, image, (Target("cat", "cat"), Target("dog", "dog")))])
    assert isinstance(got.payload, Detections)
    assert got.payload.labels == ("cat", "dog")
    np.testing.assert_allclose(got.payload.boxes, [[100, 0, 200, 50], [40, 40, 60, 60]], atol=1e-3)
    assert len(ids[0][0]) == 10


def test_more_words_than_it_reads_are_refused_and_not_dropped(tiny: Tiny, image: Image) -> None:
    backend = create("grounding_dino", params=tiny("grounding_dino"))
    many = tuple(Target(f"{'abcdefgh'[i % 8]}{i} thingummy", "x") for i in range(60))
    with pytest.raises(UnsupportedTargetError, match="name fewer"):
        backend.predict([Query(Task.DETECT, image, many)])


def test_anchors_are_sought_too() -> None:
    on = Relation(RelationKind.ON, Target("table", "the table"))
    assert sought((Target("cup", "cup", relations=(on,)),), ("dog",)) == ("cup", "table")
    assert sought((), ("dog", "cat")) == ("dog", "cat")
    assert sought((Target("object", "everything"),), ("dog",)) == ("dog",)
