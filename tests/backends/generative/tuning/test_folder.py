"""One's own labels: what the proving ground writes is read back as it was; what is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from visionrouter.backends.generative.nano.codes import JOINTS
from visionrouter.backends.generative.tuning.folder import LabelledFolder, Square
from visionrouter.backends.generative.tuning.labelled import TASKS, Labelled
from visionrouter.benchmarks.scenes import Views, render, sample
from visionrouter.benchmarks.scenes.export import write
from visionrouter.benchmarks.tuning.source import labelled
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

SIZE, COUNT = 48, 3
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def views() -> Views:
    torch.set_num_threads(1)
    return render(sample("street", range(3, 3 + COUNT)), SIZE, SIZE)


@pytest.fixture(scope="module")
def written(views: Views, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write(views, folder)
    return folder


def read(folder: Path, depth: str, size: int = SIZE) -> Labelled:
    source = LabelledFolder(folder, folder / "annotations.json", folder / depth)
    return source.pictures(0, COUNT, size, CPU)


def test_scenes_written_are_read_back(views: Views, written: Path) -> None:
    source = LabelledFolder(written, written / "annotations.json", written / "exact")
    got, exact = source.pictures(0, COUNT, SIZE, CPU), labelled(views)
    assert torch.equal(got.rgb, exact.rgb)
    assert torch.equal(got.depth_m, exact.depth_m)
    assert torch.equal(got.normals, exact.normals)
    assert got.answers.all()
    names = source.vocabulary
    assert names.stuff == (), "the file says nowhere where stuff is"
    for i in range(COUNT):
        seen = (views.objects.visible_px[i] > 0).nonzero()[:, 0].tolist()
        for slot, k in enumerate(seen):
            mask = got.region[i] == names.first_object + slot
            assert torch.equal(mask, views.instance[i] == k + 1)
            torch.testing.assert_close(got.keypoints[i, slot], exact.keypoints[i, k], atol=0.01, rtol=0)
        assert (got.thing[i] >= 0).sum() == len(seen)


def test_depth_png_is_the_depth_where_it_holds_it(views: Views, written: Path) -> None:
    got, exact = read(written, "depth").depth_m.float(), views.depth_m
    held = exact < 65.5
    torch.testing.assert_close(got[held], exact[held], atol=0.001, rtol=1e-3)
    assert got[~held].isnan().all()
    assert not read(written, "depth").answers[:, TASKS.index(Task.NORMALS)].any()


def test_squares() -> None:
    values = np.arange(8 * 4).reshape(4, 8)
    assert np.array_equal(Square.of(8, 4, 4, "crop").labels(values, 0), values[:, 2:6])
    boxed = Square.of(8, 4, 8, "letterbox")
    assert np.array_equal(boxed.labels(values, -1)[2:6], values)
    assert (boxed.labels(values, -1)[[0, 1, 6, 7]] == -1).all()
    joints = np.float32([[3, 1, 2], [0.5, 1, 2]])
    assert Square.of(8, 4, 8, "crop").points(joints).tolist() == [[2, 2, 2], [0, 0, 0]]
    pixels = np.full((4, 8, 3), 9, np.uint8)
    assert (boxed.picture(pixels)[:2] == 0).all()
    assert (boxed.picture(pixels)[2:6] == 9).all()


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., LabelledFolder]:
    """A folder of one grass-and-person picture; arguments change its parts."""

    def make(person: dict[str, Any] | None = None, **parts: Any) -> LabelledFolder:
        PIL.Image.new("RGB", (20, 10), (10, 200, 30)).save(tmp_path / "a.png")
        joints = [8.0, 4.0, 2.0] * 17
        document = {
            "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
            "categories": [
                {"id": 1, "name": "grass", "supercategory": "stuff"},
                {"id": 2, "name": "sky", "isthing": 0},
                {"id": 3, "name": "person", "keypoints": list(JOINTS)},
            ],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 20, 0, 20, 10, 0, 10]]},
                {
                    "id": 2, "image_id": 1, "category_id": 3, "segmentation": [[7, 2, 10, 2, 10, 8, 7, 8]],
                    "keypoints": joints, **(person or {}),
                },
            ],
            **parts,
        }  # fmt: skip
        (tmp_path / "labels.json").write_text(json.dumps(document))
        depth = tmp_path if (tmp_path / "a.npz").exists() else None
        return LabelledFolder(tmp_path, tmp_path / "labels.json", depth)

    return make


def answered(source: LabelledFolder) -> set[Task]:
    (answers,) = source.pictures(0, 1, 10, CPU).answers.tolist()
    return {task for task, yes in zip(TASKS, answers, strict=True) if yes}


SEGMENTED = {Task.SEMANTIC, Task.REFERRING, Task.INSTANCE}


@pytest.mark.parametrize(
    ("person", "tasks"),
    [
        ({}, {*SEGMENTED, Task.POSE}),
        ({"segmentation": None, "bbox": [7, 2, 3, 6]}, {Task.POSE}),
        ({"keypoints": [0.0] * 51}, SEGMENTED),
        ({"iscrowd": 1}, set()),
    ],
    ids=["all", "box", "no joints", "crowd"],
)
def test_only_what_labels_say_is_answered(
    own: Callable[..., LabelledFolder], person: dict[str, Any], tasks: set[Task]
) -> None:
    assert answered(own(person)) == tasks


def test_objects_lie_on_stuff_and_unused_stuff_is_no_word(own: Callable[..., LabelledFolder]) -> None:
    source = own()
    assert source.vocabulary.stuff == ("grass",)
    (region,) = source.pictures(0, 1, 10, CPU).region.numpy()
    assert (region[2:8, 2:5] == source.vocabulary.first_object).all()
    assert (region == 1).sum() == 100 - 18


def test_unknown_depth_is_not_a_label(own: Callable[..., LabelledFolder], tmp_path: Path) -> None:
    depth_m = np.full((10, 20), 4.0, np.float32)
    depth_m[:5] = np.nan
    np.savez(tmp_path / "a.npz", depth_m=depth_m)
    (got,) = own().pictures(0, 1, 10, CPU).depth_m
    assert got[:5].isnan().all()
    assert (got[5:] == 4).all()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"images": []}, "labels.json: images"),
        ({"images": [{"id": 1, "file_name": "b.png", "width": 20, "height": 10}]}, "b.png: no such file"),
        ({"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 10}]}, "a.png: is 20x10"),
        ({"categories": [{"id": 1, "name": "grass"}]}, "annotation 2 is of category 3"),
        ({"categories": [{"id": 3, "name": "person", "keypoints": ["hat"]}]}, "COCO's 17"),
        ({"annotations": [{"id": 5, "image_id": 9, "category_id": 1}]}, "annotation 5 is of image 9"),
        (
            {"annotations": [{"id": 5, "image_id": 1, "category_id": 1, "segmentation": {"size": [1, 1]}}]},
            "annotation 5 of a.png",
        ),
        (
            {
                "annotations": [
                    {
                        "id": 5,
                        "image_id": 1,
                        "category_id": 1,
                        "segmentation": {"size": [2, 2], "counts": [0, 4]},
                    }
                ]
            },
            "annotation 5 of a.png",
        ),
    ],
)
def test_what_is_wrong_is_named(own: Callable[..., LabelledFolder], parts: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        own(**parts).pictures(0, 1, 10, CPU)


def test_too_many_pictures_are_refused(own: Callable[..., LabelledFolder]) -> None:
    with pytest.raises(RequestError, match="holds 1 pictures, 4 are asked for"):
        own().pictures(2, 2, 10, CPU)


@pytest.mark.parametrize(
    ("name", "save", "said"),
    [
        ("a.npz", lambda p: np.savez(p, z=np.ones((10, 20))), "no array depth_m"),
        ("a.npz", lambda p: np.savez(p, depth_m=np.ones((9, 20))), "not of the size"),
        ("a.npz", lambda p: np.savez(p, depth_m=-np.ones((10, 20))), "negative depth"),
        ("a.npz", lambda p: p.write_bytes(b"no zip"), "cannot be read"),
    ],
)
def test_wrong_depth_is_named(
    own: Callable[..., LabelledFolder], tmp_path: Path, name: str, save: Callable[[Path], None], said: str
) -> None:
    save(tmp_path / name)
    with pytest.raises(RequestError, match=said):
        own().pictures(0, 1, 10, CPU)
