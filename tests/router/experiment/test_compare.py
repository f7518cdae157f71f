"""Verdicts: right where the truth is known, silent where it is not, and refused where the data cannot give one."""

import json

import numpy as np
import pytest

from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import Held, Verdict, compare
from visionrouter.experiment.pairs import Row, as_pairs, read_rows
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.schema.errors import ExperimentError

LOSS = Metric("loss")
LATENCY = Metric("latency_ms")


def simulate(n=400, shift=0.0, noise=0.1, per_cluster=1, slower=0.0, seed=0, **fields):
    """Losses in [0, 1] that scenes share, B's moved by `shift`; latencies around 50 ms, B's `slower` by so much."""
    rng = np.random.default_rng(seed)
    rows = []
    for scene in range(n // per_cluster):
        hard = rng.beta(2, 5)
        for frame in range(per_cluster):
            a, b = np.clip(hard + rng.normal(0, noise, 2) + np.array([0, shift]), 0, 1)
            latency = rng.normal(50, 5, 2) + np.array([0, slower])
            rows.append(
                Row(
                    f"{scene}-{frame}",
                    {"loss": a, "latency_ms": latency[0]},
                    {"loss": b, "latency_ms": latency[1]},
                    str(scene),
                    {"weather": "rain" if scene % 10 == 0 else "clear"},
                    covariate=hard,
                )
            )
    return as_pairs(rows)


def plan(**fields):
    return Plan(LOSS, **{"resamples": 800, **fields})


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("shift", "margin", "verdict"),
    [
        (-0.15, 0.0, Verdict.BETTER),
        (0.15, 0.0, Verdict.WORSE),
        (0.0, 0.08, Verdict.EQUIVALENT),
        (-0.15, 0.05, Verdict.BETTER),
        (0.15, 0.05, Verdict.WORSE),
        (-0.001, 0.0, Verdict.INCONCLUSIVE),
    ],
)
def test_the_verdict_where_the_truth_is_known(live, shift, margin, verdict):
    found = compare(simulate(1500, shift), plan(margin=margin, live=live))
    assert found.verdict is verdict
    if verdict in (Verdict.BETTER, Verdict.WORSE):
        assert found.primary.low <= found.primary.difference <= found.primary.high
        assert (found.primary.high < 0) == (verdict is Verdict.BETTER)
    assert (found.more is not None) == (verdict is Verdict.INCONCLUSIVE)


def test_a_metric_that_is_better_high():
    rows = as_pairs(Row(str(i), {"good": float(i % 3 == 0)}, {"good": float(i % 3 != 0)}) for i in range(300))
    for live in (False, True):
        found = compare(rows, Plan(Metric("good", higher_is_better=True), live=live, bad=0.5, resamples=500))
        assert found.verdict is Verdict.BETTER
        assert found.primary.difference == pytest.approx(1 / 3)
        assert found.p_mcnemar < 1e-5
        assert found.low_over_time[-1] <= 1 / 3 <= found.high_over_time[-1]


@pytest.mark.parametrize("live", [False, True])
def test_guardrails(live):
    guard = Guardrail(LATENCY, margin=5.0, bound=40.0)
    quick = compare(simulate(3000, -0.15), plan(guardrails=(guard,), live=live))
    assert (quick.verdict, quick.guardrails[0].held) == (Verdict.BETTER, Held.HELD)
    slow = compare(simulate(3000, -0.15, slower=12.0), plan(guardrails=(guard,), live=live))
    assert (slow.verdict, slow.guardrails[0].held) == (Verdict.WORSE, Held.VIOLATED)
    assert "latency_ms suffers" in slow.why
    edge = compare(simulate(3000, -0.15, slower=5.0), plan(guardrails=(guard,), live=live))
    assert (edge.verdict, edge.guardrails[0].held) == (Verdict.INCONCLUSIVE, Held.UNSETTLED)
    assert "not shown to keep its margin" in edge.why


