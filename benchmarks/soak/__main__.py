"""Soak a router with mixed load and faults, and say whether anything was lost, stuck or leaked.

    python -m visionrouter.benchmarks.soak [--minutes 3] [--seed 0]

Exit code 1 where something was.
"""

from __future__ import annotations

import argparse
import sys

from visionrouter.benchmarks.soak.run import run, text
from visionrouter.schema.errors import VisionRouterError


def main(arguments: list[str] | None = None) -> int:
    """Soak, and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if not 0 < options.minutes <= 24 * 60:
        parser.error("--minutes is above 0 and at most 1440")
    try:
        report = run(options.minutes * 60, options.seed)
    except VisionRouterError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(text(report) + "\n")
    return int(bool(report.broken))


if __name__ == "__main__":
    sys.exit(main())
