import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.limit_model import LimitModel
from visionrouter.schema.route import Choice, Limit, Route

sides = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(sides, sides, st.floats())
def test_a_limit_holds_exactly_inside_its_interval_and_never_for_nan(low, high, value):
    low_number = -math.inf if low is None else low
    high_number = math.inf if high is None else high
    if (low is None and high is None) or low_number > high_number:
        with pytest.raises(SchemaError):
            Limit(low, high)
        with pytest.raises(ValidationError):
            LimitModel(min=low, max=high)
        return
    expected = not math.isnan(value) and low_number <= value <= high_number
    assert Limit(low, high).holds(value) is expected
    assert LimitModel(min=low, max=high).limit() == Limit(low, high)


@pytest.mark.parametrize(
    "bad", [{"max": "0.1"}, {"max": True}, {"max": math.nan}, {"min": -math.inf}, {"mx": 1.0}, {}]
)
def test_a_limit_in_yaml_is_numbers_alone(bad):
    with pytest.raises(ValidationError):
        LimitModel.model_validate(bad)


def test_a_nan_side_is_refused():
    with pytest.raises(SchemaError, match="no number is from min nan"):
        Limit(min=math.nan, max=1.0)


def test_a_limit_reads_as_words():
    said = [str(limit) for limit in (Limit(max=0.02), Limit(min=0.4), Limit(0.1, 2))]
    assert said == ["at most 0.02", "at least 0.4", "from 0.1 to 2"]


def test_a_choice_means_a_backend_or_all_of_a_kind():
    assert Choice("nano").selects("nano", "generative")
    assert not Choice("nano").selects("nanodet", "specialist")
    assert Choice("specialist").selects("nanodet", "specialist")
    assert not Choice("specialist").selects("nano", "generative")
    assert Choice("any").selects("nano", "generative")


RESERVED = Route((Choice("any"),), reserve_ms=300.0)
SHARED = Route((Choice("any"),), reserve_share=0.8)


@pytest.mark.parametrize(
    ("place", "stops", "left_ms", "kept_ms"),
    [
        (0, 1, 1000.0, 0.0),
        (0, 3, 1000.0, 300.0),
        (0, 2, None, 0.0),
        (1, 3, 900.0, 300.0),
        (1, 3, 300.0, 150.0),
        (1, 4, 300.0, 200.0),
        (2, 3, 150.0, 0.0),
        (1, 3, 0.0, 0.0),
    ],
)
def test_the_first_keeps_the_reserve_and_the_others_share(place, stops, left_ms, kept_ms):
    assert RESERVED.kept_ms(place, stops, left_ms) == kept_ms


@pytest.mark.parametrize(
    ("place", "stops", "left_ms", "kept_ms"),
    [
        (0, 1, 1000.0, 0.0),
        (0, 3, 1000.0, 800.0),
        (0, 3, 10.0, 8.0),
        (0, 2, None, 0.0),
        (1, 3, 900.0, 450.0),
        (1, 9, 800.0, 640.0),
        (2, 3, 150.0, 0.0),
    ],
)
def test_each_leaves_the_share_or_what_is_even(place, stops, left_ms, kept_ms):
    assert SHARED.kept_ms(place, stops, left_ms) == pytest.approx(kept_ms)


def test_a_reserve_reads_as_words():
    assert RESERVED.reserve == "the first leaves 300 ms of the deadline to those after it"
    assert SHARED.reserve == "each leaves 80% of what is left of the deadline to those after it"
    assert Route((Choice("any"),)).reserve == ""


def test_without_a_reserve_nothing_is_kept():
    assert Route((Choice("any"),)).kept_ms(0, 3, 1000.0) == Route((Choice("any"),)).kept_ms(1, 3, 10.0) == 0
