import numpy as np
import pytest

from visionrouter.backends.generative.asks import Ask
from visionrouter.backends.generative.codecs.palette import PaletteCode
from visionrouter.backends.generative.nano import codes
from visionrouter.backends.generative.nano.flip import disagreement, mirrored
from visionrouter.schema.image import load_image
from visionrouter.schema.palette import BLACK
from visionrouter.schema.request import Query
from visionrouter.schema.task import PaletteEntry, Relation, RelationKind, Target, Task

LEFT = np.arange(40)[None, :] < 10 + np.zeros((30, 1))
CLASSES = (PaletteEntry("sky", (0, 255, 255)), PaletteEntry("car", (255, 0, 0)))


def test_left_and_right_change_places_in_words() -> None:
    anchor = Target("car", "car", relations=(Relation(RelationKind.RIGHTMOST),))
    target = Target(
        "dog", "dog", relations=(Relation(RelationKind.LEFT_OF, anchor), Relation(RelationKind.NEAREST))
    )
    query = Query(Task.REFERRING, load_image(np.zeros((2, 2, 3), np.uint8)), (target,))
    (turned,) = mirrored(query).targets
    assert [r.kind for r in turned.relations] == [RelationKind.RIGHT_OF, RelationKind.NEAREST]
    assert turned.relations[0].anchor is not None
    assert turned.relations[0].anchor.relations[0].kind is RelationKind.LEFTMOST
    assert mirrored(mirrored(query)).targets == query.targets


@pytest.mark.parametrize("task", [Task.DEPTH, Task.NORMALS, Task.SEMANTIC, Task.REFERRING])
def test_a_quarter_that_differs_is_a_quarter(task: Task) -> None:
    if task is Task.DEPTH:
        first, second = (codes.DEPTH.encode(np.where(LEFT, depth, 20.0)) for depth in (10.0, 14.0))
        within = codes.DEPTH.encode(np.where(LEFT, 11.0, 21.0))
    elif task is Task.NORMALS:
        right, up = np.array([0.6, 0, 0.8]), np.array([0, 0.6, 0.8])
        first = codes.NORMALS.encode(np.where(LEFT[..., None], up, right))
        second, within = (
            codes.NORMALS.encode(np.where(LEFT[..., None], a, right * (-1, 1, 1))) for a in (right, up)
        )
    elif task is Task.SEMANTIC:
        code = PaletteCode((*CLASSES, PaletteEntry("", BLACK)))
        first, second = (code.encode(np.where(LEFT, label, 1)) for label in (0, 2))
        within = np.abs(first.astype(int) - 30).astype(np.uint8)
    else:
        first = within = np.full((30, 40, 3), 255, np.uint8)
        second = np.where(LEFT[..., None], 0, first).astype(np.uint8)
    asks = (Ask("", palette=CLASSES),)
    assert disagreement(task, asks, [first], [within]) == 0
    assert disagreement(task, asks, [first], [second]) == pytest.approx(0.25)


def test_two_empty_drawings_agree() -> None:
    black = np.zeros((8, 8, 3), np.uint8)
    assert disagreement(Task.POSE, (Ask(""),), [black], [black]) == 0
