"""An answer that a second backend contradicts is not given out in silence, whichever of the two is wrong."""

import numpy as np
import pytest

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.cli.explain import as_text
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.payload import DepthMap, Segmentation
from visionrouter.schema.route import Limit, Opinion
from visionrouter.schema.task import Task

PHOTO = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
LIMITS = {task: {"score": Limit(min=0.5)} for task in Task}


def scene(seed=0):
    """A ground plane and a box on it, in metres."""
    rng = np.random.default_rng(seed)
    depth = np.repeat(np.linspace(30, 2, 80, dtype=np.float32)[:, None], 96, 1)
    x, y = rng.integers(5, 60), rng.integers(20, 50)
    depth[y : y + 25, x : x + 30] = rng.uniform(3, 6)
    return depth


TRUE = scene()
RAMP = np.linspace(0.7, 1.6, 96, dtype=np.float32)[None]
PLANTED = {
    "another scene": scene(5)[:, ::-1] * 0.4 + 3,
    "scale x 1.5": TRUE * 1.5,
    "smooth bias": TRUE * RAMP,
}


def depth(values):
    return Answer(DepthMap(np.ascontiguousarray(values, np.float32), "m"))


def mask(x):
    masks = np.zeros((1, 80, 96), bool)
    masks[0, 20:60, x : x + 20] = True
    return Answer(Segmentation(masks, np.ones(1, np.float32), ("dog",), "referring"))


NO_MASK = Answer(Segmentation(np.zeros((0, 80, 96), bool), np.zeros(0, np.float32), (), "referring"))
LOW = {"score": 0.1}


def run(
    *answers,
    on="fall_back",
    if_none="fall_back",
    words="depth map",
    unmeasured=(),
    opinions=None,
    inline=True,
    timeout_ms=None,
):
    names = "abc"
    backends = [
        FakeBackend(name, script=answer, inline=inline) for name, answer in zip(names, answers, strict=False)
    ]
    policy = {
        "schema_version": 1,
        "name": "checked",
        "default": {
            "route": {
                "try": list(names[: len(answers)]),
                "check_with": {"backend": "any", "on_disagreement": on, "if_none": if_none},
                **({} if timeout_ms is None else {"attempt_timeout_ms": timeout_ms}),
            }
        },
    }
    limits = {b.spec.name: LIMITS for b in backends if b.spec.name not in unmeasured}
    with Router(backends, policy, limits=limits, opinions=opinions or {}) as router:
        return router.run(PHOTO, words), {b.spec.name: len(b.calls) for b in backends}


def reasons(result):
    return [(a.backend, a.verdict.reason) for a in result.decision.attempts]


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "worker"])
def test_agreement_lets_the_first_answer_stand(inline):
    result, calls = run(depth(TRUE), depth(TRUE * 1.02), inline=inline)
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))
    assert calls == {"a": 1, "b": 1}
    assert reasons(result) == [("a", Reason.WITHIN_LIMITS), ("b", Reason.SECOND_OPINION)]
    assert abs(result.decision.attempts[0].signals["check_log_scale"]) < 0.05


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("liar", ["first", "second"])
def test_a_planted_depth_ends_in_an_abstention(planted, liar):
    answers = (depth(planted), depth(TRUE)) if liar == "first" else (depth(TRUE), depth(planted))
    result, _ = run(*answers, on="abstain")
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.DISAGREEMENT)
    assert "disagrees" in result.decision.attempts[0].verdict.detail


@pytest.mark.parametrize("other", [mask(50), NO_MASK], ids=["shifted", "absent"])
def test_a_mask_of_something_else_or_of_nothing_is_contradicted(other):
    result, _ = run(mask(10), other, on="abstain", words="segment the dog")
    assert result.decision.reason is Reason.DISAGREEMENT


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_third_opinion_outvotes_the_liar(planted):
    result, calls = run(depth(planted), depth(TRUE), depth(TRUE * 0.98), on="escalate")
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("b",))
    assert reasons(result)[0] == ("a", Reason.OUTVOTED)
    assert set(calls.values()) == {1}, "nobody is asked twice"
    result, _ = run(depth(TRUE), depth(planted), depth(TRUE * 0.98), on="escalate")
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))
    assert "c agrees with a" in result.decision.attempts[0].verdict.detail


def test_without_a_majority_nobody_is_believed():
    other = depth(PLANTED["another scene"])
    for answers in ((depth(TRUE), other), (depth(TRUE), other, depth(TRUE * 3))):
        result, _ = run(*answers, on="escalate")
        assert (result.outcome, result.payload) == (Outcome.ABSTAINED, None)


def test_a_checker_that_fails_is_no_agreement():
    broken = Answer(error=RuntimeError("cable cut"))
    result, _ = run(depth(TRUE), broken, if_none="accept")
    assert result.outcome is Outcome.ABSTAINED
    assert reasons(result)[0] == ("a", Reason.EVIDENCE_MISSING)
    assert "no_evidence:cross_check:backend_error" in result.decision.attempts[0].notes


