"""Masks of the three generations, against transformers' own models and processors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file

from visionrouter.backends.base import Reuse
from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.backends.registry import Recipe, create
from visionrouter.backends.specialist.cutout import Cutout
from visionrouter.backends.specialist.sam import weights
from visionrouter.backends.specialist.sam.embeddings import Embeddings
from visionrouter.router import Router
from visionrouter.schema.errors import BackendError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Target, Task

Tiny = Callable[[str], dict[str, Any]]
BOXES = np.array([[5, 5, 60, 50], [0, 0, 90, 60], [40, 20, 80, 55]], np.float32)


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(3).integers(0, 256, (60, 90, 3), np.uint8))


def segmented(backend: Any, query: Query) -> Segmentation:
    (got,) = backend.predict([query])
    assert isinstance(got.payload, Segmentation)
    return got.payload


def boxed(image: Image, boxes: Any = BOXES) -> Query:
    return Query(Task.PROMPTABLE, image, prompts=Prompts(boxes=boxes))


def test_segment_anythings_network_answers_as_transformers_does_on_the_same_weights(
    tiny: Tiny, image: Image
) -> None:
    source = tiny("sam")["source"]
    model = hf.SamModel.from_pretrained(source).eval()
    images = hf.SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    processor = hf.SamProcessor(images)
    inputs = processor(image.pixels.copy(), input_boxes=[BOXES.tolist()], return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs, multimask_output=False)
    (masks,) = processor.post_process_masks(
        output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
    )
    got = segmented(create("sam", params=tiny("sam")), boxed(image))
    assert 0.02 < got.masks.mean() < 0.98
    assert (got.masks == masks[:, 0].numpy()).mean() > 0.99
    np.testing.assert_allclose(got.scores, output.iou_scores[0, :, 0].numpy().clip(0, 1), atol=1e-2)


@pytest.mark.parametrize(
    ("name", "model", "processor", "side"),
    [
        ("sam2", "Sam2Model", "Sam2Processor", 64),
        ("sam3_tracker", "Sam3TrackerModel", "Sam3TrackerProcessor", 56),
    ],
)
def test_sam_2_and_3_answer_as_their_own_processors(
    name: str, model: str, processor: str, side: int, tiny: Tiny, image: Image
) -> None:
    source = tiny(name)["source"]
    network = getattr(hf, model).from_pretrained(source).eval()
    sees = getattr(hf, processor)(
        getattr(hf, processor.replace("Tracker", "").replace("Processor", "ImageProcessor")).from_pretrained(
            source
        ),
        target_size=side,
    )
    inputs = sees(images=image.pixels.copy(), input_boxes=[BOXES.tolist()], return_tensors="pt")
    with torch.inference_mode():
        output = network(**inputs, multimask_output=False)
    (masks,) = sees.post_process_masks(output.pred_masks, inputs["original_sizes"])
    got = segmented(create(name, params=tiny(name)), boxed(image))
    assert 0.02 < got.masks.mean() < 0.98
    assert (got.masks == masks[:, 0].numpy()).mean() > 0.99


@pytest.mark.parametrize("name", ["sam", "sam2", "sam3_tracker"])
def test_boxes_get_one_mask_each_in_their_order(name: str, tiny: Tiny, image: Image) -> None:
    backend = create(name, params=tiny(name))
    together = segmented(backend, boxed(image, np.tile(BOXES, (14, 1))))
    assert len(together) == 42
    for i, box in enumerate(BOXES):
        alone = segmented(backend, boxed(image, box[None]))
        assert (together.masks[i] == alone.masks[0]).mean() > 0.99
        assert (together.masks[i + 39] == alone.masks[0]).mean() > 0.99


@pytest.mark.parametrize("name", ["sam", "sam2"])
def test_many_prompts_cost_one_run_of_the_encoder(
    name: str, tiny: Tiny, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = create(name, params={**tiny(name), "embeddings_kept": 2})
    backend.load()
    encoded: list[int] = []
    encode = backend.encode
    monkeypatch.setattr(
        backend, "encode", lambda model, images: encoded.append(len(images)) or encode(model, images)
    )
    point = Prompts(points=np.array([[30, 30]], np.float32), point_labels=np.array([1], np.uint8))
    backend.predict([boxed(image), Query(Task.PROMPTABLE, image, prompts=point)])
    backend.predict([boxed(load_image(image.pixels.copy())), Query(Task.INSTANCE, image)])
    assert encoded == [1]


def test_embeddings_are_few_and_the_oldest_goes() -> None:
    kept: Embeddings[int] = Embeddings(2)
    images = [load_image(np.full((2, 2, 3), i, np.uint8)) for i in range(3)]
    runs: list[int] = []

    def encode(new: list[Image]) -> list[int]:
        runs.append(len(new))
        return [int(image.pixels[0, 0, 0]) for image in new]

    assert kept.of([images[0], images[1], images[0]], encode) == [0, 1, 0]
    assert kept.of([images[2], images[0]], encode) == [2, 0]
    assert kept.of([images[1]], encode) == [1]
    assert runs == [2, 1, 1]
    assert len(kept) == 2
    assert (kept.reuse.hits, kept.reuse.misses) == (2, 4)
    assert kept.reuse.hit_rate == 2 / 6


def test_an_encoder_that_fails_leaves_nothing_behind() -> None:
    kept: Embeddings[int] = Embeddings(2)
    image = load_image(np.zeros((2, 2, 3), np.uint8))

    def broken(new: list[Image]) -> list[int]:
        raise BackendError("no memory")

    with pytest.raises(BackendError):
        kept.of([image], broken)
    assert kept.of([image], lambda new: [7]) == [7]
    assert (kept.reuse.hits, kept.reuse.misses) == (0, 1)


@pytest.mark.parametrize("name", ["sam", "sam2", "sam3_tracker"])
def test_what_was_reused_is_told_and_goes_with_the_weights(name: str, tiny: Tiny, image: Image) -> None:
    with create(name, params=tiny(name)) as backend:
        for boxes in BOXES:
            backend.predict([boxed(image, boxes[None])])
        assert backend.reuse is not None
        assert (backend.reuse.hits, backend.reuse.misses) == (2, 1)
        backend.close()
        backend.predict([boxed(image)])
        assert (backend.reuse.hits, backend.reuse.misses) == (2, 2)


def test_a_router_shows_what_was_reused_also_of_a_backend_in_a_process(tiny: Tiny, image: Image) -> None:
    recipe = Recipe("sam", params=tiny("sam"))
    chain = Cutout(FakeBackend("finder", tasks=frozenset({Task.DETECT})), recipe.make())
    policy = {
        "schema_version": 1,
        "name": "sam",
        "default": {"route": {"try": ["any"], "accept": "always", "otherwise": "abstain"}},
    }
    with Router([IsolatedBackend(recipe), chain, FakeBackend()], policy) as router:
        assert router.states()["sam"].reuse is None, "nothing was asked of the process yet"
        for boxes in BOXES:
            assert router.run(image, "segment this", boxes=boxes[None]).sources == ("sam",)
        router.run(image, "segment the dog")
        found = {name: state.reuse for name, state in router.states().items()}
    assert found == {"sam": Reuse(2, 1), "cutout": Reuse(0, 1), "fake": None}


@pytest.mark.parametrize("name", ["sam", "sam2"])
def test_points_off_the_thing_alone_mean_nothing(name: str, tiny: Tiny, image: Image) -> None:
    off = Prompts(points=np.array([[30, 30]], np.float32), point_labels=np.array([0], np.uint8))
    with pytest.raises(BackendError, match="points off the thing only"):
        create(name, params=tiny(name)).predict([Query(Task.PROMPTABLE, image, prompts=off)])


def test_a_pth_is_read_by_consent_and_holds_tensors_alone(tiny: Tiny, tmp_path: Path, image: Image) -> None:
    state = weights.read(Path(tiny("sam")["source"]) / "model.safetensors", allow_pickle=False)
    path = tmp_path / "sam_vit_t.pth"
    torch.save(state, path)
    params = {**tiny("sam"), "source": str(path)}
    with pytest.raises(WeightsError, match="allow_pickle"):
        create("sam", params=params).load()
    read = segmented(create("sam", params={**params, "allow_pickle": True}), boxed(image))
    assert (read.masks == segmented(create("sam", params=tiny("sam")), boxed(image)).masks).all()
    torch.save({"harm": Path("/")}, path)
    with pytest.raises(WeightsError, match="no checkpoint of tensors"):
        create("sam", params={**params, "allow_pickle": True}).load()


def test_every_weight_is_renamed(tiny: Tiny) -> None:
    path = Path(tiny("sam")["source"]) / "model.safetensors"
    names = weights.read(path, allow_pickle=False)
    sam = weights.build(names, path)
    assert set(names) <= set(sam.state_dict())
    assert len(names) >= len(load_file(path)) - 1


def test_sam_3_gives_every_instance_of_a_concept(tiny: Tiny, image: Image) -> None:
    params = tiny("sam3")
    backend: Any = create("sam3", params={**params, "duplicate_iou": 1.0})
    backend.load()
    model = backend._model
    inputs = model.processor(images=image.pixels.copy(), text="forklift", return_tensors="pt")
    with torch.inference_mode():
        output = model.model(**inputs)
    (row,) = model.processor.post_process_instance_segmentation(
        output, threshold=params["threshold"], target_sizes=[(image.height, image.width)]
    )
    got = segmented(backend, Query(Task.INSTANCE, image, (Target("forklift", "every forklift"),)))
    boxes = row["boxes"].numpy().reshape(-1, 2, 2).clip(0, image.size).reshape(-1, 4)
    inside = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(1)
    order = np.argsort(-row["scores"].numpy()[inside], kind="stable")
    assert len(order) > 0
    assert set(got.labels) == {"forklift"}
    np.testing.assert_allclose(got.scores, row["scores"].numpy()[inside][order], atol=1e-5)
    assert (got.masks == row["masks"].numpy()[inside][order].astype(bool)).mean() > 0.99


def test_a_detector_and_sam_segment_what_words_name(tiny: Tiny, image: Image) -> None:
    parts = {
        "detector": create("owlv2", params=tiny("owlv2")),
        "segmenter": create("sam2", params=tiny("sam2")),
    }
    with create("cutout", parts=parts) as backend:
        got = segmented(backend, Query(Task.INSTANCE, image, (Target("forklift", "every forklift"),)))
    assert len(got) > 0
    assert set(got.labels) == {"forklift"}
