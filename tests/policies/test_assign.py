"""Assignment: uniform, sticky, moving no more units than needed, and the same in another language."""

import json
import math
import re
import shutil
import subprocess
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from visionrouter.policies.assign import Segment, pick, point

PAGE = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text()
VECTORS = [json.loads(line) for line in re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()]

JAVASCRIPT = """
const hash = require("crypto").createHash;
const point = t => (parseInt(hash("sha256").update(t, "utf8").digest("hex").slice(0, 13), 16) + 0.5) / 2 ** 52;
const pick = (salt, weights, unit) => Object.keys(weights)
  .map(a => [-Math.log(point(`arm:${salt}:${a}:${unit}`)) / weights[a], a])
  .reduce((x, y) => (x[0] <= y[0] ? x : y))[1];
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(q => "text" in q ? point(q.text) : pick(q.salt, q.weights, q.unit))));
"""


def weights_of(n):
    return st.lists(st.floats(0.01, 1), min_size=n, max_size=n).map(
        lambda ws: {f"arm{i}": w / sum(ws) for i, w in enumerate(ws)}
    )


def plain_point(text):
    return (int(sha256(text.encode()).hexdigest()[:13], 16) + 0.5) / 2**52


def test_the_vectors_of_the_page_hold_by_the_package_and_by_the_words_of_the_page():
    assert len(VECTORS) >= 12
    for vector in VECTORS:
        if "text" in vector:
            assert point(vector["text"]) == plain_point(vector["text"]) == vector["point"]
        else:
            salt, weights, unit = vector["salt"], vector["weights"], vector["unit"]
            waits = {a: -math.log(plain_point(f"arm:{salt}:{a}:{unit}")) / w for a, w in weights.items()}
            assert pick(salt, weights, unit) == min(waits, key=waits.get) == vector["arm"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_gives_the_same_arms():
    asked = VECTORS + [
        {"salt": f"s{i % 7}", "weights": {"a": 0.2, "b": 0.3, "c": 0.5}, "unit": f"unit-{i} é"}
        for i in range(2000)
    ]
    said = subprocess.run(
        ["node", "-e", JAVASCRIPT], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    ours = [point(q["text"]) if "text" in q else pick(q["salt"], q["weights"], q["unit"]) for q in asked]
    assert json.loads(said.stdout) == ours


@pytest.mark.parametrize(
    "weights", [{"a": 0.5, "b": 0.5}, {"a": 0.1, "b": 0.2, "c": 0.7}, {f"arm{i}": 0.125 for i in range(8)}]
)
@pytest.mark.parametrize("unit", ["{}", "camera-{}", "customer/{:08d}/eu"])
def test_arms_get_their_share_of_units(weights, unit):
    n = 20_000
    found = Counter(pick("spring", weights, unit.format(i)) for i in range(n))
    assert chisquare([found[a] for a in weights], [w * n for w in weights.values()]).pvalue > 1e-4


def test_two_salts_are_independent():
    weights = {"a": 0.5, "b": 0.5}
    pairs = Counter((pick("one", weights, str(i)), pick("two", weights, str(i))) for i in range(20_000))
    assert chisquare(list(pairs.values())).pvalue > 1e-4
    assert len(pairs) == 4


def test_holdout_namespace_and_arm_are_independent():
    cells = Counter(
        (
            Segment("space", 0, 0.5).holds(str(i).encode()),
            point(f"holdout:s:{i}") < 0.5,
            pick("s", {"a": 0.5, "b": 0.5}, str(i)),
        )
        for i in range(20_000)
    )
    assert len(cells) == 8
    assert chisquare(list(cells.values())).pvalue > 1e-4


@given(weights_of(4), st.floats(1.01, 50), st.text(max_size=8))
def test_an_arm_that_grows_only_takes_and_one_that_shrinks_only_gives(weights, factor, unit):
    grown = {**weights, "arm1": weights["arm1"] * factor}
    before, after = pick("s", weights, unit), pick("s", grown, unit)
    assert after in (before, "arm1")
    if before == "arm1":
        assert after == "arm1"


@given(weights_of(4), st.permutations(range(4)), st.floats(0.1, 10), st.text(max_size=8))
def test_neither_the_order_nor_the_scale_of_the_weights_matters(weights, order, scale, unit):
    names = list(weights)
    other = {names[i]: weights[names[i]] * scale for i in order}
    assert pick("s", weights, unit) == pick("s", other, unit)


@given(weights_of(4), st.text(max_size=8))
def test_an_arm_that_is_taken_out_moves_its_own_units_alone(weights, unit):
    before = pick("s", weights, unit)
    left = {arm: w for arm, w in weights.items() if arm != "arm0"}
    after = pick("s", left, unit)
    assert before in ("arm0", after)
    assert pick("s", {**weights, "arm0": 0.0}, unit) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1 / 3, 1 / 3, 1 / 3), (1 / 2, 1 / 4, 1 / 4)),
        ((0.5, 0.3, 0.2), (0.2, 0.3, 0.5)),
        ((0.9, 0.05, 0.05), (0.05, 0.05, 0.9)),
    ],
)
def test_no_more_units_move_than_the_bound(before, after):
    n = 20_000
    old, new = (dict(zip("abc", ws, strict=True)) for ws in (before, after))
    moved = sum(pick("s", old, str(i)) != pick("s", new, str(i)) for i in range(n)) / n
    distance = sum(abs(x - y) for x, y in zip(before, after, strict=True)) / 2
    noise = 4 * math.sqrt(0.25 / n)
    assert distance - noise < moved < 2 * distance / (1 + distance) + noise
    if before == (1 / 3, 1 / 3, 1 / 3):
        assert moved < distance + noise
