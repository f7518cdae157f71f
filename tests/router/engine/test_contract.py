"""A prediction that is no answer to its query is found out, whatever backend it comes from."""

from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.fake import plausible
from visionrouter.engine.contract import check_prediction
from visionrouter.schema.errors import SchemaError, UnsupportedTargetError
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, Intrinsics, NormalMap, Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

IMAGE = load_image(np.zeros((70, 80, 3), np.uint8))
TASKS = sorted(set(Task) - {Task.COMPOSITE})


@pytest.mark.parametrize("task", TASKS)
def test_a_plausible_answer_passes(task):
    query = Query(task, IMAGE)
    check_prediction(query, Prediction(plausible(query)))


@pytest.mark.parametrize("task", TASKS)
def test_the_answer_to_another_question_does_not(task):
    other = Task.DEPTH if task is not Task.DEPTH else Task.NORMALS
    with pytest.raises(SchemaError, match="asked for"):
        check_prediction(Query(task, IMAGE), Prediction(plausible(Query(other, IMAGE))))


masks = np.ones((1, 70, 80), bool)
one = np.ones(1, np.float32)
up = np.zeros((70, 80, 3), np.float32)
up[..., 2] = 1
grey = np.full((70, 80, 3), 0.5, np.float32)
tiled = np.where(np.arange(80)[:, None] < 40, grey, np.float32(0.1))


@pytest.mark.parametrize(
    ("task", "payload", "words"),
    [
        (Task.DEPTH, DepthMap(np.ones((7, 8), np.float32), "m"), "the image is"),
        (Task.DEPTH, DepthMap(np.full((70, 80), np.nan, np.float32), "m"), "every value"),
        (Task.DEPTH, DepthMap(np.full((70, 80), 3, np.float32), "m"), "one constant"),
        (Task.NORMALS, NormalMap(up[:9]), "the image is"),
        (Task.NORMALS, NormalMap(up * np.float32("nan")), "every value"),
        (Task.INTRINSICS, Intrinsics(tiled[:9]), "albedo is"),
        (Task.INTRINSICS, Intrinsics(tiled * np.float32("nan")), "every value of albedo"),
        (Task.INTRINSICS, Intrinsics(tiled, shading=grey * np.float32("nan")), "every value of shading"),
        (Task.INTRINSICS, Intrinsics(grey), "albedo is one constant"),
        (Task.INSTANCE, Segmentation(masks[:, :9], one, ("a",), "instance"), "masks are"),
        (Task.INSTANCE, Segmentation(masks, one, ("a",), "referring"), "got referring"),
    ],
)
def test_wrong_size_empty_or_constant_maps_do_not(task, payload, words):
    with pytest.raises(SchemaError, match=words):
        check_prediction(Query(task, IMAGE), Prediction(payload))


def test_sky_everywhere_and_a_flat_wall_are_answers():
    check_prediction(
        Query(Task.DEPTH, IMAGE), Prediction(DepthMap(np.full((70, 80), np.inf, np.float32), "m"))
    )
    check_prediction(Query(Task.NORMALS, IMAGE), Prediction(NormalMap(up)))


def test_the_same_light_everywhere_is_an_answer_and_so_is_no_metal():
    lit = Intrinsics(tiled, metallicity=np.zeros((70, 80), np.float32), shading=grey)
    check_prediction(Query(Task.INTRINSICS, IMAGE, style="shading"), Prediction(lit))


def test_the_map_that_was_asked_for_must_be_there():
    asked = Query(Task.INTRINSICS, IMAGE, style="roughness")
    with pytest.raises(UnsupportedTargetError, match="asked for roughness, got albedo, shading"):
        check_prediction(asked, Prediction(Intrinsics(tiled, shading=grey)))
    check_prediction(asked, Prediction(Intrinsics(tiled, roughness=grey[..., 0])))


@pytest.mark.parametrize("task", [Task.DETECT, Task.POSE])
def test_boxes_of_another_size_do_not_and_one_that_sticks_out_a_little_does(task):
    query = Query(task, IMAGE)
    right = plausible(query)
    check_prediction(query, Prediction(replace(right, boxes=np.array([[-5, -5, 95, 80]], np.float32))))
    larger = plausible(Query(task, load_image(np.zeros((140, 160, 3), np.uint8))))
    with pytest.raises(SchemaError, match="give pixels of the image"):
        check_prediction(query, Prediction(larger))
    for box in ((-40, 0, 9, 9), (0, -40, 9, 9), (0, 0, 120, 9), (0, 0, 9, 110)):
        with pytest.raises(SchemaError, match="boxes reach"):
            check_prediction(query, Prediction(replace(right, boxes=np.array([box], np.float32))))


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence({"score": float("nan")}),
        Evidence(confidence_map=np.ones((2, 2), np.float32)),
        Evidence(confidence_map=np.full((70, 80), np.nan, np.float32)),
    ],
)
def test_evidence_must_be_finite_and_of_the_images_size(evidence):
    query = Query(Task.DEPTH, IMAGE)
    with pytest.raises(SchemaError):
        check_prediction(query, Prediction(plausible(query), evidence))
