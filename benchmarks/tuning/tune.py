"""A tuning run from a file: `visionrouter tune`.

python -m visionrouter.benchmarks.tuning.tune --config nano.yaml --minutes 25 --resume runs/nano
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from visionrouter.backends.generative.tuning.config import Section, TuningConfig, read_yaml


class ScenesSection(Section):
    """Rendered scenes as training data."""

    world: str = "mixed"
    first_seed: int = Field(default=0, ge=0, lt=1_000_000_000)


class LabelledSection(Section):
    """One's own labelled pictures; see `tuning.folder.LabelledFolder`."""

    images: Path
    annotations: Path
    depth: Path | None = None
    depth_unit_m: float = Field(default=0.001, gt=0)


class RunConfig(Section):
    """A run: its data and its training. Without `labelled`, the data are scenes."""

    scenes: ScenesSection = ScenesSection()
    labelled: LabelledSection | None = None
    tuning: TuningConfig = TuningConfig()


def tune_file(
    config: Path, resume: Path, *, minutes: float | None = None, device: str | None = None
) -> Path | None:
    """Start or go on with the run that lives in the folder `resume`. Returns the folder of the exported model, or
    None where time ran out first. Raises `RequestError` where the file is wrong."""
    from visionrouter.backends.generative.tuning.labelled import Source
    from visionrouter.backends.generative.tuning.run import tune
    from visionrouter.benchmarks.tuning.source import SceneSource

    run = read_yaml(config, RunConfig)
    source: Source
    if run.labelled is not None:
        from visionrouter.backends.generative.tuning.folder import LabelledFolder

        own = run.labelled
        source = LabelledFolder(own.images, own.annotations, own.depth, own.depth_unit_m)
    else:
        source = SceneSource(run.scenes.world, run.scenes.first_seed)
    return tune(source, run.tuning, resume, minutes=minutes, device=device)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Tune a model on rendered scenes or on labelled pictures.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--resume", type=Path, required=True, help="folder of the run; made where it is missing"
    )
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--device")
    given = vars(parser.parse_args(arguments))
    model = tune_file(given["config"], given["resume"], minutes=given["minutes"], device=given["device"])
    sys.stdout.write(f"{model}\n" if model else "time is up; run again with the same folder to go on\n")


if __name__ == "__main__":
    main()
