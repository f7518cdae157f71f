"""False positives of whole comparisons where both arms are the same, and the time that one takes.

    python -m visionrouter.benchmarks.experiments [--runs 1000]

Every run is an A/A experiment of 30 days with 20 scenes of 1 to 4 frames a day: losses in [0, 1] that scenes share,
latencies with a heavy tail, two guardrails. It is looked at every evening, and a verdict of better or worse on any of
them is a false positive. Beside it the daily z-test that people do by hand.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

import numpy as np
from scipy.stats import norm

from visionrouter.experiment.bootstrap import Metric
from visionrouter.experiment.compare import Verdict, compare
from visionrouter.experiment.pairs import Pairs, Row, as_pairs
from visionrouter.experiment.plan import Guardrail, Plan

ALPHA = 0.05
DAYS = 30
SCENES_A_DAY = 20
GUARDS = (
    Guardrail(Metric("latency_ms"), margin=20.0, bound=500.0),
    Guardrail(Metric("abstained"), margin=0.05),
)


def experiment(days: int, seed: int) -> tuple[Pairs, list[int]]:
    """Pairs of two arms that are one, and how many rows there were each evening."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    evenings = []
    for day in range(days):
        for scene in range(SCENES_A_DAY):
            hard = rng.beta(2, 5)
            for frame in range(rng.integers(1, 5)):
                losses = np.clip(hard + rng.normal(0, 0.15, 2), 0, 1)
                latencies = rng.lognormal(4, 0.6, 2)
                abstained = (rng.uniform(size=2) < 0.3 * hard).astype(float)
                a, b = (
                    {"loss": losses[i], "latency_ms": latencies[i], "abstained": abstained[i]} for i in (0, 1)
                )
                rows.append(Row(f"{day}-{scene}-{frame}", a, b, f"{day}-{scene}"))
        evenings.append(len(rows))
    return as_pairs(rows), evenings


def is_positive(verdict: Verdict) -> bool:
    return verdict in (Verdict.BETTER, Verdict.WORSE)


def daily(pairs: Pairs, evenings: list[int], plan: Plan) -> bool:
    """Whether any evening's verdict is a false positive."""
    return any(
        is_positive(compare(pairs.select(np.arange(len(pairs)) < rows), plan).verdict) for rows in evenings
    )


def daily_z_test(pairs: Pairs, evenings: list[int]) -> bool:
    loss = pairs.of("loss")
    d = loss[1] - loss[0]
    sums, counts = np.bincount(pairs.cluster, d), np.bincount(pairs.cluster)
    means = sums / counts
    ends = [int(pairs.cluster[rows - 1]) + 1 for rows in evenings]
    limit = norm.ppf(1 - ALPHA / 2)
    return any(abs(means[:n].mean()) > limit * means[:n].std(ddof=1) / np.sqrt(n) for n in ends)


def rate(hits: int, runs: int) -> str:
    share = hits / runs
    return f"{share:6.1%} +- {1.96 * np.sqrt(max(share * (1 - share), 1e-9) / runs):.1%}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    print(
        f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, numpy {np.__version__}\n"
    )
    live = Plan(Metric("loss"), GUARDS, margin=0.02, alpha=ALPHA, live=True)
    once = Plan(Metric("loss"), GUARDS, margin=0.0, alpha=ALPHA, resamples=500)
    peeked = by_hand = looked_once = 0
    for seed in range(runs):
        pairs, evenings = experiment(DAYS, seed)
        peeked += daily(pairs, evenings, live)
        by_hand += daily_z_test(pairs, evenings)
        looked_once += is_positive(compare(pairs, once, slices=False).verdict)
    print(f"{runs:,} A/A experiments, alpha {ALPHA:.0%}: false positives")
    print(f"  compare --live, looked at on each of {DAYS} days   {rate(peeked, runs)}")
    print(f"  compare, looked at once at the end              {rate(looked_once, runs)}")
    print(f"  a z-test on each of {DAYS} days                    {rate(by_hand, runs)}")
    pairs, _ = experiment(210, 0)
    pairs = pairs.select(np.arange(len(pairs)) < 10_000)
    for name, plan in (("once, 2,000 resamples", Plan(Metric("loss"), GUARDS)), ("live", live)):
        start_s = time.perf_counter()
        compare(pairs, plan)
        print(
            f"{len(pairs):,} pairs in {pairs.clusters:,} clusters, {name}: {time.perf_counter() - start_s:.2f} s"
        )


if __name__ == "__main__":
    main()
