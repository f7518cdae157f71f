"""The segmenter and the detector that are trained here: trained for a moment, written, read back and asked."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visionrouter.backends.base import Backend, Reuse
from visionrouter.backends.generative.tuning.labelled import Labelled
from visionrouter.backends.specialist.familiarity import PREFIX
from visionrouter.backends.specialist.sitting import Sitting
from visionrouter.backends.specialist.trained import Trained
from visionrouter.benchmarks.tuning.source import SceneSource
from visionrouter.schema.errors import BackendError, WeightsError
from visionrouter.schema.image import Image, load_image
from visionrouter.schema.payload import Detections, Segmentation
from visionrouter.schema.request import Prompts, Query
from visionrouter.schema.task import Target, Task

SIDE = 64


def needs_ultralytics():
    """Skips without the library; importing it to see would have it change Pillow."""
    if find_spec("ultralytics") is None:
        pytest.skip("AGPL: only where somebody installed it")


def sitting(folder: Path) -> Sitting:
    return Sitting(folder=folder, steps=2, pictures=4, held_out=4, size=SIDE, batch=2, rate=1e-3)


@pytest.fixture(scope="module")
def sam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("segment_anything")
    from visionrouter.backends.specialist.sam_tiny.training import train

    folder = tmp_path_factory.mktemp("sam")
    metrics = train(SceneSource(), sitting(folder), prompts=2)
    assert metrics is not None
    assert all(0 <= metrics[name] <= 1 for name in ("miou_box", "miou_point", "miou_points"))
    return folder


@pytest.fixture(scope="module")
def yolo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_ultralytics()
    from visionrouter.backends.specialist.scene_yolo.training import train

    folder = tmp_path_factory.mktemp("yolo")
    metrics = train(SceneSource(), sitting(folder))
    assert metrics is not None
    assert 0 <= metrics["ap"] <= metrics["ap50"] <= 1
    return folder


@pytest.fixture(scope="module")
def sam(sam_folder: Path) -> Backend:
    from visionrouter.backends.specialist.sam_tiny.backend import SamTiny

    return SamTiny(folder=sam_folder)


@pytest.fixture(scope="module")
def yolo(yolo_folder: Path) -> Backend:
    from visionrouter.backends.specialist.scene_yolo.backend import SceneYolo

    return SceneYolo(folder=yolo_folder, threshold=0.001)


@pytest.fixture(scope="module")
def image() -> Image:
    return load_image(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8))


def promptable(image: Image, **prompts: Any) -> Query:
    return Query(Task.PROMPTABLE, image, prompts=Prompts(**prompts))


@pytest.mark.parametrize("name", ["sam", "yolo"])
def test_weights_are_small_and_vouched_for(name: str, request: pytest.FixtureRequest) -> None:
    folder, backend = request.getfixturevalue(f"{name}_folder"), request.getfixturevalue(name)
    (path,) = (p.with_suffix(".safetensors") for p in folder.glob("*.json"))
    assert path.stat().st_size == backend.spec.weights_bytes < 10_000_000
    assert Trained.read(path.stem, folder).weights.verified() == (path,)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["metrics"]["steps"] >= 1


def test_changed_weights_are_refused(sam_folder: Path, tmp_path: Path) -> None:
    from visionrouter.backends.specialist.sam_tiny.backend import SamTiny

    for file in sam_folder.iterdir():
        data = bytearray(file.read_bytes())
        if file.suffix == ".safetensors":
            data[-1] ^= 1
        (tmp_path / file.name).write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        SamTiny(folder=tmp_path).load()
    (tmp_path / "sam_tiny.json").write_text("{}")
    with pytest.raises(WeightsError, match="not a card"):
        SamTiny(folder=tmp_path)
    (tmp_path / "sam_tiny.json").unlink()
    with pytest.raises(WeightsError, match="no such card"):
        SamTiny(folder=tmp_path)


def test_a_picture_is_encoded_once_for_many_prompts(sam_folder: Path) -> None:
    from visionrouter.backends.specialist.sam_tiny.backend import SamTiny

    backend = SamTiny(folder=sam_folder)
    image = Image(np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8))
    prompts = [Prompts(np.float32([[5, 5, 30, 30]])), Prompts(np.float32([[10, 5, 50, 30]]))]
    asked = [Query(Task.PROMPTABLE, image, prompts=each) for each in prompts]
    together = backend.predict(asked)
    assert backend.reuse == Reuse(hits=1, misses=1)
    (alone,) = SamTiny(folder=sam_folder).predict(asked[1:])
    assert np.array_equal(together[1].payload.masks, alone.payload.masks)
    assert together[1].evidence.signals == alone.evidence.signals
    backend.close()
    backend.predict(asked[:1])
    assert backend.reuse == Reuse(hits=1, misses=2)


def test_the_backend_computes_what_the_written_network_does(sam: Backend, sam_folder: Path) -> None:
    """A square image of the network's own size, so that nothing is resampled but the mask."""
    from safetensors.torch import load_file

    from visionrouter.backends.specialist.sam_tiny.network import build

    torch.manual_seed(1)
    network = build(SIDE).eval()
    held = load_file(sam_folder / "sam_tiny.safetensors")
    network.load_state_dict({k: v.float() for k, v in held.items() if not k.startswith(PREFIX)})
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    point = np.float32([[20, 30]])
    with torch.no_grad():
        (expected,) = network(
            [
                {
                    "image": torch.from_numpy(pixels).permute(2, 0, 1).float(),
                    "original_size": (SIDE, SIDE),
                    "point_coords": torch.cat([torch.tensor([[[19.5, 29.5]]]), torch.zeros(1, 4, 2)], 1),
                    "point_labels": torch.tensor([[1, -1, -1, -1, -1]]),
                }
            ],
            multimask_output=True,
        )
    (got,) = sam.predict([promptable(load_image(pixels), points=point, point_labels=np.uint8([1]))])
    best = int(expected["iou_predictions"].argmax())
    assert isinstance(got.payload, Segmentation)
    assert (got.payload.masks[0] == expected["masks"][0, best].numpy()).mean() > 0.999
    assert got.evidence.signals["predicted_iou"] == pytest.approx(
        float(expected["iou_predictions"].clamp(0, 1).max()), abs=1e-4
    )


