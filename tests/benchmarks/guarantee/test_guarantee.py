"""Certificates keep their word where the truth is known, and a rule without a bound fails the same check."""

import json

import numpy as np
import pytest

from visionrouter.benchmarks.guarantee.__main__ import main
from visionrouter.benchmarks.guarantee.populations import recorded, synthetic
from visionrouter.benchmarks.guarantee.validity import check, check_shift
from visionrouter.schema.errors import RequestError

TERMS = {"n": 300, "draws": 300, "alpha": 0.05, "delta": 0.1, "seed": 1}


@pytest.fixture(scope="module")
def populations():
    return synthetic(np.random.default_rng(0), TERMS["alpha"])


@pytest.mark.parametrize("method", ["ltt-binomial", "ltt-hb"])
def test_violations_stay_within_delta(populations, method):
    for population in populations:
        kept = check(population, method, **TERMS)
        assert kept.keeps(TERMS["delta"]), kept


def test_a_rule_without_a_bound_fails_the_same_check(populations):
    for population in populations:
        kept = check(population, "empirical (no bound)", **TERMS)
        assert not kept.keeps(TERMS["delta"]), kept


def test_the_check_sees_a_bound_that_is_a_little_too_bold(populations):
    """Testing at 2.5 delta, as a slip in the correction would."""
    kept = check(populations[0], "ltt-binomial", **(TERMS | {"delta": 0.25, "draws": 1000}))
    assert not kept.keeps(TERMS["delta"])


def test_the_binomial_certificate_accepts_most_of_what_could_be(populations):
    kept = check(populations[0], "ltt-binomial", **TERMS)
    assert kept.coverage > 0.85 * kept.best
    assert kept.coverage > check(populations[0], "ltt-hb", **TERMS).coverage


def test_the_joint_promise_holds_and_is_not_the_other_one(populations):
    kept = check(populations[0], "crc-joint (another promise)", **TERMS)
    assert kept.joint <= TERMS["alpha"] + 0.002
    assert kept.share > 0.5


def test_a_changed_mix_breaks_one_certificate_for_all_and_not_one_a_group():
    everything, groups = check_shift(**TERMS)
    assert not everything.keeps(TERMS["delta"])
    assert groups.keeps(TERMS["delta"])
    assert groups.coverage > 0.2


def test_recorded_rows_are_a_population(tmp_path, capsys):
    rng = np.random.default_rng(0)
    confidence = rng.random(300).round(3)
    rows = [
        {"confidence": c, "loss": float(rng.random() < 0.2 * (1 - c)), "unit": f"scene-{i // 2}"}
        for i, c in enumerate(confidence.tolist())
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert len(recorded(path).loss) == 150
    assert main(["--draws", "20", "--n", "200", "--rows", str(path)]) == 0
    assert "| rows.jsonl | ltt-binomial | 200 |" in capsys.readouterr().out


@pytest.mark.parametrize("line", ['{"confidence": 0.5}', "nonsense", '{"confidence": NaN, "loss": 0}', "[]"])
def test_rows_that_are_none_are_refused_with_their_line(tmp_path, line, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"confidence": 0.5, "loss": 0}\n' + line)
    with pytest.raises(RequestError, match=r"rows\.jsonl:2"):
        recorded(path)
    assert main(["--rows", str(path)]) == 2
