from __future__ import annotations

import numpy as np
import pytest

from visionrouter.render import side_by_side
from visionrouter.schema.decision import Attempt, Outcome, Reason, Verdict, VerdictKind
from visionrouter.schema.errors import SchemaError
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.result import Candidate

ACCEPTED = Verdict(VerdictKind.ACCEPT, Reason.WITHIN_LIMITS)
REFUSED = Verdict(VerdictKind.FALL_BACK, Reason.OUT_OF_DOMAIN)
MAGENTA = (255, 0, 255)


@pytest.fixture
def merged(picture, every_payload, result, attempt):
    """An answer with a rejected drawing, an accepted specialist and a source map, and its image."""
    image = picture(320, 240)
    payloads = every_payload(320, 240)
    drawing = np.full((64, 64, 3), MAGENTA, np.uint8)
    source_map = np.zeros((240, 320), np.uint8)
    source_map[100:] = 1
    answer = result(
        image,
        payloads["metres"],
        Outcome.MERGED,
        attempts=(attempt("nano", False, Reason.OUT_OF_DOMAIN, 210.0), attempt("special", True)),
        candidates=(
            Candidate("nano", Prediction(payloads["metres"], drawing=drawing), REFUSED),
            Candidate("special", Prediction(payloads["metres"]), ACCEPTED),
        ),
        sources=("nano", "special"),
        source_map=source_map,
        confidence=0.9,
    )
    return answer, image


def share_of(drawn: np.ndarray, rgb: tuple[int, int, int]) -> float:
    return float((np.abs(drawn.astype(int) - rgb).max(-1) <= 2).mean())


@pytest.mark.parametrize("width", [64, 200, 390, 800, 1600])
def test_the_width_is_the_one_asked_for(merged, width):
    answer, image = merged
    drawn = side_by_side(image, answer, width=width)
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (width, 3)
    assert np.array_equal(drawn, side_by_side(image, answer, width=width))


def test_panels_wrap_when_narrow(merged):
    answer, image = merged
    shapes = {width: side_by_side(image, answer, width=width).shape for width in (390, 800, 1800)}
    assert shapes[390][0] > 5 * 240, "one column of five"
    assert shapes[800][0] > 3 * 240, "three rows of two"
    assert shapes[1800][0] < 2 * 360, "one row"


def test_the_drawing_is_shown_as_it_was_drawn(merged):
    answer, image = merged
    assert share_of(side_by_side(image, answer), MAGENTA) > 0.05


def test_missing_panels_are_left_out(merged, result):
    answer, image = merged
    bare = result(image, answer.payload)
    few, many = side_by_side(image, bare, width=400), side_by_side(image, answer, width=400)
    assert few.shape[0] < 0.5 * many.shape[0]
    assert share_of(few, MAGENTA) == 0


def test_input_first_and_result_last(every_payload, result):
    green = (0, 200, 0)
    image = np.full((240, 320, 3), green, np.uint8)
    for answer in (
        result(image, every_payload(320, 240)["metres"]),
        result(image, None, Outcome.ABSTAINED, Reason.CONFIDENCE_LOW),
    ):
        drawn = side_by_side(image, answer, width=688)
        assert share_of(drawn[:, :344], green) > 0.6
        assert share_of(drawn[:, 344:], green) == 0


def test_captions_tell_verdicts_apart(merged, result, attempt):
    answer, image = merged
    fields = {"candidates": answer.candidates}
    pictures = [
        side_by_side(image, result(image, answer.payload, attempts=attempts, **fields))
        for attempts in (
            (attempt("nano", False, Reason.OUT_OF_DOMAIN), attempt("special", True)),
            (attempt("nano", False, Reason.WRONG_CODE), attempt("special", True)),
            (attempt("nano", False, Reason.OUT_OF_DOMAIN, 999.0), attempt("special", True)),
            (),
        )
    ]
    assert len({p.tobytes() for p in pictures}) == 4


def test_each_try_of_one_backend_is_captioned_with_its_own_attempt(merged, result, attempt):
    answer, image = merged
    prediction = Prediction(answer.payload)

    def drawn(accepted: tuple[bool, bool], *attempts: Attempt) -> bytes:
        candidates = tuple(Candidate("same", prediction, ACCEPTED if flag else REFUSED) for flag in accepted)
        return side_by_side(
            image, result(image, answer.payload, attempts=attempts, candidates=candidates)
        ).tobytes()

    slow, quick = attempt("same", False, latency_ms=900.0), attempt("same", False, latency_ms=10.0)
    assert drawn((False, False), slow, quick) != drawn((False, False), slow, slow)
    passed = attempt("same", True, latency_ms=50.0)
    assert drawn((False, True), passed, slow) == drawn((False, True), slow, passed)


@pytest.mark.parametrize("size", [(1, 1), (2000, 10), (10, 2000), (64, 64)])
def test_odd_shapes(picture, every_payload, result, size):
    image = picture(*size)
    drawn = side_by_side(image, result(image, every_payload(*size)["detections"]), width=800)
    assert drawn.shape[1] == 800
    assert drawn.shape[0] < 2200


def test_misuse(merged, picture):
    answer, image = merged
    with pytest.raises(ValueError, match="64"):
        side_by_side(image, answer, width=10)
    with pytest.raises(SchemaError, match="320x240"):
        side_by_side(picture(100, 80), answer)