def test_a_tail_as_a_guardrail():
    guard = Guardrail(Metric("latency_ms", "quantile", 0.95), margin=3.0, bound=50.0)
    found = compare(simulate(2000, -0.15, slower=10.0), plan(guardrails=(guard,)))
    assert found.guardrails[0].held is Held.VIOLATED
    assert found.guardrails[0].estimate.metric == "latency_ms_p95"
    with pytest.raises(ExperimentError, match="quantile"):
        compare(simulate(100), plan(guardrails=(guard,), live=True))


def test_frames_of_one_scene_are_not_counted_as_so_many_images():
    rng = np.random.default_rng(0)
    rows = []
    for scene in range(20):
        gain = rng.normal(0, 0.2)
        for frame in range(50):
            rows.append(Row(f"{scene}-{frame}", {"loss": 0.5}, {"loss": float(np.clip(0.5 + gain, 0, 1))}, str(scene)))  # fmt: skip
    together = compare(as_pairs(rows), plan())
    alone = compare(as_pairs([Row(r.id, r.a, r.b) for r in rows]), plan())
    wide, narrow = (f.primary.high - f.primary.low for f in (together, alone))
    assert wide > 5 * narrow
    assert any("20 clusters" in w for w in together.warnings)


def test_the_covariate_shortens_the_interval():
    rng = np.random.default_rng(0)
    hard = rng.uniform(size=500)
    made = [
        Row(str(i), {"loss": 0.4}, {"loss": float(np.clip(0.4 + 0.5 * (h - 0.5) + rng.normal(0, 0.05), 0, 1))}, covariate=h)
        for i, h in enumerate(hard)
    ]  # fmt: skip
    with_it = compare(as_pairs(made), plan())
    without = compare(as_pairs([Row(r.id, r.a, r.b) for r in made]), plan())
    assert with_it.variance_kept < 0.2
    assert with_it.primary.high - with_it.primary.low < 0.5 * (without.primary.high - without.primary.low)
    assert without.variance_kept is None


def test_more_images_would_tell():
    few = compare(simulate(200, -0.02, noise=0.2), plan())
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.more > 0
    told = compare(simulate((200 + few.more) * 2, -0.02, noise=0.2), plan())
    assert told.verdict is Verdict.BETTER


def test_slices_and_small_ones_are_marked():
    found = compare(simulate(200, -0.1), plan())
    assert {(s.value, s.rows, s.small) for s in found.slices} == {("rain", 20, True), ("clear", 180, False)}


def test_slices_by_object_size():
    sizes = [0.005] * 20 + [0.01] * 50 + [0.1] * 50 + [None] * 50
    rows = [Row(str(i), {"loss": 0.5}, {"loss": 0.1 * (i % 3)}, size=size) for i, size in enumerate(sizes)]
    found = compare(as_pairs(rows), plan())
    assert [(s.key, s.value, s.rows, s.small) for s in found.slices] == [
        ("size", "large", 50, False), ("size", "medium", 50, False), ("size", "small", 20, True),
    ]  # fmt: skip
    with pytest.raises(ExperimentError, match="the size 40 is no share of the image"):
        as_pairs([*rows, Row("x", {}, {}, size=40)])


def test_weights_of_an_audit_make_the_sample_stand_for_all():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(4000):
        hard = i % 10 == 0
        drawn = hard or rng.uniform() < 0.1
        if drawn:
            losses = (0.9, 0.5) if hard else (0.1, 0.1)
            rows.append(Row(str(i), {"loss": losses[0]}, {"loss": losses[1]}, weight=1.0 if hard else 10.0))
    found = compare(as_pairs(rows), plan())
    assert found.primary.difference == pytest.approx(-0.04, abs=0.005)


def test_abstentions_are_no_losses_but_are_told():
    rows = [
        Row(str(i), {"loss": 0.2 + 0.001 * (i % 7), "abstained": 0.0}, {"abstained": 1.0} if i % 4 == 0 else {"loss": 0.1, "abstained": 0.0})
        for i in range(400)
    ]  # fmt: skip
    guard = Guardrail(Metric("abstained"), margin=0.05)
    found = compare(as_pairs(rows), plan(guardrails=(guard,)))
    assert found.guardrails[0].held is Held.VIOLATED
    assert found.verdict is Verdict.WORSE
    assert any("keep abstentions among the guardrails" in w for w in found.warnings)


