"""What a fresh interpreter takes until the package can be used, over one that does nothing.

    python -m visionrouter.benchmarks.overhead.imports [--repeats 15]

Medians of wall time, in turns. Bytecode is compiled before, as an installed package has it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from statistics import median

from visionrouter.benchmarks.overhead.timing import machine

_HELP = "import sys; sys.argv = ['visionrouter', '--help']; from visionrouter.cli.main import main; main()"
STATEMENTS = {
    "nothing": "pass",
    "import numpy": "import numpy",
    "import visionrouter": "import visionrouter",
    "from visionrouter import Router": "from visionrouter import Router",
    "Router.from_profile('nano')": "from visionrouter import Router; Router.from_profile('nano')",
    "visionrouter --help": _HELP,
}


def milliseconds(repeats: int) -> dict[str, float]:
    """The median of each statement, the interpreter's own included."""
    taken: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    with tempfile.TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(repeats + 1):
            for name, statement in STATEMENTS.items():
                taken[name].append(_once(statement, environment))
    return {name: median(times[1:]) for name, times in taken.items()}


def _once(statement: str, environment: Mapping[str, str]) -> float:
    start_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], env=environment, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - start_s)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args(arguments)
    print(f"{machine('numpy', 'pydantic')}\n")
    print(f"{'a fresh interpreter, milliseconds':<40} {'in all':>9} {'over bare':>9}")
    found = milliseconds(options.repeats)
    for name, taken_ms in found.items():
        print(f"{name:<40} {taken_ms:9.1f} {taken_ms - found['nothing']:9.1f}")


if __name__ == "__main__":
    main()
