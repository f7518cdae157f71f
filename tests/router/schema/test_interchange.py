"""Results as other tools read them, checked by those tools."""

import json

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.interchange import depth_to_mm
from visionrouter.schema.payload import Classification, DepthMap, Detections, Intrinsics, Poses, Segmentation
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task


def result(payload, size=(8, 6)):
    decision = Decision("r", Task.DETECT, "", Outcome.ACCEPTED, Reason.NO_GATE, "p", "h", "default")
    return Result("r", Task.DETECT, Outcome.ACCEPTED, decision, size, payload)


masks = np.zeros((2, 6, 8), bool)
masks[0, 1:3, 2:5] = True
masks[1, 4:, 6:] = True
segmentation = Segmentation(masks, np.array([0.9, 0.4], np.float32), ("dog", "cat"), "instance")


def test_supervision_reads_masks_and_labels():
    taken = result(segmentation).to_supervision()
    assert taken.xyxy.tolist() == [[2, 1, 5, 3], [6, 4, 8, 6]]
    assert np.array_equal(taken.mask, masks)
    assert list(taken.data["class_name"]) == ["dog", "cat"]
    assert taken.confidence == pytest.approx([0.9, 0.4])


def test_supervision_of_nothing_is_empty():
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
    assert len(result(nothing).to_supervision()) == 0


def test_pycocotools_reads_the_dataset(tmp_path, capsys):
    dataset = result(segmentation).to_coco(image_id=7, categories=["cat", "dog"])
    (tmp_path / "coco.json").write_text(json.dumps(dataset))
    read = COCO(str(tmp_path / "coco.json"))
    capsys.readouterr()
    found = read.loadAnns(read.getAnnIds(imgIds=7, catIds=read.getCatIds(["dog"])))
    assert len(found) == 1
    assert found[0]["bbox"] == [2, 1, 3, 2]
    assert np.array_equal(coco_mask.decode(found[0]["segmentation"]).astype(bool), masks[0])


def test_coco_keypoints_mark_what_was_not_found():
    box, one = np.array([[0, 0, 4, 4]], np.float32), np.ones(1, np.float32)
    poses = Poses(
        np.array([[[1, 2], [3, 3]]], np.float32), np.array([[0.8, 0]], np.float32), box, one, ("a", "b")
    )
    row = result(poses).to_coco()["annotations"][0]
    assert row["keypoints"] == [1, 2, 2, 0, 0, 0]
    assert row["num_keypoints"] == 1


def test_labels_outside_the_categories_are_refused():
    with pytest.raises(SchemaError, match="not among the categories"):
        result(segmentation).to_coco(categories=["dog"])


def test_a_depth_map_is_no_set_of_things():
    with pytest.raises(SchemaError, match="not a set of things"):
        result(DepthMap(np.ones((6, 8), np.float32), "m")).to_coco()


def test_millimetres_mark_the_sky_and_the_unknown():
    depth = np.array([[0.001, 1.5, 65.6, np.inf, np.nan]], np.float32)
    assert depth_to_mm(depth).tolist() == [[1, 1500, 65535, 65535, 0]]


def test_save_writes_files_that_read_back(tmp_path):
    folder = result(segmentation).save(tmp_path / "a" / "b")
    assert Result.from_json((folder / "result.json").read_text()) == result(segmentation)
    assert np.array_equal(np.asarray(PIL.Image.open(folder / "mask_00_dog.png")) > 0, masks[0])
    depth = DepthMap(np.array([[1.5, np.inf]], np.float32), "m")
    folder = result(depth, (2, 1)).save(tmp_path / "depth")
    assert np.array_equal(np.load(folder / "depth.npz")["values"], depth.values)
    assert np.asarray(PIL.Image.open(folder / "depth_mm.png")).tolist() == [[1500, 65535]]
    made = Intrinsics(np.full((1, 2, 3), 0.3, np.float32), roughness=np.array([[0.5, np.nan]], np.float32))
    with np.load(result(made, (2, 1)).save(tmp_path / "made") / "intrinsics.npz") as maps:
        assert Intrinsics(**maps) == made


def test_a_classification_saves_its_json_alone(tmp_path):
    folder = result(Classification(("cat",), np.ones(1, np.float32))).save(tmp_path / "c")
    assert [p.name for p in folder.iterdir()] == ["result.json"]
