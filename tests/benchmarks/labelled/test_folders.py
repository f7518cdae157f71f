from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionrouter.benchmarks.labelled import Item, open_source
from visionrouter.benchmarks.labelled.folder import FolderSource, split_of
from visionrouter.benchmarks.scenes import render, render_to_folder, sample
from visionrouter.instruction import parse
from visionrouter.schema.errors import RequestError
from visionrouter.schema.payload import DepthMap, Detections, NormalMap, Poses, Segmentation
from visionrouter.schema.task import Task


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    render_to_folder("street", 12, 40, folder, (64, 80))
    return folder


def folder_source(spec: str, split: str = "calibration") -> FolderSource:
    source = open_source(spec, split)  # type: ignore[arg-type]
    assert isinstance(source, FolderSource)
    return source


def everything(spec: str, task: Task, *conditions: str) -> list[Item]:
    return [
        item
        for split in ("calibration", "test")
        for item in folder_source(spec, split).items(task, 99, conditions=conditions or ("clean",))
    ]


def test_rendered_folders_answer_every_task(rendered: Path) -> None:
    source = open_source(f"coco:{rendered}")
    assert source.tasks == set(Task) - {Task.CLASSIFY, Task.INTRINSICS, Task.COMPOSITE}
    for task in sorted(source.tasks):
        for item in source.items(task, 2, conditions=("clean", "fog2")):
            assert item.instruction.task is task
            assert parse(item.instruction.text) == item.instruction
            assert item.image.size == (80, 64)


def test_truth_is_that_of_the_scene(rendered: Path) -> None:
    for item in everything(f"coco:{rendered}", Task.DEPTH)[:3]:
        views = render(sample("street", [int(item.scene.rpartition("_")[2])]), 64, 80)
        assert isinstance(item.truth, DepthMap)
        assert np.array_equal(item.truth.values, views.depth_m[0].numpy())
    people = everything(f"coco:{rendered}", Task.POSE)
    assert people
    for item in people:
        assert isinstance(item.truth, Poses)
        seed = int(item.scene.rpartition("_")[2])
        keypoints = render(sample("street", [seed]), 64, 80).objects.keypoints[0]
        seen = keypoints[(keypoints[..., 2] == 2).any(1)].numpy()
        assert np.allclose(item.truth.keypoints, seen[..., :2], atol=0.01)


def test_splits_share_no_picture_and_leave_none_out(rendered: Path) -> None:
    halves = [
        {item.scene for item in folder_source(f"depth:{rendered}", split).items(Task.DEPTH, 99)}
        for split in ("calibration", "test")
    ]
    assert not halves[0] & halves[1]
    assert len(halves[0]) + len(halves[1]) == 12
    assert all(halves)


