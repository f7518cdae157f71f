"""Selection: order, errors, explanations, and agreement with CEL evaluated the plain way."""

import subprocess
import sys
import threading
import time

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.policies import compile_policy, load_policy
from visionrouter.schema.request import Criticality
from visionrouter.schema.task import Operation, Task

NIGHT = 'request.task == "detect" && request.tags["weather"] == "night"'

ATOMS = [
    'request.task == "detect"',
    '"depth" != request.task',
    'request.task in ["pose", "classify"]',
    'request["task"] == "normals"',
    'request . family == "segment" // the four of them\n',
    'request.criticality == "safety"',
    'request.operation == "distance"',
    'request.text.startsWith("find")',
    "request.text.matches('(?i)CARS$')",
    '"person" in request.targets',
    'request.targets.exists(t, t == "car")',
    "request.targets.size() > 1",
    'request.tags["weather"] == "night"',
    'request.tags.camera.startsWith("c")',
    'request.tags["a \\"quoted\\" key"] == "&& ||"',
    '"zone" in request.tags',
    '"zone" in request.tags == has(request.tags.zone)',
    '("zo" + "ne" in request.tags)',
    '[request.has_prompts, "dog" in request.targets][1]',
    '"weather" in request.tags && request.tags["weather"] == "night"',
    "has(request.tags.zone)",
    "size(request.tags) >= 2",
    "request.tags[context.key] == 'night'",
    "request.deadline_ms < 200",
    "request.seed == 0",
    "request.has_prompts",
    "image.width > image.height",
    "image.pixels <= 16 * 12",
    "image.aspect > 1.5",
    'image.source == "array"',
    "context.hour >= 20",
    'context.site.name == "north"',
    "has(context.site)",
    "has(context.site.name)",
    '"site" in context',
    '{"request.task": 1}.size() == 1',
    "true",
    "false",
]


def combine(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.map(" && ".join),
        pair.map(" || ".join),
        pair.map(lambda p: f"({p[0]}) && ({p[1]})"),
        inner.map(lambda e: f"!({e})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]}) ? ({t[1]}) : ({t[2]})"),
    )


conditions = st.recursive(st.sampled_from(ATOMS), combine, max_leaves=4)
requests = st.fixed_dictionaries(
    {
        "task": st.sampled_from(Task),
        "criticality": st.sampled_from(Criticality),
        "operation": st.none() | st.sampled_from(Operation),
        "nouns": st.lists(st.sampled_from(["car", "person", "dog"]), max_size=3).map(tuple),
        "text": st.sampled_from(["find the cars", "", "segment the dog"]),
        "tags": st.dictionaries(
            st.sampled_from(["weather", "camera", "zone", 'a "quoted" key']),
            st.sampled_from(["night", "c1", "&& ||"]),
        ),
        "deadline_ms": st.none() | st.sampled_from([100.0, 500.0]),
        "size": st.sampled_from([(16, 12), (12, 16), (64, 12)]),
        "prompts": st.booleans(),
    }
)
contexts = st.fixed_dictionaries(
    {"hour": st.integers(0, 23)},
    optional={
        "key": st.sampled_from(["weather", "camera"]),
        "site": st.just({"name": "north"}) | st.just({}),
    },
)


def naive(policy, request, context) -> str:
    """The first rule whose condition CEL finds true on nested maps; a condition that fails does not match."""
    instruction, image = request.instruction, request.image
    values = {
        "request": {
            "task": str(instruction.task),
            "family": instruction.task.family,
            "text": instruction.text,
            "operation": str(instruction.operation or ""),
            "targets": [target.noun for target in instruction.targets],
            "tags": dict(request.tags),
            "criticality": str(request.criticality),
            "deadline_ms": float("inf") if request.deadline_ms is None else request.deadline_ms,
            "seed": request.seed,
            "has_prompts": bool(request.prompts),
        },
        "image": {
            "width": image.width,
            "height": image.height,
            "pixels": image.width * image.height,
            "aspect": image.width / image.height,
            "source": image.source,
        },
        "context": dict(context),
    }
    for rule in policy.rules:
        try:
            if cel.evaluate(rule.when, values) is True:
                return rule.name
        except Exception:
            continue
    return "default"


