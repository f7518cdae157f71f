"""Two policies on labelled items: the loss is against the truth, abstentions have none, both arms see the same image."""

import numpy as np
import pytest

from visionrouter.benchmarks.experiments.__main__ import daily, daily_z_test, experiment
from visionrouter.benchmarks.experiments.labelled import run_both
from visionrouter.benchmarks.labelled.item import Item
from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import compare
from visionrouter.experiment.compare_report import Witness
from visionrouter.experiment.pairs import as_pairs
from visionrouter.experiment.plan import Guardrail, Plan
from visionrouter.policies import compile_policy, load_policy
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap
from visionrouter.schema.task import Instruction, Task

PROFILE = """
schema_version: 1
name: fakes
backends:
  near: {use: fake, limits: {depth: {score: {min: 0.5}}}}
  other: {use: fake, params: {kind: generative}, limits: {depth: {score: {min: 0.95}}}}
"""


def policy(*try_, **route):
    return compile_policy(
        load_policy({"schema_version": 1, "name": "p", "default": {"route": {"try": list(try_), **route}}})
    )


def items(n):
    for i in range(n):
        image = load_image(np.full((20, 16, 3), i, np.uint8))
        rows = np.linspace(20, 2, 20, dtype=np.float32)[:, None]  # what the fake says
        truth = np.repeat(rows * (1 if i % 2 else 3), 16, axis=1)
        yield Item(
            f"item-{i}", f"scene-{i // 2}", image, Instruction(Task.DEPTH, "depth"), DepthMap(truth, "m"),
            tags={"weather": "rain" if i % 4 else "clear"},
        )  # fmt: skip


@pytest.fixture
def profile(tmp_path):
    (tmp_path / "fakes.yaml").write_text(PROFILE)
    return tmp_path / "fakes.yaml"


def test_rows_of_two_policies(profile):
    seen: dict[str, Witness] = {}
    rows = list(run_both((policy("near"), policy("other")), profile, items(24), seen.__setitem__))
    assert [row.id for row in rows] == [f"item-{i}" for i in range(24)]
    assert rows[1].a["loss"] < 0.01
    assert rows[0].a["loss"] > 0.5
    assert all("loss" not in row.b and row.b["abstained"] == 1 for row in rows)
    assert {row.cluster for row in rows} == {f"scene-{i}" for i in range(12)}
    assert rows[1].slices == {"weather": "rain"}
    pictures = [load_image(jpeg).pixels for jpeg in (seen["item-3"].jpeg, *seen["item-3"].drawn)]
    assert [picture.shape for picture in pictures] == [(20, 16, 3)] * 3
    assert np.abs(pictures[1].astype(int) - pictures[0]).mean() > 10  # the depth in colours
    assert seen["item-3"].asked == "depth"
    assert "accepted" in seen["item-3"].said_a
    assert "abstained" in seen["item-3"].said_b


def test_from_items_to_a_verdict(profile):
    both = policy("near"), policy("other", otherwise="best_effort")
    pairs = as_pairs(run_both(both, profile, items(24)))
    found = compare(
        pairs, Plan(Metric("loss"), (Guardrail(Metric("abstained"), 0.1),), margin=0.01, resamples=300)
    )
    assert found.verdict == "equivalent"
    assert pairs.of("degraded").mean(axis=1).tolist() == [0.0, 1.0]


def test_the_simulated_experiments_are_what_they_say():
    pairs, evenings = experiment(3, 0)
    assert (pairs.clusters, len(evenings), evenings[-1]) == (60, 3, len(pairs))
    plan = Plan(Metric("loss"), live=True)
    assert not daily(pairs, evenings, plan)
    shifted = {**pairs.values, "loss": pairs.values["loss"] + np.array([[0.0], [0.3]])}
    worse = type(pairs)(pairs.ids, pairs.cluster, shifted, pairs.weights, pairs.slices, pairs.covariate)
    assert daily_z_test(worse, evenings)
    assert daily(worse, evenings, Plan(Metric("loss"), live=True, bound=1.3))