def test_unpaired_data_is_refused_or_compared_by_cluster_when_told_so():
    rng = np.random.default_rng(0)
    rows = []
    for unit in range(200):
        for k in range(5):
            loss = {"loss": float(np.clip(rng.beta(2, 5) + (0.15 if unit % 2 else 0), 0, 1))}
            rows.append(Row(f"{unit}-{k}", None if unit % 2 else loss, loss if unit % 2 else None, str(unit)))
    with pytest.raises(ExperimentError, match="of one arm only; set `shadow`"):
        compare(as_pairs(rows), plan())
    found = compare(as_pairs(rows), plan(), unpaired=True)
    assert found.verdict is Verdict.WORSE
    assert (found.p_sign_flip, found.p_mcnemar, found.p_anytime, found.low_over_time) == (
        None,
        None,
        None,
        (),
    )
    assert any("not paired" in w for w in found.warnings)
    with pytest.raises(ExperimentError, match="need pairs"):
        compare(as_pairs(rows), plan(live=True), unpaired=True)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: compare(simulate(), Plan(Metric("miou"))), "no metric 'miou'; it has latency_ms, loss"),
        (lambda: compare(simulate(), plan(guardrails=(Guardrail(Metric("cost"), 1),))), "no metric 'cost'"),
        (lambda: compare(simulate(9), plan()), "9 clusters are too few"),
        (lambda: compare(simulate(), Plan(LATENCY, live=True)), "must lie from 0 to 1"),
        (
            lambda: compare(
                as_pairs([Row(str(i), {"loss": 0}, {"loss": 1}, weight=1 + i) for i in range(20)]),
                plan(live=True),
            ),
            "count every row once",
        ),
        (lambda: plan(alpha=0.0), "alpha"),
        (lambda: plan(margin=-1.0), "margin"),
        (lambda: plan(margin=float("nan")), "margin"),
        (lambda: plan(margin=1.0, live=True), "smaller than the metric's bound"),
        (lambda: as_pairs([]), "nothing to compare"),
        (lambda: as_pairs([Row("x", {}, {}), Row("x", {}, {})]), "comes twice"),
        (lambda: as_pairs([Row("x", {"l": float("nan")}, {})]), "leave out what is not known"),
        (lambda: as_pairs([Row("x", {}, {}, weight=0)]), "weight"),
        (lambda: as_pairs([Row("x", {}, {}, covariate=1), Row("y", {}, {})]), "lack the covariate"),
        (lambda: compare(as_pairs([Row(str(i), {"loss": 1}, None) for i in range(20)]), plan()), "B has no 'loss'"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(make, said):
    with pytest.raises(ExperimentError, match=said):
        make()


def test_rows_are_read_from_json_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [
        {
            "id": "1",
            "a": {"loss": 0.5},
            "b": {"loss": None, "abstained": 1},
            "cluster": "s",
            "slices": {"w": "rain"},
        },
        {"id": "2", "a": {"loss": 1}, "b": None, "weight": 2.5, "covariate": 0.5},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    assert list(read_rows(path)) == [
        Row("1", {"loss": 0.5}, {"abstained": 1.0}, "s", {"w": "rain"}),
        Row("2", {"loss": 1.0}, None, weight=2.5, covariate=0.5),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", ":1: is not valid JSON"),
        ("[]", "one JSON object"),
        ('{"id": 5}', "`id` should be text"),
        ('{"id": "x", "c": {}}', "'c' is not a key"),
        ('{"id": "x", "a": {"loss": "low"}}', "cannot be read"),
        ('{"id": "x", "a": [1]}', "cannot be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, text, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ExperimentError, match=said):
        list(read_rows(path))
    with pytest.raises(ExperimentError, match="cannot be read"):
        list(read_rows(tmp_path / "none.jsonl"))


def test_the_same_data_gives_the_same_figures():
    assert compare(simulate(), plan()) == compare(simulate(), plan())


def test_one_look_errs_no_more_often_than_alpha():
    wrong = sum(
        compare(simulate(60, seed=s), plan(resamples=300), slices=False).verdict
        in (Verdict.BETTER, Verdict.WORSE)
        for s in range(200)
    )
    assert wrong <= 21  # 0.05 of 200, and three standard errors