@settings(deadline=None, max_examples=150)
@given(st.lists(conditions, min_size=1, max_size=5), requests, contexts)
def test_the_first_rule_that_plain_cel_finds_true_is_selected(ask, with_rules, sources, wanted, context):
    policy = load_policy(with_rules(*sources))
    request = ask(**wanted)
    selected = compile_policy(policy).select(request, context)
    assert selected.rule == naive(policy, request, context)
    asked = [step.rule for step in selected.trace]
    assert asked == [rule.name for rule in policy.rules][: len(asked)]
    assert [step.rule for step in selected.trace if step.matched] == [selected.rule] * (
        selected.rule != "default"
    )
    if selected.rule != "default":
        assert asked[-1] == selected.rule
        assert selected.route.try_[0].backend == selected.rule.replace("r", "b")


def test_a_missing_tag_is_no_match_with_the_reason_and_the_next_rule_is_asked(ask, with_rules):
    compiled = compile_policy(load_policy(with_rules(NIGHT, 'request.task == "detect"')))
    selected = compiled.select(ask(tags={"camera": "c1"}))
    assert selected.rule == "r1"
    assert [(s.rule, s.matched, s.error) for s in selected.trace] == [
        ("r0", False, 'request.tags["weather"] is missing'),
        ("r1", True, None),
    ]
    assert compiled.select(ask(tags={"weather": "night"})).rule == "r0"
    assert compiled.select(ask(Task.POSE)).trace[0].error is None


@pytest.mark.parametrize(
    ("condition", "context", "error"),
    [
        ("context.site == 'a'", None, "context.site is missing"),
        ("context.site == 'a'", {"site": object()}, "context.site has no form in CEL"),
        ("context.speed > 3", {"speed": "fast"}, "No such overload"),
        ("context.flag", {"flag": 1}, "gave 1, which is not true or false"),
        ("int(request.tags.n) > 3", None, 'request.tags["n"] is missing'),
        ("context.counts[5] > 1", {"counts": [1]}, "index out of bounds"),
        ("10 / context.n > 1", {"n": 0}, "division by zero"),
    ],
)
def test_a_condition_that_fails_at_run_time_says_why(ask, with_rules, condition, context, error):
    selected = compile_policy(load_policy(with_rules(condition))).select(ask(), context)
    assert selected.rule == "default"
    assert error in selected.trace[0].error


def test_no_deadline_reads_as_infinite_and_no_operation_as_empty(ask, with_rules):
    compiled = compile_policy(
        load_policy(with_rules('request.deadline_ms > 1e12 && request.operation == ""'))
    )
    assert compiled.select(ask()).rule == "r0"
    assert compiled.select(ask(deadline_ms=50.0)).rule == "default"


def test_the_hour_is_the_local_clock_unless_the_caller_gives_one(ask, with_rules):
    compiled = compile_policy(
        load_policy(with_rules("context.hour == 25", "context.hour >= 0 && context.hour < 24"))
    )
    assert compiled.select(ask()).rule == "r1"
    assert compiled.select(ask(), {"hour": 25}).rule == "r0"
    before, read, after = (
        time.localtime().tm_hour,
        compiled.explain(ask()).steps[0].values["context.hour"],
        time.localtime().tm_hour,
    )
    assert read in (before, after)


def test_explain_tells_what_select_does_and_the_values_it_read(ask, with_rules):
    policy = load_policy(with_rules(NIGHT, 'image.width > 10 && request.criticality == "normal"', "true"))
    request = ask(tags={"camera": "c1"})
    told = compile_policy(policy).explain(request)
    assert (told.policy, told.digest, told.rule) == ("under-test", policy.digest, "r1")
    assert [step.rule for step in told.steps] == ["r0", "r1"]
    assert told.steps[0].when == NIGHT
    assert dict(told.steps[0].values) == {"request.task": "detect", 'request.tags["weather"]': None}
    assert dict(told.steps[1].values) == {"image.width": 16, "request.criticality": "normal"}
    assert told.route == compile_policy(policy).select(request).route


def test_one_compiled_policy_serves_many_threads(ask, with_rules):
    compiled = compile_policy(load_policy(with_rules('request.tags["n"] == "3"', 'request.tags["n"] == "5"')))
    wrong: list[str] = []

    def work(n: int) -> None:
        expected = {3: "r0", 5: "r1"}.get(n, "default")
        request = ask(tags={"n": str(n)})
        wrong.extend(rule for _ in range(300) if (rule := compiled.select(request).rule) != expected)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_cel_is_imported_only_for_a_policy_with_conditions():
    code = (
        "import sys\n"
        "from visionrouter.policies import compile_policy, load_policy\n"
        "compile_policy(load_policy('default'))\n"
        "assert 'cel' not in sys.modules\n"
        "rule = {'name': 'r', 'when': 'true', 'route': {'try': ['any']}}\n"
        "load_policy({**load_policy('default').canonical(), 'rules': [rule]})\n"
        "assert 'cel' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
