"""What every backend keeps to: one suite over all that can be made by name."""

import math
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from gemini_server import draws, serving
from pydantic import TypeAdapter
from tiny_pipelines import BUILDERS as PIPELINES
from tiny_pipelines import FURTHER
from tiny_specialists import BUILDERS as SPECIALISTS
from tiny_specialists import each

from visionrouter.backends.base import Backend
from visionrouter.backends.registry import create, names
from visionrouter.backends.specialist.sam.prompts import ANYTHING
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Payload,
    Poses,
    Segmentation,
)
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import NO_PROMPTS, Prompts, Query
from visionrouter.schema.task import PaletteEntry, Target, Task

PARTS = {
    "cutout": {"detector": "nanodet", "segmenter": "grabcut", "pose": "movenet"},
    "pieces": {"segmenter": "scene_unet"},
    "sharpened": {"referrer": "cutout", "segmenter": "grabcut"},
}
TINY = {**PIPELINES, **FURTHER, **SPECIALISTS}
REGISTERED = {"marigold_intrinsics": "marigold"}
NAMES = each([*names(), *FURTHER])
KINDS = {
    Task.DETECT: Detections,
    Task.SEMANTIC: Segmentation,
    Task.INSTANCE: Segmentation,
    Task.REFERRING: Segmentation,
    Task.PROMPTABLE: Segmentation,
    Task.DEPTH: DepthMap,
    Task.NORMALS: NormalMap,
    Task.INTRINSICS: Intrinsics,
    Task.POSE: Poses,
    Task.CLASSIFY: Classification,
}
SIZES = {"pixel": (1, 1), "thread": (1, 300), "noise": (64, 48)}
PERSON = Target("person", "the person", number="one")
PALETTE = (PaletteEntry("sky", (0, 0, 255)), PaletteEntry("person", (255, 0, 0)))
Make = Callable[[str], Backend]


@pytest.fixture(scope="module")
def make(tiny: Callable[[str], dict[str, Any]], hosted: str) -> Make:
    """A backend by its registered name: with weights at tiny size, or as the package has them; a hosted one here."""

    def made(name: str) -> Backend:
        parts = {role: made(use) for role, use in PARTS.get(name, {}).items()}
        params = {"base_url": hosted} if name == "gemini" else tiny(name) if name in TINY else {}
        return create(REGISTERED.get(name, name), parts=parts, params=params)

    return made


@pytest.fixture(scope="module")
def hosted() -> Iterator[str]:
    """Where a server speaks Gemini's protocol; it draws a red block on black."""
    with serving() as server:
        server.replies = [draws(block)]
        yield server.url


def block(canvas: U8, prompt: str) -> U8:
    drawing = np.zeros_like(canvas)
    height, width = canvas.shape[:2]
    drawing[height // 4 : height // 2, width // 4 : width // 2] = (255, 0, 0)
    return drawing


@pytest.fixture(scope="module", params=NAMES)
def backend(request: pytest.FixtureRequest, make: Make) -> Iterator[Backend]:
    with make(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def images(photo: Callable[[str], Image]) -> dict[str, Image]:
    random_pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    odd = {name: load_image(random_pixels[:height, :width]) for name, (width, height) in SIZES.items()}
    return {**odd, "portrait": photo("astronaut"), "landscape": photo("china")}


def ask(backend: Backend, task: Task, image: Image, seed: int = 0) -> Query:
    width, height = image.size
    box = np.float32([[0.2 * width, 0.1 * height, 0.7 * width, 0.9 * height]])
    prompts = Prompts(boxes=box) if task is Task.PROMPTABLE or backend.spec.needs_prompts else NO_PROMPTS
    palette = PALETTE if task is Task.SEMANTIC else ()
    targets = (PERSON,) if task is Task.REFERRING else ()
    return Query(task, image, targets, palette, prompts, seed)


def declared(backend: Backend) -> list[Task]:
    return sorted(backend.spec.tasks)


def sample(backend: Backend) -> list[Task]:
    """Every third task: the first of a specialist's, two or three of a generalist's, which takes one path for all."""
    return declared(backend)[::3]


def test_the_spec_is_complete(backend: Backend) -> None:
    spec = backend.spec
    assert spec.name
    assert spec.licence
    assert spec.tasks
    assert Task.COMPOSITE not in spec.tasks, "a composite is split into tasks before it reaches a backend"
    assert spec.batch_limit >= 1
    assert (spec.weights_digest is None) == (spec.weights_bytes == 0)
    assert spec.weights_digest is None or len(spec.weights_digest) == 64
    assert not spec.requires or spec.extra
    assert backend.unavailable() is None
    assert (spec.depth_unit is not None) == (Task.DEPTH in spec.tasks) or spec.name in {"fake", "faulty"}


@pytest.mark.parametrize("size", [*SIZES, "portrait", "landscape"])
def test_every_declared_task_is_answered(backend: Backend, images: dict[str, Image], size: str) -> None:
    image = images[size]
    for task in declared(backend):
        with nothing_changed(image):
            (prediction,) = backend.predict([ask(backend, task, image)])
        payload = prediction.payload
        assert isinstance(payload, KINDS[task])
        if isinstance(payload, Segmentation):
            assert payload.mode == task.value.partition(".")[2]
            assert payload.masks.shape[1:] == (image.height, image.width)
        if isinstance(payload, DepthMap | NormalMap):
            assert payload.values.shape[:2] == (image.height, image.width)
        if isinstance(payload, Intrinsics):
            assert payload.albedo.shape[:2] == (image.height, image.width)
        if isinstance(payload, Detections | Poses):
            assert (payload.boxes >= 0).all()
            assert (payload.boxes <= [*image.size, *image.size]).all()
        if backend.spec.labels is not None and isinstance(payload, Detections | Segmentation):
            unnamed = {ANYTHING} if task is Task.PROMPTABLE else set()
            assert set(payload.labels) <= {*backend.spec.labels, *unnamed}
        _check_evidence(prediction, image)
        _check_wire(prediction)


@contextmanager
def nothing_changed(image: Image) -> Iterator[None]:
    """Neither the image nor the state that a process has only once."""
    before = image.digest(), _process_state()
    yield
    assert (image.digest(), _process_state()) == before


def _process_state() -> tuple[object, ...]:
    import cv2
    import torch

    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),  # type: ignore[index, union-attr]  # noqa: NPY002
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        cv2.getNumThreads(),
        dict(os.environ),
    )


