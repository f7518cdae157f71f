"""Print how often certificates break their promise, beside delta, and what they accept.

    python -m visionrouter.benchmarks.guarantee [--draws 1000] [--n 600] [--alpha .05] [--delta .1] [--rows FILE]

Exit code 1 where a Learn-then-Test certificate is violated more often than delta beyond its binomial error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from visionrouter.benchmarks.guarantee.populations import recorded, synthetic
from visionrouter.benchmarks.guarantee.validity import METHODS, Kept, check, check_shift
from visionrouter.schema.errors import RequestError

HEADER = (
    "| population | method | n | risk > alpha (99.8 % interval) | promised | accepted | best possible | joint risk | none |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|"
)


def line(kept: Kept, delta: float) -> str:
    """One row of the table."""
    promise = f"{delta:.3f}" if kept.method.startswith("ltt") else "-"
    mark = "" if kept.keeps(delta) else " (over)"
    return (
        f"| {kept.population} | {kept.method} | {kept.n} "
        f"| {kept.share:.3f} ({kept.low:.3f}-{kept.high:.3f}){mark} | {promise} "
        f"| {kept.coverage:.3f} | {kept.best:.3f} | {kept.joint:.4f} | {kept.infeasible / kept.draws:.3f} |"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=Path, action="append", default=[], help="JSON lines: confidence, loss")
    options = parser.parse_args(arguments)
    terms = {"n": options.n, "draws": options.draws, "alpha": options.alpha, "delta": options.delta}
    try:
        extra = [recorded(path) for path in options.rows]
    except RequestError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"alpha {options.alpha:g}, delta {options.delta:g}, {options.draws} draws\n\n{HEADER}\n")
    broken = False
    for population in [*synthetic(np.random.default_rng(options.seed), options.alpha), *extra]:
        for method in METHODS:
            if method == "ltt-binomial" and not np.isin(population.loss, (0, 1)).all():
                continue
            kept = check(population, method, seed=options.seed + 1, **terms)
            broken |= method.startswith("ltt") and not kept.keeps(options.delta)
            sys.stdout.write(line(kept, options.delta) + "\n")
    for kept in check_shift(seed=options.seed + 1, **terms):
        broken |= kept.method.endswith("a group") and not kept.keeps(options.delta)
        sys.stdout.write(line(kept, options.delta) + "\n")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