BROKEN = Answer(error=RuntimeError("cable cut"))


@pytest.mark.parametrize("on", ["fall_back", "abstain", "escalate"])
def test_where_the_checker_fails_another_speaks_in_its_place(on):
    result, calls = run(BROKEN, depth(TRUE), depth(TRUE * 0.98), on=on)
    assert (result.outcome, result.sources) == (Outcome.FELL_BACK, ("b",))
    assert "checked_by:c" in result.decision.attempts[1].notes
    assert set(calls.values()) == {1}, "nobody is asked twice"
    result, _ = run(depth(TRUE), BROKEN, depth(TRUE * 0.98), on=on)
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))


@pytest.mark.parametrize(
    "third",
    [depth(PLANTED["another scene"]), BROKEN, Answer(DepthMap(TRUE, "m"), LOW)],
    ids=["disagrees", "fails too", "below its limits"],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_nor_is_it_agreement_where_nobody_can_speak_in_its_place(third, first):
    answers = (BROKEN, depth(TRUE), third) if first else (depth(TRUE), BROKEN, third)
    result, _ = run(*answers, on="escalate", if_none="accept")
    assert (result.outcome, result.payload) == (Outcome.ABSTAINED, None)


def test_a_checker_that_takes_all_of_an_attempt_leaves_another_time_to_speak():
    late = Answer(DepthMap(TRUE, "m"), latency_ms=250)
    result, _ = run(depth(TRUE), late, depth(TRUE * 0.98), inline=False, timeout_ms=120)
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))
    assert "checked_by:c" in result.decision.attempts[0].notes


@pytest.mark.parametrize("who", ["nobody", "unmeasured", "below its limits"])
def test_an_opinion_that_does_not_count_is_no_opinion(who):
    low = Answer(DepthMap(TRUE * 3, "m"), LOW)
    answers = {
        "nobody": [depth(TRUE)],
        "unmeasured": [depth(TRUE), depth(TRUE * 3)],
        "below its limits": [depth(TRUE), low],
    }[who]
    unmeasured = "b" if who == "unmeasured" else ()
    result, _ = run(*answers, if_none="accept", unmeasured=unmeasured)
    assert (result.outcome, result.sources) == (Outcome.ACCEPTED, ("a",))
    assert any(note.startswith("unchecked:") for note in result.decision.attempts[0].notes)
    result, _ = run(*answers, if_none="fall_back", unmeasured=unmeasured)
    assert result.payload is None


def test_the_time_of_a_second_opinion_is_not_the_routers_own():
    slow = Answer(DepthMap(TRUE, "m"), latency_ms=30)
    result, _ = run(depth(TRUE), slow, inline=False)
    first = result.decision.attempts[0]
    assert first.evidence_ms >= 30
    assert 0 <= result.decision.overhead_ms < 20


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("liar", ["generative", "specialist"])
def test_the_safety_critical_preset_gives_no_planted_answer(planted, liar):
    kinds = {"generative": TRUE, "specialist": TRUE} | {liar: planted}
    backends = [FakeBackend(kind, kind=kind, script=depth(values)) for kind, values in kinds.items()]
    with Router(backends, "safety-critical", limits=dict.fromkeys(kinds, LIMITS)) as router:
        result = router.run(PHOTO, "depth map")
    assert (result.outcome, result.payload) == (Outcome.ABSTAINED, None)
    assert result.decision.reason is Reason.DISAGREEMENT


@pytest.mark.parametrize(
    ("off", "within", "reason"),
    [(1.4, 0.45, Reason.WITHIN_LIMITS), (1.1, 0.05, Reason.DISAGREEMENT)],
    ids=["wider than the rule of thumb", "narrower"],
)
def test_one_that_is_never_vouched_for_may_speak_by_limits_of_its_own(off, within, reason):
    opinion = Opinion({}, {"abs_rel": Limit(max=within)})
    given = {"unmeasured": ("b",), "opinions": {"b": {Task.DEPTH: opinion}}}
    result, _ = run(depth(TRUE * off), depth(TRUE), on="abstain", **given)
    assert reasons(result)[0] == ("a", reason)


def test_an_opinion_that_does_not_count_is_none():
    strict = {"b": {Task.DEPTH: Opinion({"score": Limit(min=0.95)})}}
    result, _ = run(depth(TRUE * 1.5), depth(TRUE), if_none="accept", unmeasured=("b",), opinions=strict)
    assert result.outcome is Outcome.ACCEPTED
    assert "unchecked:confidence_low" in result.decision.attempts[0].notes


