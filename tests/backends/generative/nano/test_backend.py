"""The embedded weights behind the protocol: what the suite over all backends does not ask."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visionrouter.backends.generative.nano.backend import NanoBackend
from visionrouter.backends.generative.nano.folder import EMBEDDED, WeightsFolder
from visionrouter.confidence.probes import PROBES
from visionrouter.schema.errors import BackendError, UnsupportedTargetError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Relation, RelationKind, Target, Task

PERSON = Target("person", "the person", number="one")
PALETTE = (PaletteEntry("sky", (0, 255, 255)), PaletteEntry("person", (255, 0, 0)))
QUERIES = {
    Task.DEPTH: {},
    Task.NORMALS: {},
    Task.SEMANTIC: {"palette": PALETTE},
    Task.REFERRING: {"targets": (PERSON,)},
    Task.INSTANCE: {"targets": (PERSON,)},
    Task.POSE: {},
}


def query(task: Task, image: Image, **more: object) -> Query:
    return Query(task, image, **{**QUERIES[task], **more})  # type: ignore[arg-type]


def noise(height: int = 96, width: int = 128) -> Image:
    return load_image(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize("task", QUERIES)
def test_signals_are_there_for_the_gate(
    embedded: NanoBackend, photo: Callable[[str], Image], task: Task
) -> None:
    (prediction,) = embedded.predict([query(task, photo("china"))])
    signals = prediction.evidence.signals
    assert {"code_residual", "off_code_share", "on_code_share", "familiarity"} <= set(signals)
    assert 0 <= signals["code_residual"] <= 1
    assert 0 <= signals["off_code_share"] <= 1
    assert 0 <= signals["on_code_share"] <= 1
    assert prediction.drawing is not None
    assert prediction.drawing.shape == (171, 256, 3)


@pytest.mark.parametrize(
    ("name", "task"),
    [*zip(["astronaut", "chelsea", "coffee", "flower", "noise", "black"], QUERIES, strict=True)],
)
def test_what_it_was_not_tuned_on_is_flagged(
    embedded: NanoBackend, photo: Callable[[str], Image], name: str, task: Task
) -> None:
    odd = {"noise": noise(), "black": load_image(np.zeros((90, 120, 3), np.uint8))}
    (prediction,) = embedded.predict([query(task, odd.get(name) or photo(name))])
    assert prediction.evidence.signals["familiarity"] > 1


def test_mixed_sizes_and_tasks_in_one_call_equal_single_calls(
    embedded: NanoBackend, photo: Callable[[str], Image]
) -> None:
    images = [photo("china"), noise(), photo("astronaut")]
    queries = [
        query(task, image, seed=i) for i, (task, image) in enumerate(zip(QUERIES, images * 2, strict=True))
    ]
    assert list(embedded.predict(queries)) == [embedded.predict([each])[0] for each in queries]


def test_seeds_are_each_querys_own(embedded: NanoBackend) -> None:
    first, second, again = embedded.predict([query(Task.DEPTH, noise(), seed=seed) for seed in (1, 2, 1)])
    assert first == again
    assert first != second


def test_the_vocabulary_is_closed(embedded: NanoBackend) -> None:
    assert embedded.spec.labels is not None
    assert "person" in embedded.spec.labels
    with pytest.raises(UnsupportedTargetError, match=r"zebra.*person"):
        embedded.predict([query(Task.REFERRING, noise(), targets=(Target("zebra", "the zebra"),))])


def test_words_beyond_the_text_encoder_are_refused(embedded: NanoBackend) -> None:
    anchor = Target("person", "person", ("red",) * 70)
    target = Target("person", "person", (), (Relation(RelationKind.LEFT_OF, anchor),))
    with pytest.raises(UnsupportedTargetError, match="longer"):
        embedded.predict([query(Task.REFERRING, noise(), targets=(target,))])


def test_asked_for_everything_it_draws_the_instances_of_what_it_sees(embedded: NanoBackend) -> None:
    (prediction,) = embedded.predict([query(Task.INSTANCE, noise(), targets=())])
    assert isinstance(prediction.payload, Segmentation)
    assert prediction.payload.masks.shape[1:] == (96, 128)


def test_the_mirrored_image_is_a_second_opinion(embedded: NanoBackend) -> None:
    asked, flip = query(Task.DEPTH, noise()), PROBES["flip"]
    (plain,) = embedded.predict([asked])
    signals = flip.read(asked, plain, embedded.predict(flip.questions(asked))).signals
    assert signals["flip_aligned_mean"] > 0


def test_a_changed_byte_is_not_loaded(tmp_path: Path) -> None:
    if not WeightsFolder(EMBEDDED).is_present:
        pytest.skip("the embedded weights are not installed")
    folder = tmp_path / "weights"
    shutil.copytree(EMBEDDED, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        NanoBackend(folder=folder).load()
    weights.unlink()
    with pytest.raises(WeightsError, match="missing"):
        NanoBackend(folder=folder).load()


def test_without_weights_it_says_so_and_only_loading_fails(tmp_path: Path) -> None:
    backend = NanoBackend(folder=tmp_path)
    assert backend.spec.weights_digest is None
    assert str(tmp_path) in str(backend.unavailable())
    with pytest.raises(WeightsError, match="missing"):
        backend.load()


def test_a_device_that_is_not_there_is_named() -> None:
    import torch

    absent = "cuda" if not torch.cuda.is_available() else "mps"
    if not WeightsFolder(EMBEDDED).is_present:
        pytest.skip("the embedded weights are not installed")
    with pytest.raises(BackendError, match=absent):
        NanoBackend(device=absent).load()  # type: ignore[arg-type]


def test_the_spec_is_read_without_a_heavy_import() -> None:
    heavy = ("torch", "diffusers", "transformers", "cv2", "scipy")
    code = (
        "import sys\nfrom visionrouter.backends.generative.nano.backend import NanoBackend\n"
        f"NanoBackend().spec\nprint([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nan_in_the_weights_ends_in_an_error() -> None:
    import torch

    if not WeightsFolder(EMBEDDED).is_present:
        pytest.skip("the embedded weights are not installed")
    with NanoBackend(device="cpu") as backend:
        assert backend._model is not None
        with torch.no_grad():
            backend._model.pipeline.unet.conv_in.weight[0] = torch.nan
        with pytest.raises(BackendError, match="NaN"):
            backend.predict([query(Task.DEPTH, noise())])
