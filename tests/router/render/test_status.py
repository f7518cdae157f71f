from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import overlay
from visionrouter.render.colour import AMBER
from visionrouter.schema.decision import Outcome, Reason


@pytest.mark.parametrize("outcome", [Outcome.ABSTAINED, Outcome.FAILED])
def test_no_answer_dims_the_picture_and_says_why(picture, result, attempt, outcome):
    image = picture(400, 300)
    drawn = overlay(result(image, None, outcome, Reason.CONFIDENCE_LOW), image)
    assert drawn[:100].mean() < 0.5 * image[:100].mean()
    assert drawn[:100].std(axis=(0, 1)).min() > 0, "the picture can still be made out"
    assert (drawn[100:200] > 240).all(-1).sum() > 200, "white words in the middle"
    other = overlay(result(image, None, outcome, Reason.OUT_OF_DOMAIN), image)
    assert (drawn != other).any()
    tried = overlay(
        result(image, None, outcome, Reason.CONFIDENCE_LOW, (attempt("nano", False, Reason.TIMEOUT),)), image
    )
    assert (drawn != tried).any()


def test_abstained_and_failed_are_told_apart(picture, result):
    image = picture(400, 300)
    abstained, failed = (
        overlay(result(image, None, outcome, Reason.EXHAUSTED), image)
        for outcome in (Outcome.ABSTAINED, Outcome.FAILED)
    )
    assert (abstained != failed).any()


@pytest.mark.parametrize("kind", ["detections", "metres", "redaction", "semantic", "classes"])
def test_a_degraded_answer_is_marked(picture, every_payload, result, kind):
    image = picture(400, 300)
    payload = every_payload(400, 300)[kind]
    drawn = overlay(result(image, payload, Outcome.DEGRADED, Reason.LIMIT_EXCEEDED), image)
    amber = (drawn == AMBER).all(-1)
    for border in (amber[0], amber[-1], amber[:, 0], amber[:, -1]):
        assert 0.3 < border.mean() < 0.8
    assert amber[3:20].sum() > 1000, "the mark at the top"
    assert not (overlay(payload, image) == AMBER).all(-1)[0].any()


def test_the_reason_is_on_the_mark(picture, every_payload, result):
    image = picture(400, 300)
    payload = every_payload(400, 300)["metres"]
    a, b = (
        overlay(result(image, payload, Outcome.DEGRADED, reason), image)
        for reason in (Reason.LIMIT_EXCEEDED, Reason.DISAGREEMENT)
    )
    changed = (a != b).any(-1)
    assert changed[:40].any()
    assert not changed[40:].any()


@pytest.mark.parametrize("size", [(1, 1), (9, 7), (30, 200), (200, 30)])
def test_small_pictures(picture, every_payload, result, size):
    image = picture(*size)
    for outcome, payload in (
        (Outcome.ABSTAINED, None),
        (Outcome.DEGRADED, every_payload(*size)["detections"]),
    ):
        drawn = overlay(result(image, payload, outcome, Reason.EXHAUSTED), image)
        assert drawn.shape == image.shape
        assert (drawn != image).any()


def test_the_picture_is_not_shared(picture, result):
    image = picture(64, 48)
    image.flags.writeable = False
    drawn = overlay(result(image, None, Outcome.ABSTAINED), image)
    assert drawn.flags.writeable
    assert not np.shares_memory(drawn, image)