@pytest.mark.parametrize("scale", [1.15, 1.5])
def test_a_third_opinion_decides_by_limits_of_its_own(scale):
    """The third is held to a tenth: it backs the first, or it backs nobody."""
    third = {"c": {Task.DEPTH: Opinion({}, {"abs_rel": Limit(max=0.1)})}}
    result, _ = run(
        depth(TRUE), depth(TRUE * 3), depth(TRUE * scale), on="escalate", unmeasured=("c",), opinions=third
    )
    assert result.decision.reason is Reason.DISAGREEMENT
    agreed, _ = run(
        depth(TRUE), depth(TRUE * 3), depth(TRUE * 1.05), on="escalate", unmeasured=("c",), opinions=third
    )
    assert agreed.sources == ("a",)


BACKING = {"b": {Task.DEPTH: Opinion({}, backs={"abs_rel": Limit(max=0.1)})}}


@pytest.mark.parametrize("unmeasured", [("b",), ("a", "b")], ids=["beyond its limits", "without limits"])
def test_an_answer_that_no_limits_vouch_for_is_backed_by_one_who_says_the_same(unmeasured):
    first = Answer(depth(TRUE).payload, LOW)
    result, _ = run(first, depth(TRUE * 1.05), unmeasured=unmeasured, opinions=BACKING)
    assert (result.outcome, result.decision.reason) == (Outcome.ACCEPTED, Reason.BACKED)
    assert "b says the same" in result.decision.attempts[0].verdict.detail
    assert result.confidence is None


def test_nobody_is_backed_by_less_than_the_profile_asks_for():
    first = Answer(depth(TRUE).payload, LOW)
    for second in (depth(TRUE * 1.2), Answer(error=RuntimeError("broken"))):
        result, _ = run(first, second, unmeasured=("b",), opinions=BACKING)
        assert result.outcome in (Outcome.ABSTAINED, Outcome.FAILED)
        assert result.payload is None


def test_two_who_both_find_nothing_back_nobody():
    opinions = {"b": {Task.REFERRING: Opinion({}, backs={"foreground_iou": Limit(min=0.5)})}}
    result, _ = run(NO_MASK, NO_MASK, words="segment the dog", unmeasured=("a", "b"), opinions=opinions)
    assert result.outcome is Outcome.ABSTAINED


def test_a_calibrated_gate_is_not_made_up_for():
    """Limits are all that an agreement stands in for: what a policy wants certified stays so."""
    backends = [
        FakeBackend("a", script=depth(TRUE), inline=True),
        FakeBackend("b", script=depth(TRUE), inline=True),
    ]
    route = {
        "try": ["a"], "accept": {"risk": 0.1}, "uncertified": "abstain", "check_with": {"backend": "b"},
    }  # fmt: skip
    policy = {"schema_version": 1, "name": "certified", "default": {"route": route}}
    with Router(backends, policy, opinions=BACKING) as router:
        result = router.run(PHOTO, "depth map")
    assert (result.outcome, result.decision.reason) == (Outcome.ABSTAINED, Reason.UNCERTIFIED)


GATES = [
    {"accept": "limits"},
    {"accept": {"evidence": {"score": {"min": 0.5}}}},
    {"accept": {"confidence": 0.9}},
    {"accept": {"risk": 0.1}, "uncertified": "abstain"},
    {"accept": {"risk": 0.1}, "uncertified": "limits"},
]


@pytest.mark.parametrize("gate", GATES, ids=str)
@pytest.mark.parametrize("opinions", [BACKING, {}], ids=["backs", "does not"])
def test_what_is_explained_to_be_backed_is_backed_and_nothing_else(gate, opinions):
    first = Answer(depth(TRUE).payload, LOW)
    backends = [
        FakeBackend("a", script=first, inline=True),
        FakeBackend("b", script=depth(TRUE), inline=True),
    ]
    route = {"try": ["a"], "check_with": {"backend": "b"}, **gate}
    policy = {"schema_version": 1, "name": "gates", "default": {"route": route}}
    with Router(backends, policy, limits={"a": LIMITS, "b": LIMITS}, opinions=opinions) as router:
        explanation = router.explain(PHOTO, "depth map")
        result = router.run(PHOTO, "depth map")
    (told,) = explanation.routes
    assert told.checked_by == ("b",)
    assert (told.backed_by[0] is not None) == (result.decision.reason is Reason.BACKED)
    assert ("or backed by b: it says the same, abs_rel at most 0.1" in as_text(explanation)) == (
        result.decision.reason is Reason.BACKED
    )


def test_an_explanation_says_what_becomes_of_answers_by_the_second_opinion():
    policy = {
        "schema_version": 1,
        "name": "checked",
        "default": {"route": {"try": ["any"], "check_with": {"backend": "b", "on_disagreement": "abstain"}}},
    }
    with Router([FakeBackend("a"), FakeBackend("b")], policy, limits={"b": LIMITS}) as router:
        text = as_text(router.explain(PHOTO, "depth map"))
    assert "a: never by itself, no limits are known for it; checked by b" in text
    assert "b: score at least 0.5; checked by nobody" in text
    assert "disagrees, the route ends; where nobody can give one, the next is asked" in text
