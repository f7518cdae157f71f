"""Conditions: what is refused when a policy is loaded, and what is settled then."""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from visionrouter.policies.expression import CASES, MAX_CHARACTERS, compile_expression
from visionrouter.policies.syntax import ConditionError
from visionrouter.schema.request import Criticality
from visionrouter.schema.task import Task

REFUSED = {
    "1 +": "not valid CEL, at column 4",
    'request.task = "detect"': "not valid CEL",
    "": "not valid CEL",
    'request.tsk == "detect"': "no field 'tsk'; did you mean \"task\"",
    'request["tsk"] == "detect"': 'did you mean "task"',
    "image.widht > 100": 'did you mean "width"',
    'reqest.task == "detect"': 'did you mean "request"',
    'task == "detect"': 'did you mean "request.task"',
    "nonsense": "reads 'nonsense'",
    "request.targets.exists(t, t == 'car') && t == 'car'": "reads 't'",
    'request.task == "detct"': "never 'detct'; did you mean \"detect\"",
    '"saftey" == request.criticality': 'did you mean "safety"',
    'request.family in ["segment", "dpth"]': 'did you mean "depth"',
    'request.operation != "cuont"': 'did you mean "count"',
    "request.task": "gives 'detect'; a condition is true or false",
    'request.task == "pose" && request.text': "a condition is true or false",
    'request == "detect"': "not a value by itself",
    "has(request.task)": "not a value by itself",
    "[1].exists(image, image > 1)": "not a value by itself",
    "[1].exists(request_task, request_task > 1) && request.task == 'pose'": "it is taken",
    'request.tags["speed"] > 3': "mixes types",
    'request.deadline_ms < "200"': "mixes types",
    'request.targets.contains("car")': '"x" in list',
    'request.text.lowerCase() == "a"': "calls 'lowerCase'",
    'request.text.startWith("a")': 'did you mean "startsWith"',
    'request.text.matches("(")': "not a valid regex",
    "1 / 0 == 1": "always fails: division by zero",
    "[1].all(a, [1].all(b, [1].all(c, a == b)))": "nests more than 2 macros",
    "true" + " && true" * MAX_CHARACTERS: "the cap is 2,000",
    "(" * 500 + "true" + ")" * 500: "not valid CEL",
}


@pytest.mark.parametrize(("condition", "said"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_condition_that_cannot_work_is_refused_with_the_mend(condition, said):
    with pytest.raises(ConditionError) as caught:
        compile_expression(condition)
    assert said in str(caught.value)


ALLOWED = [
    'request.tags["never-given"] == "x"',
    'int(request.tags["speed"]) > 3',
    "context.anything.at.all > 3",
    "request.targets[7] == 'car'",
    "request.text.matches('^(find|show)')",
    "request.text == 'task && request.tsk'",
    "request.task == 'pose' // request.tsk",
    "request.tags['request.tsk'] == r'\\d'",
    '"""a "quoted" text""" == request.text',
    "1.5e-3 < image.aspect && 0x1F > 3u",
    "timestamp(context.at).getHours() > 20",
]


@pytest.mark.parametrize("condition", ALLOWED)
def test_what_depends_on_the_request_is_left_to_it(condition):
    compile_expression(condition)


def test_what_is_read_is_known():
    reads = compile_expression(
        'request.task == "pose" && (request.tags.zone == "a" || request.tags["zone"] == "b") && context.hour > 3'
    ).reads
    assert [found.path for found in reads] == ["request.task", 'request.tags["zone"]', "context.hour"]


def test_conjuncts_on_task_and_criticality_are_settled_when_compiled():
    condition = compile_expression(
        'request.family == "segment" && request.criticality != "low" && image.width > 3'
    )
    assert {task for task, _ in condition.possible} == {t for t in Task if t.family == "segment"}
    assert {how for _, how in condition.possible} == set(Criticality) - {Criticality.LOW}
    assert [found.path for found in condition.needs] == ["image.width"]
    assert compile_expression('request.task == "pose" || image.width > 3').possible == CASES
    assert compile_expression("true").rest is None
    assert compile_expression('request.task == "pose" && request.task == "depth"').possible == frozenset()


PIECES = [
    "request",
    "image",
    "context",
    ".",
    "task",
    "tags",
    "targets",
    '"a"',
    "'b'",
    "==",
    "&&",
    "||",
    "!",
    "(",
    ")",
]
PIECES += [
    "[",
    "]",
    "?",
    ":",
    "1",
    "2.5",
    "exists",
    "has",
    "t",
    ",",
    "in",
    "true",
    "-",
    "{",
    "}",
    " ",
    "//",
    "matches",
    "\\",
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=40))
@example("\ud800")
@example("\x00")
@example("r'''")
@example('request.tags[b"x"] == ""')
@example("request.tags[1] == ''")
@example("request..task")
@example("request.tags[")
def test_any_text_is_compiled_or_refused(text):
    with contextlib.suppress(ConditionError):
        compile_expression(text)