def test_each_box_gets_a_mask_and_evidence(sam: Backend, image: Image) -> None:
    boxes = np.float32([[5, 5, 60, 70], [30, 20, 118, 88]])
    points, kinds = np.float32([[10, 10], [2, 89], [50, 50]]), np.uint8([1, 1, 0])
    (got,) = sam.predict([promptable(image, boxes=boxes, points=points, point_labels=kinds)])
    assert isinstance(got.payload, Segmentation)
    assert got.payload.masks.shape == (2, 90, 120)
    assert set(got.evidence.signals) == {"predicted_iou", "stability", "familiarity"}
    assert all(0 <= got.evidence.signals[name] <= 1 for name in ("predicted_iou", "stability"))
    assert "points_outside:1" in got.notes
    alone = [sam.predict([promptable(image, boxes=box[None])])[0].payload for box in boxes]
    together = sam.predict([promptable(image, boxes=boxes)])[0].payload
    for i, one in enumerate(alone):
        assert isinstance(one, Segmentation)
        assert isinstance(together, Segmentation)
        assert (one.masks[0] == together.masks[i]).mean() > 0.999


def test_nothing_to_go_by_is_refused(sam: Backend, image: Image) -> None:
    with pytest.raises(BackendError, match="box or a point"):
        sam.predict([Query(Task.PROMPTABLE, image)])
    with pytest.raises(BackendError, match="off the thing only"):
        sam.predict([promptable(image, points=np.float32([[3, 3]]), point_labels=np.uint8([0]))])


def test_prompts_are_on_their_things() -> None:
    from visionrouter.backends.specialist.sam_tiny.training import ask

    source = SceneSource()
    pictures: Labelled = source.pictures(0, 4, SIDE, torch.device("cpu"))
    asked = ask(pictures.region, source.vocabulary, 8, torch.Generator().manual_seed(0))
    x, y = asked.points.long().unbind(-1)
    held = torch.gather(asked.truth.flatten(2), 2, y.clamp(0, SIDE - 1) * SIDE + x.clamp(0, SIDE - 1))
    shown = asked.truth.any((2, 3))[..., None]
    assert held[(asked.labels == 1) & shown].all()
    assert not held[asked.labels == 0].any()
    assert (asked.labels >= 0).any(-1).all()


def test_detections_carry_known_words(yolo: Backend, image: Image) -> None:
    (got,) = yolo.predict([Query(Task.DETECT, image)])
    assert isinstance(got.payload, Detections)
    assert set(got.payload.labels) <= set(yolo.spec.labels or ())
    assert got.evidence.signals["count"] == len(got.payload)
    (person,) = yolo.predict([Query(Task.DETECT, image, targets=(Target("person", "person"),))])
    assert isinstance(person.payload, Detections)
    assert set(person.payload.labels) <= {"person"}


def test_average_precision_of_ranked_boxes() -> None:
    """Against the area under the curve by hand."""
    needs_ultralytics()
    from visionrouter.backends.specialist.scene_yolo.training import _hits, _precision

    truth = np.float32([[0, 0, 10, 10], [20, 0, 30, 10]])
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [20, 0, 30, 6]])
    hits = _hits(boxes, np.zeros(4, int), truth, np.zeros(2, int))
    assert hits[:, 0].tolist() == [True, False, False, True]
    assert not hits[3, 3:].any()
    assert _precision(hits, 2)[[0, 5]] == pytest.approx([0.5 * 1 + 0.5 * 2 / 4, 0.5])


def test_the_segmenter_serves_the_chains(sam: Backend, image: Image) -> None:
    """Any promptable segmenter will do for a cutout and for a sharpened mask, one without skeletons too."""
    from visionrouter.backends.fake import Answer, FakeBackend
    from visionrouter.backends.specialist.cutout import Cutout
    from visionrouter.backends.specialist.sharpened import Sharpened

    boxes = np.float32([[10, 10, 60, 70], [50, 20, 110, 80]])
    found = Detections(boxes, np.float32([0.9, 0.8]), ("cup", "person"))
    finder = FakeBackend("finder", tasks=frozenset({Task.DETECT}), script=Answer(found))
    pose = FakeBackend("pose", tasks=frozenset({Task.POSE}))
    (cut,) = Cutout(finder, sam, pose).predict([Query(Task.INSTANCE, image)])
    assert isinstance(cut.payload, Segmentation)
    assert (cut.payload.labels, cut.payload.masks.shape) == (("cup", "person"), (2, 90, 120))
    assert {"score", "predicted_iou", "stability"} <= set(cut.evidence.signals)
    assert not pose.calls, "its skeletons would go unused"

    (sharp,) = Sharpened(FakeBackend("painter"), sam).predict([Query(Task.REFERRING, image)])
    assert isinstance(sharp.payload, Segmentation)
    assert sharp.payload.masks.shape == (1, 90, 120)
    assert "edge_iou" in sharp.evidence.signals
