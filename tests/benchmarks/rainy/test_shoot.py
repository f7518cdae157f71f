"""One case, one system: what an answer, an abstention and a misunderstanding cost."""

from dataclasses import replace

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.benchmarks.rainy.document import Condition
from visionrouter.benchmarks.rainy.matrix import Case
from visionrouter.benchmarks.rainy.recorded import Recorded
from visionrouter.benchmarks.rainy.shoot import NOT_UNDERSTOOD, Marksman
from visionrouter.benchmarks.rainy.store import Store
from visionrouter.instruction import parse
from visionrouter.policies import compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import Poses, Segmentation
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

CLEAN = Condition("clean", "clean", "clean")
LIMITS = {"fake": {Task.REFERRING: {"score": Limit(min=0.5)}}}


def mask(*columns, count=1):
    masks = np.zeros((count, 16, 16), np.bool_)
    masks[:, :, list(columns)] = True
    return Segmentation(masks, np.ones(count, np.float32), ("ball",) * count, "referring")


def case(truth, words=None, asked="segment the ball"):
    image = load_image(np.arange(768, dtype=np.uint32).reshape(16, 16, 3).astype(np.uint8))
    return Case(Item("i", "s", image, parse(asked), truth, tags={"occluded": "0.250"}), CLEAN, words)


@pytest.fixture
def shoot(tmp_path):
    def one(asked, payload, score=0.9, otherwise="abstain"):
        backend = FakeBackend(script=Answer(payload, {"score": score}))
        backends = {"fake": Recorded(backend, Store(tmp_path / str(len(list(tmp_path.iterdir())))))}
        route = {"try": ["fake"], "otherwise": otherwise}
        plain = {"schema_version": 1, "name": "p", "default": {"route": route}}
        marksman = Marksman(asked, backends, LIMITS)
        with Router(backends, compile_policy(load_policy(plain)), limits=LIMITS) as router:
            return marksman, marksman.shoot("p", router)

    return one


def test_an_answer_costs_its_loss(shoot):
    _, taken = shoot(case(mask(0, 1, 2, 3)), mask(0, 1))
    shot = taken.shot
    assert (shot.utility, shot.loss, shot.vouched, shot.outcome) == (0.5, 0.5, True, "accepted")
    assert (shot.size, shot.occluded) == (0.25, 0.25)
    assert (shot.score_of, shot.score) == ("margin", pytest.approx(0.8))
    assert [part.name for part in taken.parts] == ["ref cIoU"]


def test_no_answer_costs_the_line_between_good_and_bad_and_tells_what_was_withheld(shoot):
    shot = shoot(case(mask(0, 1, 2, 3)), mask(9), score=0.1)[1].shot
    assert (shot.utility, shot.loss, shot.vouched, shot.would_be) == (0.5, None, False, 1.0)


def test_a_best_effort_costs_its_loss_and_is_not_vouched_for(shoot):
    shot = shoot(case(mask(0, 1, 2, 3)), mask(9), 0.1, "best_effort")[1].shot
    assert (shot.utility, shot.loss, shot.vouched, shot.outcome) == (1.0, 1.0, False, "degraded")


def test_where_nothing_is_no_answer_costs_nothing_and_a_thing_everything(shoot):
    nothing = case(mask())
    assert shoot(nothing, mask(3), score=0.1)[1].shot.utility == 0
    assert shoot(nothing, mask(3))[1].shot.utility == 1
    found_nothing = replace(
        mask(), masks=np.zeros((0, 16, 16), np.bool_), scores=np.zeros(0, np.float32), labels=()
    )
    assert shoot(nothing, found_nothing, otherwise="best_effort")[1].shot.utility == 0


def test_words_that_are_refused_are_no_answer_and_ask_nobody(shoot):
    _, taken = shoot(case(mask(0), "flibber the ball"), mask(0))
    assert taken.result is None
    assert (taken.shot.outcome, taken.shot.utility, taken.shot.cost) == (NOT_UNDERSTOOD, 0.5, 0)


def test_words_misread_as_another_task_lose_all(shoot):
    assert shoot(case(mask(0), "depth map"), None, otherwise="best_effort")[1].shot.loss == 1


def test_poses_of_another_skeleton_cannot_be_judged(shoot):
    def person(*names):
        box = np.array([[0, 0, 8, 8]], np.float32)
        one = np.ones((1, len(names)), np.float32)
        return Poses(np.full((1, len(names), 2), 4, np.float32), one, box, np.ones(1, np.float32), names)

    asked = case(person("nose"), asked="human pose")
    foreign, _ = shoot(asked, person("tail"), otherwise="best_effort")
    assert foreign.foreign
    known, taken = shoot(asked, person("nose"), otherwise="best_effort")
    assert not known.foreign
    assert taken.shot.loss == 0
