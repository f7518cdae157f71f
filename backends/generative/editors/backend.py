"""An instruction-tuned editor as a backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from visionrouter.backends.base import BackendSpec
from visionrouter.backends.generative.codecs.codes import Codes
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.backends.generative.codecs.normals import PAPER_AXES, NormalCode
from visionrouter.backends.generative.editors.families import FAMILIES, Family, Sampling, draw
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.instructed.answering import Job
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.backends.generative.pretrained import (
    ANEW,
    EXTRA,
    REQUIRES,
    DiffusersBackend,
    pipeline_class,
    read_model,
    read_pipeline,
)
from visionrouter.backends.libraries import require
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import (
    BackendError,
    ProfileError,
    RefusedError,
    SchemaError,
    UnsupportedTargetError,
)
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Task

LEAST_SIDE, LONGEST_RATIO = 64, 8
"""Pixels of a canvas' short side, and its share of the long one: what FLUX.2 asks for and no other minds."""


class InstructEditor(DiffusersBackend):
    """Draws depth, normals and masks by instruction (arXiv 2604.20329): InstructPix2Pix (SD 1.5 and SDXL), FLUX.2 klein
    and Qwen-Image-Edit, with the weights that somebody tuned for it.

    Signals are those of the codes, of several drawings the worst: `code_residual`, `off_code_share`, `on_code_share`,
    for drawings on black `ink_residual` and `margin`, `score` of what was found, and with votes `vote_agreement`. An
    editor that was never tuned for vision draws pictures: `on_code_share` and the note `wrong_code:` tell.
    """

    def __init__(
        self,
        source: str,
        *,
        transformer: str | None = None,
        transformer_folder: str = "transformer",
        adapter: str | None = None,
        revision: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        licence: str | None = None,
        tasks: Sequence[str] | None = None,
        depth_code: Literal["paper", "grayscale"] = "paper",
        normal_axes: str = PAPER_AXES,
        wording: Mapping[str, str] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        image_guidance: float | None = None,
        long_side: int | None = None,
        votes: int = 1,
        batch_limit: int = 4,
    ) -> None:
        """`source`: hub id or path of the pipeline. `transformer`: of a tuned transformer to put in it, as Open Vision
        Banana's in FLUX.2 klein, and `transformer_folder` where it lies there, if not at the top. `adapter`: of LoRA weights, which need
        `visionrouter[tuning]`. `tasks`: those the weights were tuned for, all by default.
        `depth_code`: "paper" in metres, "grayscale" relative inverse depth. `normal_axes`: what red, green and blue
        hold. `wording`: other phrases by task. `votes`: how often a semantic map is drawn, each time in other colours.
        `batch_limit`: drawings a call on a GPU, for families that take several. On a CPU each is its own call, so that it
        cannot depend, to the last bit, on its company. The rest is the family's own where it is None. Raises `ProfileError`."""
        self._codes = Codes(depth=_depth_code(depth_code), normals=_normal_code(normal_axes))
        self._wording = Wording(wording, is_grayscale=depth_code == "grayscale")
        if min(votes, batch_limit, 1 if steps is None else steps) < 1:
            raise ProfileError(f"votes {votes}, steps {steps}, batch_limit {batch_limit}; each is 1 or more")
        self._chosen = (steps, guidance, image_guidance)
        self._transformer_folder = transformer_folder
        self._long_side = long_side
        self._votes = votes
        able = _tasks(tasks, self._wording.tasks)
        spec = BackendSpec(
            name="instruct_editor",
            kind="generative",
            tasks=able,
            licence="unknown",
            batch_limit=batch_limit,
            depth_unit=None if Task.DEPTH not in able else "m" if depth_code == "paper" else "disparity",
            cost=50.0 * votes,
            extra=EXTRA,
            requires=REQUIRES,
        )
        super().__init__(
            spec,
            {"pipeline": source, "transformer": transformer, "adapter": adapter},
            revision=revision,
            device=device,
            precision=precision,
            licence=licence,
        )

    def told(self, folders: Mapping[str, Path]) -> Mapping[str, Any]:
        pipeline_class(folders["pipeline"], FAMILIES, self.spec.name)
        return {}

    def assemble(self, folders: Mapping[str, Path]) -> _Editor:
        name = self.spec.name
        if "adapter" in folders:
            require("peft", name, "tuning")
        cls, family = pipeline_class(folders["pipeline"], FAMILIES, name)
        device, dtype = self.placed(family.half)
        parts = {}
        if tuned := folders.get("transformer"):
            if not cls.startswith("Flux2"):
                raise BackendError(
                    f"{name}: {cls} takes no other transformer; leave it out, or name FLUX.2 klein"
                )
            inside = tuned / self._transformer_folder
            parts["transformer"] = read_model(
                name, "Flux2Transformer2DModel", inside if inside.is_dir() else tuned, dtype
            )
        pipeline = read_pipeline(name, cls, folders["pipeline"], device, dtype, **parts)
        if adapter := folders.get("adapter"):
            with tell_broken(f"{name}: {adapter} does not load as LoRA weights", ANEW):
                pipeline.load_lora_weights(str(adapter), local_files_only=True, use_safetensors=True)
                if not pipeline.get_active_adapters():
                    raise ValueError("none of its layers is one of the pipeline's")
        return _Editor(pipeline, family, self._sampling(pipeline, family), self._side(pipeline, family))

    def _sampling(self, pipeline: Any, family: Family) -> Sampling:
        is_distilled = bool(pipeline.config.get("is_distilled"))
        steps, guidance, by_image = self._chosen
        return Sampling(
            steps or (4 if is_distilled else family.steps),
            guidance if guidance is not None else 1.0 if is_distilled else family.guidance,
            by_image if by_image is not None else family.image_guidance,
        )

    def _side(self, pipeline: Any, family: Family) -> tuple[int, int, int]:
        """Long side, stride and least side of a canvas, pixels."""
        stride = family.stride * int(pipeline.vae_scale_factor)
        long_side = self._long_side or family.long_side
        return long_side, stride, max(LEAST_SIDE, long_side // LONGEST_RATIO)

    def answers(self, model: _Editor, queries: Sequence[Query]) -> list[Prediction]:
        jobs = [
            Job.of(
                query,
                Frame.around(*query.image.size, *model.side),
                self._wording,
                self._votes,
                model.family.classes,
            )
            for query in queries
        ]
        drawn = model.draw(self.spec.name, jobs, self.spec.batch_limit)
        return [job.answer(drawings, self._codes) for job, drawings in zip(jobs, drawn, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Editor:
    """A pipeline with how it is run; `side`: long side, stride and least side of a canvas, pixels."""

    pipeline: Any
    family: Family
    sampling: Sampling
    side: tuple[int, int, int]

    def draw(self, name: str, jobs: Sequence[Job], most: int) -> list[list[U8]]:
        """Every drawing of every job, uint8 of its canvas' size, `most` a call at most."""
        canvases = [job.frame.place(job.query.image.pixels) for job in jobs]
        drawn: list[dict[int, U8]] = [{} for _ in jobs]
        is_cpu = self.pipeline.device.type == "cpu"
        for batch in _batches(jobs, most if self.family.batches and not is_cpu else 1):
            prompts = [jobs[i].asks[k].prompt for i, k in batch]
            for prompt in prompts:
                self._check_length(name, prompt)
            with enough_memory(name, len(batch)):
                levels, held_back = draw(
                    self.pipeline,
                    [canvases[i] for i, _ in batch],
                    prompts,
                    [jobs[i].query.seed for i, _ in batch],
                    self.sampling,
                )
            if held_back:
                raise RefusedError(
                    f"{name}: the model's safety checker held the drawing back; ask another backend"
                )
            if not np.isfinite(levels).all():
                raise BackendError(f"{name} drew NaN or infinite values; run it with precision: float32")
            for (i, k), drawing in zip(batch, levels, strict=True):
                drawn[i][k] = (drawing * 255).round().astype(np.uint8)
        return [[each[k] for k in sorted(each)] for each in drawn]

    def _check_length(self, name: str, prompt: str) -> None:
        """The pipelines cut a prompt that is too long; what was cut would be answered wrongly."""
        if len(self.pipeline.tokenizer(prompt)["input_ids"]) > self.family.tokens:
            raise UnsupportedTargetError(
                f"{name}: {prompt[:80]!r}... is longer than its text encoder reads ({self.family.tokens} tokens); "
                "ask for less at once"
            )


def _batches(jobs: Sequence[Job], most: int) -> Iterator[list[tuple[int, int]]]:
    """(job, drawing) in groups of one canvas size, `most` at most."""
    rows = [
        (job.frame.canvas_height, job.frame.canvas_width, i, k)
        for i, job in enumerate(jobs)
        for k, _ in enumerate(job.asks)
    ]
    for _, same in groupby(sorted(rows), key=lambda row: row[:2]):
        members = [(i, k) for _, _, i, k in same]
        for start in range(0, len(members), most):
            yield members[start : start + most]


def _depth_code(name: str) -> DepthCode | GrayDepthCode:
    if name not in ("paper", "grayscale"):
        raise ProfileError(f"depth_code is {name!r}; give paper or grayscale")
    return DepthCode() if name == "paper" else GrayDepthCode()


def _normal_code(axes: str) -> NormalCode:
    try:
        return NormalCode(axes)
    except SchemaError as error:
        raise ProfileError(f"normal_axes: {error}") from error


def _tasks(names: Sequence[str] | None, drawn: frozenset[Task]) -> frozenset[Task]:
    unknown = sorted(set(names or ()) - {task.value for task in drawn})
    if unknown or (names is not None and not names):
        raise ProfileError(
            f"tasks: {', '.join(unknown) or 'none'} cannot be drawn; name some of {', '.join(sorted(drawn))}"
        )
    return drawn if names is None else frozenset(Task(name) for name in names)
