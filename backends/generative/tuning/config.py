"""What a tuning run is: read from YAML, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visionrouter.schema.document import read_document
from visionrouter.schema.errors import RequestError
from visionrouter.schema.task import Task

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NanoModel(Section):
    """The embedded model: a UNet on pixel patches with a small text encoder of its own."""

    kind: Literal["nano"] = "nano"
    patch: int = Field(default=4, ge=1)
    channels: tuple[int, ...] = (96, 128, 160, 192)
    text_levels: int = Field(default=3, ge=1)
    """How many of the coarsest levels read the words."""
    text_width: int = 192
    text_layers: int = 3
    norm_groups: int = 32
    start_from: Path | None = None
    """Folder of weights whose UNet to start from; what it lacks starts fresh."""


class EditorModel(Section):
    """A diffusers InstructPix2Pix-type pipeline (SD 1.5 or SDXL class) in a local folder."""

    kind: Literal["editor"] = "editor"
    folder: Path
    adapter_rank: int | None = Field(default=16, ge=1)
    """Rank of LoRA adapters on the UNet's attention; null tunes the whole UNet."""


class Stage(Section):
    """A stretch of the run at one size."""

    share: Share = 1.0
    size: int = Field(default=256, multiple_of=8)
    batch: int = Field(default=192, ge=1)


class Shares(Section):
    """How much of each batch a task gets; relative numbers."""

    depth: float = Field(default=0.12, ge=0)
    normals: float = Field(default=0.08, ge=0)
    semantic: float = Field(default=0.23, ge=0)
    referring: float = Field(default=0.27, ge=0)
    instance: float = Field(default=0.15, ge=0)
    pose: float = Field(default=0.15, ge=0)

    def of(self, task: Task) -> float:
        """The share of a task."""
        return float(getattr(self, task.value.rpartition(".")[2]))


class Wording(Section):
    """Instructions written for each picture, by task."""

    depth: int = 4
    normals: int = 4
    semantic: int = 14
    referring: int = 16
    instance: int = 8
    pose: int = 4

    def of(self, task: Task) -> int:
        """Instructions a picture."""
        return int(getattr(self, task.value.rpartition(".")[2]))


class TuningConfig(Section):
    """A run of the trainer."""

    model: NanoModel | EditorModel = Field(default_factory=NanoModel, discriminator="kind")
    seed: int = 0
    steps: int | None = Field(default=None, ge=1)
    """Length of the run; where null, the minutes given decide."""
    stages: tuple[Stage, ...] = (Stage(),)
    shares: Shares = Shares()
    wording: Wording = Wording()
    pictures: int = Field(default=20_000, ge=1)
    """Pictures held on the device."""
    held_out: int = Field(default=64, ge=1)
    """Pictures kept apart, before the first of the training ones."""
    picture_size: int = Field(default=256, multiple_of=8)

    learning_rate: float = Field(default=4e-4, gt=0)
    warmup_steps: int = Field(default=300, ge=0)
    final_rate: Share = 0.01
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    average_decay: float = Field(default=0.9995, ge=0, lt=1)
    one_step_share: Share = 0.8
    """Share of samples at the last timestep, where one step draws the answer; the rest are spread over all."""
    foreground_weight: float = Field(default=30.0, ge=1)
    """Most weight of a drawn pixel in referring, instance and pose drawings."""
    damaged_share: Share = 0.45
    recolour_strength: Share = 0.4

    compile: bool = False
    workers: int = Field(default=0, ge=0)
    """Processes that write instructions; 0 or 1 writes in this one."""
    checkpoint_minutes: float = Field(default=3.0, gt=0)
    validate_minutes: float = Field(default=5.0, gt=0)
    log_every: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _stages_fill_the_run(self) -> Self:
        total = sum(stage.share for stage in self.stages)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the stages' shares add up to {total:g}; make it 1")
        for stage in self.stages:
            if self.picture_size % stage.size:
                raise ValueError(
                    f"stage of {stage.size} px: must divide picture_size ({self.picture_size} px)"
                )
        return self


_Section = TypeVar("_Section", bound=Section)


def read_yaml(path: Path, kind: type[_Section]) -> _Section:
    """A section from a YAML file. Raises `RequestError` naming each wrong field and its line."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from error
    document = read_document(raw, str(path), RequestError)
    try:
        return kind.model_validate(document.data)
    except ValidationError as error:
        lines = [
            f"line {document.line(e['loc'])}: {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}"
            for e in error.errors(include_url=False)
        ]
        raise RequestError(f"{path}: {'; '.join(lines)}") from error
