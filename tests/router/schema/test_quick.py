"""A record made by `quick_init` cannot be told from the dataclass that it would have been."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionrouter.engine.ask import Answer, Question
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.engine import Run
from visionrouter.schema.decision import Attempt, Decision, Verdict
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.quick import quick_init
from visionrouter.schema.request import Query, Request
from visionrouter.schema.result import Candidate, Result

RECORDS = [
    Answer,
    Attempt,
    Candidate,
    Deadline,
    Decision,
    Evidence,
    Prediction,
    Query,
    Question,
    Request,
    Result,
    Run,
    Verdict,
]


def record(name):
    @dataclass(frozen=True, slots=True)
    class Record:
        a: int
        b: str = "b"
        c: list[int] = field(default_factory=list)
        d: float | None = field(default=None, compare=False, repr=False)

        def __post_init__(self) -> None:
            if self.a < 0:
                raise ValueError("a is negative")

    Record.__name__ = Record.__qualname__ = name
    return Record


Plain, Quick = record("Plain"), quick_init(record("Quick"))


def came_of(cls, args, named):
    """The fields and the repr of what was made, or the error."""
    try:
        made = cls(*args, **named)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    assert type(made) is cls
    return [getattr(made, f.name) for f in fields(made)], repr(made).replace("Quick", "Plain")


@given(
    st.lists(st.integers(-1, 2), max_size=5),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from([1, "x", None]), max_size=5),
)
def test_it_takes_refuses_and_holds_what_the_plain_one_does(args, named):
    assert came_of(Quick, args, named) == came_of(Plain, args, named)


def test_what_is_made_is_frozen():
    made = Quick(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
        made.a = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'a'"):
        del made.a
    with pytest.raises((AttributeError, TypeError)):
        made.other = 1


def test_it_is_copied_pickled_compared_and_replaced():
    made = Quick(1, c=[2], d=3.0)
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), replace(made)):
        assert again == made
        assert type(again) is Quick
        assert again.d == 3.0
    assert replace(made, a=5) == Quick(5, c=[2])
    assert hash(replace(Quick(1, c=()), b="x")) == hash(Quick(1, "x", ()))


def test_its_init_has_the_types_of_its_fields():
    assert get_type_hints(Quick.__init__) == get_type_hints(Plain.__init__)
    assert str(inspect.signature(Quick, eval_str=True).return_annotation) == "None"


def test_each_gets_its_own_of_what_a_factory_makes():
    assert Quick(1).c is not Quick(1).c
    given_one = []
    assert Quick(1, c=given_one).c is given_one


def test_a_subclass_stays_one():
    class Named(Quick):
        __slots__ = ()

    made = Named(1)
    assert type(made) is Named
    with pytest.raises(FrozenInstanceError):
        made.a = 2


def test_what_it_cannot_do_is_refused():
    @dataclass(frozen=True)
    class NoSlots:
        a: int

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        a: int

    for cls in (NoSlots, Named):
        with pytest.raises(TypeError, match=cls.__name__):
            quick_init(cls)


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_the_records_of_a_request_are_quick_and_keep_their_signature(cls):
    assert inspect.getclosurevars(cls.__init__).nonlocals["_draft"].__base__ is cls
    assert list(inspect.signature(cls).parameters) == [f.name for f in fields(cls)]
    assert cls.__init__.__annotations__.keys() >= {f.name for f in fields(cls)}