def test_a_seed_orders_and_nothing_else(rendered: Path) -> None:
    source = folder_source(f"depth:{rendered}")
    orders = [[i.id for i in source.items(Task.DEPTH, 99, seed=seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_the_digest_is_of_the_bytes(rendered: Path, tmp_path: Path) -> None:
    before = folder_source(f"depth:{rendered}").digest
    assert folder_source(f"depth:{rendered}").digest == before
    assert folder_source(f"depth:{rendered}", "test").digest != before
    (tmp_path / "images").mkdir()
    (tmp_path / "depth").mkdir()
    name = next(name for name in map(str, range(99)) if split_of(name) == "calibration")
    for level in (1000, 1001):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / f"images/{name}.png")
        Image.fromarray(np.full((4, 6), level, np.uint16)).save(tmp_path / f"depth/{name}.png")
        after = folder_source(f"depth:{tmp_path}").digest
        assert after != before
        before = after


def test_depth_in_millimetres_knows_what_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "rgb").mkdir()
    (tmp_path / "depth").mkdir()
    levels = np.full((4, 6), 2500, np.uint16)
    levels[0, 0], levels[0, 1] = 0, 65535
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(tmp_path / "rgb/a.jpg")
    Image.fromarray(levels).save(tmp_path / "depth/a.png")
    (item,) = everything(f"depth:{tmp_path}", Task.DEPTH)
    assert isinstance(item.truth, DepthMap)
    assert np.isnan(item.truth.values[0, :2]).all()
    assert np.allclose(item.truth.values[1:], 2.5)
    assert open_source(f"depth:{tmp_path}").tasks == {Task.DEPTH}


def test_diode_lies_flat_with_its_masks(tmp_path: Path) -> None:
    place = tmp_path / "indoors" / "scene_1"
    place.mkdir(parents=True)
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(place / "00.png")
    np.save(place / "00_depth.npy", np.full((4, 6, 1), 3.0, np.float32))
    mask = np.ones((4, 6))
    mask[2] = 0
    np.save(place / "00_depth_mask.npy", mask)
    (item,) = everything(f"depth:{tmp_path}", Task.DEPTH, "fog1")
    assert isinstance(item.truth, DepthMap)
    assert item.scene.endswith("/indoors/scene_1/00")
    assert np.isnan(item.truth.values[2]).all()
    assert np.allclose(item.truth.values[0], 3)


def test_normals_come_with_npz(rendered: Path) -> None:
    assert open_source(f"depth:{rendered}").tasks == {Task.DEPTH, Task.NORMALS}
    item = next(iter(folder_source(f"depth:{rendered}").items(Task.NORMALS, 1)))
    views = render(sample("street", [int(item.scene.rpartition("_")[2])]), 64, 80)
    assert isinstance(item.truth, NormalMap)
    known = views.normals[0].abs().sum(0).numpy() > 0
    assert np.isnan(item.truth.values[~known]).all()
    assert np.allclose(item.truth.values[known], views.normals[0].permute(1, 2, 0).numpy()[known], atol=1e-5)


def coco(folder: Path, **annotation: object) -> Path:
    import json

    (folder / "val").mkdir(exist_ok=True)
    Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(folder / "val/photo.jpg")
    square = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[10, 10, 30, 10, 30, 30, 10, 30]]}
    (folder / "annotations.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "photo.jpg", "width": 50, "height": 40}],
                "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
                "annotations": [{**square, **annotation}],
            }
        )
    )
    return folder


def test_photos_of_ones_own(tmp_path: Path) -> None:
    spec = f"coco:{coco(tmp_path)}"
    (item,) = everything(spec, Task.PROMPTABLE)
    assert item.prompts.boxes.tolist() == [[10, 10, 30, 30]]
    assert isinstance(item.truth, Segmentation)
    assert item.truth.masks.sum() == 400
    (item,) = everything(spec, Task.DETECT)
    assert isinstance(item.truth, Detections)
    assert item.truth.boxes.tolist() == [[10, 10, 30, 30]]
    assert Task.POSE not in open_source(spec).tasks
    assert len(everything(spec, Task.DETECT, "clean", "noise3")) == 2
    with pytest.raises(
        RequestError, match="'fog3' needs the true depth, which is not there; choose among clean, glare"
    ):
        everything(spec, Task.DETECT, "fog3")


def test_pictures_whose_labels_leave_doubt_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no picture has masks of all its objects"):
        open_source(f"coco:{coco(tmp_path, iscrowd=1)}")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("moon", "unknown source 'moon'; give town, scenes"),
        ("coco:", "unknown source 'coco:'"),
        ("scenes:moon", "unknown world 'moon' in 'scenes:moon'; choose one of street"),
        ("depth:/nowhere", "is no folder"),
        ("coco:/nowhere", "holds no annotations"),
    ],
)
def test_unknown_sources_are_named_with_the_mend(spec: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        open_source(spec)


def test_depth_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "depth").mkdir()
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "images/a.png")
    with pytest.raises(RequestError, match="no image has its depth; lay them out"):
        open_source(f"depth:{tmp_path}")
    Image.fromarray(np.full((4, 5), 900, np.uint16)).save(tmp_path / "depth/a.png")
    with pytest.raises(RequestError, match=r"depth is 5x4, its image 6x4; resize it"):
        open_source(f"depth:{tmp_path}")
    Image.fromarray(np.full((4, 6), 9, np.uint8)).save(tmp_path / "depth/a.png")
    with pytest.raises(RequestError, match="give 16-bit PNG in millimetres"):
        open_source(f"depth:{tmp_path}")
