"""The embedded generative backbone behind the backend protocol."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.generative.asks import Ask, Plan
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.nano.asking import plan
from visionrouter.backends.generative.nano.familiarity import Familiarity, pooled
from visionrouter.backends.generative.nano.folder import EMBEDDED, WeightsFolder
from visionrouter.backends.generative.nano.vocabulary import Vocabulary
from visionrouter.backends.generative.reading import read
from visionrouter.backends.memory import enough_memory
from visionrouter.backends.placement import place
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import F32, U8
from visionrouter.schema.errors import BackendError, MissingExtraError, UnsupportedTargetError
from visionrouter.schema.payload import Segmentation
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Query
from visionrouter.schema.task import Target, Task

if TYPE_CHECKING:
    from visionrouter.backends.generative.nano.pipeline import NanoPipeline

BATCH = 8
"""Drawings a pass on a GPU. On a CPU, where more gain nothing, each is its own pass: then it cannot depend, to the
last bit, on its company."""
SURVEY_FROM = 4
"""From this many classes on, instances are drawn only of those that a semantic drawing shows."""
_SEEN_SHARE = 0.002
"""Share of the image that a class must cover there."""


class NanoBackend(Backend):
    """A small instruction-tuned diffusion model that draws its answers in one step.

    It knows rendered scenes (`benchmarks.scenes`) and the words of its `vocabulary.json`; of real photos it is often
    wrong, and its signals are there to tell. Depth is in metres for a camera like those it was tuned with: the image's
    long side spans a field of view of 50 to 80 degrees.

    Signals, of several drawings the worst: `code_residual` (mean distance from the code, in sides of the RGB cube),
    `off_code_share` (share of pixels that mean nothing), `on_code_share` (share close to the code), `familiarity` (how
    far the image is from what the model was tuned on; 1 is the limit that 99 % of held-out scenes keep),
    `ink_residual` (residual of what is not black) and `margin` (lead over the second nearest colour) of drawings on
    black, and `score` (mean score of what was found).

    Notes: `specificity_lost:puppy` where a class is wider than the word, `unresolved:nearest` for a word that the
    drawing does not heed, `wrong_code:viridis` for a drawing that looks like another code's.
    """

    def __init__(
        self,
        *,
        folder: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        steps: int = 1,
    ) -> None:
        """`folder` of weights (default: the package's). `precision` "auto" is float32 on the CPU, float16 elsewhere.
        `steps` of the sampler; the weights are tuned for one."""
        self._folder = WeightsFolder(EMBEDDED if folder is None else Path(folder))
        self._device = device
        self._precision = precision
        self._steps = steps
        self._model: _Model | None = None
        present = self._folder.is_present
        self.spec = BackendSpec(
            name="nano",
            kind="generative",
            tasks=frozenset(
                {Task.DEPTH, Task.NORMALS, Task.SEMANTIC, Task.REFERRING, Task.INSTANCE, Task.POSE}
            ),
            licence="Apache-2.0",
            labels=Vocabulary.read(self._folder).classes if present else None,
            weights_digest=self._folder.digest if present else None,
            weights_bytes=self._folder.size if present else 0,
            batch_limit=BATCH,
            depth_unit="m",
            cost=10.0,
            memory_mb=1000,
            extra="nano",
            requires=("diffusers", "torch", "transformers", "safetensors"),
        )

    def unavailable(self) -> str | None:
        if not self._folder.is_present:
            return f"no weights in {self._folder.path}"
        return super().unavailable()

    def load(self) -> None:
        self._opened()

    def close(self) -> None:
        self._model = None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        for query in queries:
            check_task(self.spec, query)
        model = self._opened()
        jobs = [model.surveyed(model.job(query), self._steps) for query in queries]
        drawn = model.draw(jobs, self._steps)
        return [model.answer(job, of_job) for job, of_job in zip(jobs, drawn, strict=True)]

    def _opened(self) -> _Model:
        model = self._model
        if model is None:
            model = self._model = _Model.read(self._folder, self._device, self._precision)
        return model


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A query made ready to draw."""

    query: Query
    plan: Plan
    frame: Frame
    canvas: U8


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A query's drawings, the image's part of the canvas, and the pooled features of each."""

    drawings: list[U8]
    features: list[F32]


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """Loaded weights and what goes with them."""

    pipeline: NanoPipeline
    vocabulary: Vocabulary
    familiarity: Familiarity

    @classmethod
    def read(cls, folder: WeightsFolder, device: str, precision: str) -> _Model:
        folder.verify()
        vocabulary, familiarity = Vocabulary.read(folder), Familiarity.read(folder.path)
        with _collector_paused():
            try:
                from visionrouter.backends.generative.nano.pipeline import load_pipeline
            except ImportError as error:
                raise MissingExtraError(
                    f"nano needs {error.name}; pip install 'visionrouter[nano]'"
                ) from error
            return cls(load_pipeline(folder.path, *place(device, precision)), vocabulary, familiarity)

    def job(self, query: Query) -> _Job:
        planned = plan(query, self.vocabulary)
        for ask in planned.asks:
            if self.pipeline.tokens(ask.prompt) > self.pipeline.tokenizer.model_max_length:
                raise UnsupportedTargetError(
                    f"{ask.prompt!r} is longer than the nano backbone reads; ask for less at once"
                )
        frame = Frame.around(
            query.image.width, query.image.height, self.pipeline.working_size, self.pipeline.stride
        )
        return _Job(query, planned, frame, frame.place(query.image.pixels))

    def surveyed(self, job: _Job, steps: int) -> _Job:
        """A job for instances of many classes, narrowed to those that a semantic drawing shows; at least one."""
        asks = job.plan.asks
        if job.query.task is not Task.INSTANCE or len(asks) < SURVEY_FROM:
            return job
        targets = tuple(Target(ask.label, ask.label) for ask in asks)
        survey = self.job(replace(job.query, task=Task.SEMANTIC, targets=targets, palette=()))
        (drawn,) = self.draw([survey], steps)
        shown = read(
            Task.SEMANTIC, survey.plan.asks, drawn.drawings, survey.frame, self.vocabulary.code_set
        ).payload
        assert isinstance(shown, Segmentation)
        seen = {
            label for mask, label in zip(shown.masks, shown.labels, strict=True) if mask.mean() >= _SEEN_SHARE
        }
        return replace(
            job, plan=replace(job.plan, asks=tuple(ask for ask in asks if ask.label in seen) or asks[:1])
        )

    def draw(self, jobs: Sequence[_Job], steps: int) -> list[_Drawn]:
        """Every drawing of every job, in batches of one canvas size."""
        drawn = [_Drawn([], []) for _ in jobs]
        for batch in _batches(jobs, 1 if self.pipeline.device.type == "cpu" else BATCH):
            images = np.stack([jobs[i].canvas for i, _ in batch])
            prompts = [ask.prompt for _, ask in batch]
            seeds = [jobs[i].query.seed for i, _ in batch]
            try:
                with (
                    enough_memory("nano", len(batch)),
                    pooled(self.pipeline, self.familiarity.layer) as features,
                ):
                    drawings = self.pipeline(images, prompts, steps, seeds).images
            except FloatingPointError as error:
                raise BackendError(f"nano: {error}") from error
            for (i, _), drawing, row in zip(batch, drawings, features, strict=True):
                drawn[i].drawings.append(np.ascontiguousarray(jobs[i].frame.crop(drawing)))
                drawn[i].features.append(row)
        return drawn

    def answer(self, job: _Job, drawn: _Drawn) -> Prediction:
        task, asks = job.query.task, job.plan.asks
        reading = read(task, asks, drawn.drawings, job.frame, self.vocabulary.code_set)
        signals = dict(reading.signals)
        signals["familiarity"] = max(self.familiarity.distance(task.value, row) for row in drawn.features)
        return Prediction(
            reading.payload,
            Evidence(signals, reading.confidence_map),
            np.concatenate(drawn.drawings),
            (*job.plan.notes, *reading.notes),
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Hold back the garbage collector: importing diffusers makes a million objects that live, and walking them again
    and again is a seventh of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _batches(jobs: Sequence[_Job], most: int) -> Iterator[list[tuple[int, Ask]]]:
    """(job number, drawing) in groups of one canvas size, `most` at most."""
    rows = [(job.canvas.shape, i, ask) for i, job in enumerate(jobs) for ask in job.plan.asks]
    for _, same in groupby(sorted(rows, key=lambda row: row[0]), key=lambda row: row[0]):
        members = [(i, ask) for _, i, ask in same]
        for start in range(0, len(members), most):
            yield members[start : start + most]
