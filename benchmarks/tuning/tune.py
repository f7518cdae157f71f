"""A run from a file: `visionrouter tune`.

    visionrouter tune --config nano --minutes 25 --resume runs/nano

A run tunes a generative model (`tuning:`) or trains a specialist of the proving ground (`specialist:`), on rendered
scenes or on one's own labelled pictures (`labelled:`).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from visionrouter.backends.generative.tuning.config import Section, TuningConfig, read_yaml
from visionrouter.backends.generative.tuning.labelled import Source
from visionrouter.schema.errors import RequestError

ROOMS = {"unet": "unet", "sam": "sam_tiny", "yolo": "scene_yolo"}
"""Where each kind of specialist is trained."""


class ScenesSection(Section):
    """Rendered scenes as training data: of one world, "mixed", "town", or "everywhere", which is half town, half mixed."""

    world: str = "mixed"
    first_seed: int = Field(default=0, ge=0, lt=900_000_000)


class LabelledSection(Section):
    """One's own labelled pictures; see `tuning.folder.LabelledFolder`."""

    images: Path
    annotations: Path
    depth: Path | None = None
    depth_unit_m: float = Field(default=0.001, gt=0)


class SpecialistSection(Section):
    """A small specialist: `unet` for depth, normals and classes, `sam` for masks of boxes and points, `yolo` for boxes and poses."""

    kind: Literal["unet", "sam", "yolo"]
    steps: int | None = Field(default=None, ge=1)
    """Length of the run; where null, the minutes given decide."""
    pictures: int = Field(default=5000, ge=1)
    """Pictures held on the device."""
    held_out: int = Field(default=256, ge=1)
    """Pictures kept apart for the metrics, before the first of the training ones."""
    picture_size: int = Field(default=128, multiple_of=32)
    batch: int = Field(default=12, ge=2)
    learning_rate: float = Field(default=8e-4, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    start: Literal["shipped"] | None = None
    """What it starts from: the weights in the package; where null, those of its encoder alone, or none."""
    seed: int = 0
    checkpoint_minutes: float = Field(default=3.0, gt=0)


class RunConfig(Section):
    """A run: its data and its training. Without `labelled`, the data are scenes; without `specialist`, the embedded
    backbone is tuned."""

    scenes: ScenesSection = ScenesSection()
    labelled: LabelledSection | None = None
    tuning: TuningConfig | None = None
    specialist: SpecialistSection | None = None

    @model_validator(mode="after")
    def _one_model(self) -> RunConfig:
        if self.tuning is not None and self.specialist is not None:
            raise ValueError("holds both tuning and specialist; a run trains one model")
        return self

    @property
    def source(self) -> Source:
        """Where the pictures come from."""
        if self.labelled is None:
            from visionrouter.benchmarks.tuning.source import source_of

            return source_of(self.scenes.world, self.scenes.first_seed)
        from visionrouter.backends.generative.tuning.folder import LabelledFolder

        own = self.labelled
        return LabelledFolder(own.images, own.annotations, own.depth, own.depth_unit_m)


def recipes() -> tuple[str, ...]:
    """The runs in the package, by name."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.yaml")))


def read_run(config: str | Path) -> RunConfig:
    """A run of the package by name, or one from a YAML file. Raises `RequestError` where the file is wrong."""
    named = str(config) in recipes()
    path = Path(__file__).with_name(f"{config}.yaml") if named else Path(config)
    if not named and not path.exists():
        raise RequestError(f"no run {str(config)!r}; give a YAML file or one of: {', '.join(recipes())}")
    return read_yaml(path, RunConfig)


def tune_file(
    config: str | Path, resume: Path, *, minutes: float | None = None, device: str | None = None
) -> Path | None:
    """Start or go on with the run that lives in the folder `resume`.

    Returns the folder of the finished weights, or None where time ran out first. Raises `RequestError` where the file
    is wrong, `WeightsError` where the folder is another run's, `MissingExtraError` where a library is missing.
    """
    run = read_run(config)
    if run.specialist is not None:
        return _train(run.specialist, run.source, resume, minutes, device)
    from visionrouter.backends.generative.tuning.run import tune

    return tune(run.source, run.tuning or TuningConfig(), resume, minutes=minutes, device=device)


def _train(
    section: SpecialistSection, source: Source, folder: Path, minutes: float | None, device: str | None
) -> Path | None:
    import torch

    from visionrouter.backends.specialist.sitting import Sitting

    sitting = Sitting(
        folder=folder,
        minutes=minutes,
        steps=section.steps,
        pictures=section.pictures,
        held_out=section.held_out,
        size=section.picture_size,
        batch=section.batch,
        rate=section.learning_rate,
        weight_decay=section.weight_decay,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        shipped=section.start == "shipped",
        seed=section.seed,
        checkpoint_minutes=section.checkpoint_minutes,
    )
    training = importlib.import_module(f"visionrouter.backends.specialist.{ROOMS[section.kind]}.training")
    return folder if training.train(source, sitting) is not None else None


def check_file(config: str | Path, count: int) -> tuple[str, bool]:
    """The report on the instructions that a run would write for its first `count` training pictures, and whether the
    labels are free of mistakes: things too small for the code are reported, but are none. Raises `RequestError` for a
    run without instructions."""
    from visionrouter.backends.generative.tuning.check import check_source

    run = read_run(config)
    if run.specialist is not None:
        raise RequestError(f"{config}: trains a specialist, which reads no instructions; nothing to check")
    tuning = run.tuning or TuningConfig()
    report = check_source(
        run.source,
        count,
        start=tuning.held_out,
        size=tuning.picture_size,
        wording=tuning.wording,
        seed=tuning.seed,
    )
    return report.text(), all(finding.kind == "code" for finding in report.findings)
