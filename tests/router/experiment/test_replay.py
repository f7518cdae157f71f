"""A replay agrees with what running the policy would have given wherever it claims to know, and else says why not."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionrouter.backends.fake import Answer, FakeBackend
from visionrouter.cli.main import main
from visionrouter.experiment.replay import replay
from visionrouter.experiment.simulate import Backends, simulate
from visionrouter.ledger import Ledger
from visionrouter.policies import compile_policy, load_policy
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason, VariantReason
from visionrouter.schema.errors import ExperimentError, WeightsError
from visionrouter.schema.payload import Detections
from visionrouter.schema.route import Limit
from visionrouter.schema.task import Task

PHOTO = np.zeros((48, 64, 3), np.uint8)
NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())
LIMITS = {name: {task: {"score": Limit(min=0.5)} for task in Task} for name in "abc"}
ANSWERS = [
    Answer(signals={"score": 0.9}),
    Answer(signals={"score": 0.4}),
    Answer(signals={"other": 1.0}),
    Answer(NOTHING),
    Answer(error=RuntimeError("down")),
    Answer(error=WeightsError("gone")),
    Answer(notes=("unresolved:nearest",)),
]


def policy(*try_, rules=(), **route):
    return compile_policy(
        load_policy(
            {
                "schema_version": 1,
                "name": "p",
                "rules": list(rules),
                "default": {"route": {"try": list(try_), **route}},
            }
        )
    )


def backends(scripts):
    return [FakeBackend(name, script=script) for name, script in scripts.items()]


def known(made):
    return Backends({b.spec.name: b.spec for b in made}, LIMITS)


def run(scripts, compiled, asked=Task.DETECT, **options):
    with Router(backends(scripts), compiled, limits=LIMITS) as router:
        return router.run(PHOTO, asked, **options).decision


ALL = dict.fromkeys("abc", Answer())
gates = st.sampled_from(
    ["limits", "always", {"evidence": {"score": {"min": 0.3}}}, {"evidence": {"other": {"max": 2}}}]
)
routes = st.fixed_dictionaries(
    {
        "try": st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
        "accept": gates,
        "otherwise": st.sampled_from(["abstain", "best_effort"]),
        "on_error": st.sampled_from(["continue", "abstain"]),
    }
)


@settings(deadline=None, max_examples=200)
@given(
    scripts=st.fixed_dictionaries({name: st.sampled_from(ANSWERS) for name in "abc"}),
    old=routes,
    new=routes,
    shadowed=st.booleans(),
)
def test_what_it_claims_to_know_is_what_happens(scripts, old, new, shadowed):
    old, new = (policy(*r.pop("try"), **r) for r in (dict(old), dict(new)))
    recorded = run(scripts, old)
    others = [run({name: scripts[name]}, policy("any")) for name in "abc"] if shadowed else []
    said = simulate(recorded, others, new, known(backends(ALL)))
    truth = run(scripts, new)
    asked = tuple(attempt.backend for attempt in truth.attempts)
    if said.outcome is None:
        assert not shadowed
        assert said.path == asked[: len(said.path)]
        assert said.unknown not in {attempt.backend for attempt in recorded.attempts}
    else:
        assert (said.outcome, said.reason, said.path) == (truth.outcome, truth.reason, asked)


def test_a_backend_that_was_not_asked_leaves_the_end_unknown():
    recorded = run(ALL, policy("a"))
    said = simulate(recorded, [], policy("b", "c"), known(backends(ALL)))
    assert (said.outcome, said.unknown, said.rest, said.why) == (None, "b", ("c",), "b was not asked")


@pytest.mark.parametrize(
    ("reason", "known_end"),
    [
        (Reason.TIMEOUT, False),
        (Reason.OVERLOADED, False),
        (Reason.BREAKER_OPEN, False),
        (Reason.NOT_LOADED, True),
    ],
)
def test_what_failed_for_the_state_of_the_moment_is_not_held_to_fail_again(reason, known_end):
    recorded = run({"a": ANSWERS[4]}, policy("a"))
    attempt = recorded.attempts[0]
    verdict = replace(attempt.verdict, reason=reason, gate="engine")
    recorded = replace(recorded, attempts=(replace(attempt, verdict=verdict),))
    said = simulate(recorded, [], policy("a"), known(backends(ALL)))
    assert (said.outcome is Outcome.ABSTAINED) == known_end
    shadow = run({"a": ANSWERS[0]}, policy("a"))
    said = simulate(recorded, [shadow], policy("a"), known(backends(ALL)))
    assert said.outcome is (Outcome.ABSTAINED if known_end else Outcome.ACCEPTED)


def test_a_shorter_timeout_times_out_what_took_longer():
    recorded = run({"a": Answer(latency_ms=20), "b": Answer()}, policy("a"))
    said = simulate(recorded, [], policy("a", attempt_timeout_ms=5), known(backends(ALL)))
    assert (said.outcome, said.reason) == (Outcome.ABSTAINED, Reason.TIMEOUT)
    assert said.latency_ms == 5
    assert simulate(recorded, [], policy("a", deadline_ms=5), known(backends(ALL))).outcome is Outcome.ABSTAINED  # fmt: skip
    assert simulate(recorded, [], policy("a", deadline_ms=900), known(backends(ALL))).outcome is Outcome.ACCEPTED  # fmt: skip


def test_what_takes_more_than_its_share_of_the_deadline_times_out():
    recorded = run({"a": Answer(latency_ms=20), "b": Answer()}, policy("a", "b"))
    said = simulate(recorded, [], policy("a", "b", deadline_ms=20, reserve_share=0.5), known(backends(ALL)))
    assert said.latency_ms == pytest.approx(10)
    assert (said.outcome, said.path, said.unknown) == (None, ("a", "b"), "b")


RULES = {
    "tag": 'request.tags["weather"] == "rain"',
    "size": "image.width > 60",
    "criticality": 'request.criticality == "safety"',
    "text": 'request.text.contains("dog")',
    "targets": '"dog" in request.targets',
    "context": 'context.site == "north"',
    "deadline": "request.deadline_ms < 100.0",
    "seed": "request.seed == 7",
}


@pytest.mark.parametrize("name", RULES)
def test_conditions_read_what_was_recorded(name):
    new = policy("a", rules=[{"name": "r", "when": RULES[name], "route": {"try": ["b"]}}])
    matching = {
        "tags": {"weather": "rain"},
        "criticality": "safety",
        "context": {"site": "north"},
        "deadline_ms": 90.0,
        "seed": 7,
    }
    others = {"tags": {}, "context": {"site": "south"}, "deadline_ms": 900.0}
    for asked, options, rule in (("find the dog", matching, "r"), ("find the car", others, "default")):
        said = simulate(run(ALL, policy("a"), asked, **options), [], new, known(backends(ALL)))
        assert said.rule == ("r" if name == "size" else rule)


def test_what_was_not_recorded_is_not_guessed():
    night = policy("a", rules=[{"name": "night", "when": "context.hour > 20", "route": {"try": ["b"]}}])
    said = simulate(run(ALL, policy("a")), [], night, known(backends(ALL)))
    assert (said.rule, said.outcome, said.why) == (None, None, "context.hour was not recorded")
    said = simulate(run(ALL, policy("a"), context={"hour": 22}), [], night, known(backends(ALL)))
    assert said.rule == "night"
    earlier = policy(
        "a",
        rules=[
            {"name": "all", "when": 'request.task == "detect"', "route": {"try": ["a"]}},
            {"name": "night", "when": "context.hour > 20", "route": {"try": ["b"]}},
        ],
    )
    assert simulate(run(ALL, policy("a")), [], earlier, known(backends(ALL))).rule == "all"


def test_a_composite_is_replayed_part_by_part():
    recorded = run(ALL, policy("a"), "how far is each car?")
    same = simulate(recorded, [], policy("a"), known(backends(ALL)))
    assert (same.outcome, same.path) == (Outcome.ACCEPTED, ("a", "a"))
    other = policy("a", rules=[{"name": "d", "when": 'request.task == "depth"', "route": {"try": ["b"]}}])
    said = simulate(recorded, [], other, known(backends(ALL)))
    assert (said.outcome, said.why, said.rule) == (None, "b was not asked", "default + d")


def test_an_experiment_is_replayed_with_its_units():
    split = {
        "name": "e", "unit": 'request.tags["camera"]',
        "arms": [{"name": "x", "weight": 0.5, "policy": "self"}, {"name": "y", "weight": 0.5, "route": {"try": ["b"]}}],
    }  # fmt: skip
    made = compile_policy(
        load_policy(
            {"schema_version": 1, "name": "p", "default": {"route": {"try": ["a"]}}, "experiment": split}
        )
    )
    for i in range(20):
        recorded = run(ALL, policy("a", "b"), tags={"camera": str(i)})
        rule = run(ALL, made, tags={"camera": str(i)}).rule
        assert simulate(recorded, [], made, known(backends(ALL))).rule == rule


def test_the_whole_ledger():
    low = {**ALL, "a": ANSWERS[1]}
    decisions = [run(ALL, policy("a", "b")) for _ in range(6)] + [
        run(low, policy("a", "b")) for _ in range(4)
    ]
    shadow = replace(
        run(ALL, policy("c")), request_id=decisions[0].request_id, variant_reason=VariantReason.SHADOW
    )
    made = [FakeBackend(name) for name in "abc"]
    for backend, cost in zip(made, (1.0, 2.0, 8.0), strict=True):
        backend.spec = replace(backend.spec, cost=cost)
    found = replay([*decisions, shadow], policy("c", "b"), known(made))
    assert (found.requests, found.same, found.otherwise_known, found.otherwise_unknown) == (10, 0, 1, 9)
    assert found.unknown == {"c was not asked": 9}
    assert found.routes == {
        ("default: a", "default: c"): 6,
        ("default: a > b", "default: c"): 4,
    }
    assert found.cost_old == pytest.approx((6 * 1 + 4 * 3) / 10)
    assert (found.cost_new.low, found.cost_new.high) == pytest.approx((8.0, 9.8))
    assert found.latency_new_ms.over == 10
    same = replay(decisions, policy("a", "b"), known(made))
    assert (same.same, same.cost_new.low, same.cost_new.high) == (10, found.cost_old, found.cost_old)
    with pytest.raises(ExperimentError, match="no decision to replay"):
        replay([shadow], policy("a"), known(made))


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fakes.yaml").write_text(
        "schema_version: 1\nname: f\nbackends:\n"
        + "".join(f"  {n}: {{use: fake, limits: {{detect: {{score: {{min: 0.5}}}}}}}}\n" for n in "abc")
    )
    (tmp_path / "new.yaml").write_text(
        "schema_version: 1\nname: new\ndefault: {route: {try: [a], accept: {evidence: {score: {min: 0.95}}}}}\n"
    )
    with (
        Ledger("ledger.db") as ledger,
        Router(backends(ALL), policy("a"), limits=LIMITS, sinks=[ledger]) as r,
    ):
        for _ in range(5):
            r.run(PHOTO, "find the dog")

    def shell(*words):
        monkeypatch.setattr(
            sys, "argv", ["visionrouter", "replay", "ledger.db", "--profile", "fakes.yaml", *words]
        )
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    code, out, _ = shell("--policy", "new.yaml")
    assert code == 0
    assert "5  otherwise, and how they end is known" in out
    assert "5  accepted -> abstained" in out
    document = json.loads(shell("--policy", "new.yaml", "--json")[1])
    assert document["outcomes"] == [{"old": "accepted", "new": "abstained", "requests": 5}]
    assert document["latency_ms"]["new"]["over"] == 5
    assert shell("--policy", "nowhere.yaml")[0] == 2
    assert shell("--policy", "new.yaml", "--task", "pose")[0] == 2
