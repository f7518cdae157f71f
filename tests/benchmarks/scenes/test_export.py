from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from visionrouter.benchmarks.scenes import CLASSES, Views, contact_sheet, render_to_folder, write
from visionrouter.benchmarks.scenes.export import DEPTH_CAP_M
from visionrouter.schema.errors import RequestError


def test_coco_reads_back_what_was_rendered(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(views, tmp_path)
    coco = COCO(str(path))
    capsys.readouterr()
    assert len(coco.imgs) == len(views)
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len(annotations) == int((views.objects.visible_px > 0).sum())
    for b, image_id in enumerate(sorted(coco.imgs)):
        info = coco.imgs[image_id]
        pixels = np.asarray(Image.open(tmp_path / info["file_name"]))
        assert np.abs(pixels / 255 - views.rgb[b].permute(1, 2, 0).numpy()).max() < 0.003
        painted = np.zeros((views.height, views.width), bool)
        for annotation in coco.loadAnns(coco.getAnnIds(image_id)):
            mask = coco.annToMask(annotation).astype(bool)
            assert mask.sum() == annotation["area"]
            x, y, w, h = annotation["bbox"]
            ys, xs = mask.nonzero()
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x, y, x + w, y + h)
            assert annotation["iscrowd"] == 0
            assert 0 <= annotation["occluded"] <= 1
            person = coco.cats[annotation["category_id"]]["name"] == "person"
            assert ("keypoints" in annotation) == person
            if person:
                assert len(annotation["keypoints"]) == 51
            painted |= mask
        assert np.array_equal(painted, views.instance[b].numpy() > 0)


def test_depth_is_written_in_millimetres_and_exactly(views: Views, tmp_path: Path) -> None:
    write(views, tmp_path)
    for b, png in enumerate([tmp_path / "depth" / f"street_{seed}.png" for seed in (3, 4)]):
        depth = views.depth_m[b].numpy()
        stored = np.asarray(Image.open(png)).astype(np.float64)
        near = depth < DEPTH_CAP_M
        assert np.abs(stored[near] / 1000 - depth[near]).max() <= 0.00051
        assert (stored[~near] == 65535).all()
        exact = np.load(tmp_path / "exact" / f"{png.stem}.npz")
        assert np.array_equal(exact["depth_m"], depth)
        assert np.array_equal(exact["normals"], views.normals[b].numpy())


def test_render_to_folder_is_repeatable_and_damages_the_picture_alone(tmp_path: Path) -> None:
    clean = render_to_folder("table", 2, 7, tmp_path / "clean", (32, 48))
    again = render_to_folder("table", 2, 7, tmp_path / "again", (32, 48))
    foggy = render_to_folder("table", 2, 7, tmp_path / "dark", (32, 48), damage="underexposure", severity=5)
    assert clean.read_bytes() == again.read_bytes() == foggy.read_bytes()
    pictures = [
        np.asarray(Image.open(tmp_path / d / "images" / "table_7.png")) for d in ("clean", "again", "dark")
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert pictures[2].mean() < 0.5 * pictures[0].mean()
    sheet = np.asarray(Image.open(tmp_path / "clean" / "contact_sheet.png"))
    assert sheet.shape == (32, 48 * 2 + 2, 3)


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="at least one"):
        render_to_folder("table", 0, 1, tmp_path)
    with pytest.raises(RequestError, match="unknown world"):
        render_to_folder("moon", 1, 1, tmp_path)
    assert not any(tmp_path.iterdir())


def test_contact_sheet_lays_rows(views: Views) -> None:
    sheet = contact_sheet(views.rgb[:5], columns=2, gap=3)
    assert sheet.shape == (3 * views.height + 6, 2 * views.width + 3, 3)
    corner = sheet[views.height + 3 : 2 * views.height + 3, : views.width]
    expected = (views.rgb[2] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(corner, expected)
    assert (sheet[2 * (views.height + 3) :, views.width + 3 :] == 255).all()