def _check_evidence(prediction: Prediction, image: Image) -> None:
    assert all(math.isfinite(value) for value in prediction.evidence.signals.values())
    trust = prediction.evidence.confidence_map
    if trust is not None:
        assert trust.shape == (image.height, image.width)
        assert trust.dtype == np.float32
        assert 0 <= trust.min() <= trust.max() <= 1
    assert all(note == note.strip() and " " not in note.partition(":")[0] for note in prediction.notes)


def _check_wire(prediction: Prediction) -> None:
    adapter: TypeAdapter[Payload] = TypeAdapter(Payload)
    assert adapter.validate_json(adapter.dump_json(prediction.payload)) == prediction.payload


def test_a_batch_equals_its_singles(backend: Backend, images: dict[str, Image]) -> None:
    for task in sample(backend):
        queries = [ask(backend, task, images[name]) for name in ("portrait", "noise")][
            : backend.spec.batch_limit
        ]
        together = backend.predict(queries)
        assert len(together) == len(queries)
        for query, prediction in zip(queries, together, strict=True):
            (alone,) = backend.predict([query])
            assert _close(prediction, alone)


def _close(a: Prediction, b: Prediction) -> bool:
    """Equal but for the last bits of a float, which the order of sums in a batch may turn.

    They can turn an 8-bit level of a drawing, so one pixel in a hundred may decode otherwise.
    """
    left, right = a.payload, b.payload
    if type(left) is not type(right):
        return False
    for name in left.__dataclass_fields__:
        x, y = getattr(left, name), getattr(right, name)
        if isinstance(x, np.ndarray):
            if (
                x.shape != y.shape
                or not np.isclose(x, y, rtol=1e-4, atol=1e-3, equal_nan=True).sum() >= 0.99 * x.size
            ):
                return False
        elif x != y:
            return False
    return True


def test_the_same_seed_gives_the_same_answer(backend: Backend, images: dict[str, Image]) -> None:
    for task in sample(backend):
        query = ask(backend, task, images["noise"], seed=11)
        assert backend.predict([query]) == backend.predict([query])


def test_an_undeclared_task_is_refused(backend: Backend, images: dict[str, Image]) -> None:
    for task in set(KINDS) - backend.spec.tasks:
        with pytest.raises(VisionRouterError, match=str(task)):
            backend.predict([ask(backend, task, images["noise"])])


@pytest.mark.parametrize("name", NAMES)
def test_closing_and_loading_again(name: str, images: dict[str, Image], make: Make) -> None:
    made = make(name)
    threads = set(threading.enumerate())
    made.close()
    made.load()
    made.load()
    query = ask(made, declared(made)[0], images["noise"])
    before = made.predict([query])
    made.close()
    made.close()
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)  # the last request's, on the server's side
    assert set(threading.enumerate()) <= threads
    made.load()
    assert made.predict([query]) == before
    made.close()
