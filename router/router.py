"""The one object a user holds."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.composite import join, joined_outcome, plan
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.engine import Engine, EngineOptions, LaneState, Run
from visionrouter.engine.waiting import AsyncWaiter, BlockingWaiter, Waiter, drive
from visionrouter.policies import (
    Assignment,
    CompiledPolicy,
    PolicySource,
    Step,
    check_against,
    compile_policy,
    load_policy,
)
from visionrouter.schema.decision import Decision, Reason, Sink
from visionrouter.schema.errors import PolicyError, RequestError, SchemaError, VisionRouterError
from visionrouter.schema.image import DEFAULT_LIMITS, Image, ImageLimits, ImageSource, load_image
from visionrouter.schema.request import NO_PROMPTS, Criticality, Prompts, Query, Request
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limits
from visionrouter.schema.task import Instruction, Palette, Task

_log = logging.getLogger("visionrouter")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_CONTEXT: Mapping[str, str | bool | int | float] = {}


@dataclass(frozen=True, slots=True)
class RoutePreview:
    """Where one task would go: the rule, why, the backends in order, and those left out with the reason."""

    step: str
    task: Task
    rule: str
    steps: tuple[Step, ...]
    backends: tuple[str, ...]
    skipped: tuple[tuple[str, Reason], ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a request, found out without running a model."""

    instruction: Instruction
    policy: str
    policy_hash: str
    routes: tuple[RoutePreview, ...]
    assignment: Assignment


class ShadowRunner(Protocol):
    """Runs other arms of a request that was answered. `submit` must neither wait nor raise."""

    def submit(self, request: Request, assignment: Assignment) -> None: ...


@runtime_checkable
class ImageSink(Protocol):
    """A sink that may keep the picture of a decision; neither method may wait."""

    def wants_image(self, decision: Decision) -> bool: ...

    def record_image(self, decision: Decision, image: Image) -> None: ...


class Router:
    """Routes requests over backends by a policy.

    `backends` come from a profile (`Router.from_profile("nano")`) or are given. `policy` is a preset's name, a path or
    a compiled policy. `limits`: per backend and task, what a prediction must keep to be accepted. `sinks` are handed
    every decision. `shadow` runs the arms that the policy draws beside the answer.

    Weights are read at the first request that needs them, or by `warm_up`. Use as a context manager, or call `close`.
    A router may be used from several threads and event loops at once.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend] | Iterable[Backend],
        policy: PolicySource | CompiledPolicy = "default",
        *,
        limits: Mapping[str, Mapping[Task, Limits]] = _NOTHING,
        sinks: Sequence[Sink] = (),
        shadow: ShadowRunner | None = None,
        image_limits: ImageLimits = DEFAULT_LIMITS,
        options: EngineOptions = EngineOptions(),
    ) -> None:
        named = dict(backends) if isinstance(backends, Mapping) else {b.spec.name: b for b in backends}
        self.backends: Mapping[str, Backend] = MappingProxyType(named)
        self.policy = policy if isinstance(policy, CompiledPolicy) else compile_policy(load_policy(policy))
        wrong = [
            f
            for f in check_against(self.policy, {n: b.spec for n, b in named.items()})
            if f.severity == "error"
        ]
        if wrong:
            raise PolicyError(
                f"policy {self.policy.name}: " + "; ".join(f"{f.path}: {f.message}" for f in wrong)
            )
        self._sinks = tuple((sink, sink if isinstance(sink, ImageSink) else None) for sink in sinks)
        self._shadow = shadow
        self._image_limits = image_limits
        self._engine = Engine(named, limits, options)
        self._finalizer = weakref.finalize(self, self._engine.close)

    @classmethod
    def from_profile(
        cls,
        profile: str | Path = "nano",
        policy: PolicySource | CompiledPolicy = "default",
        *,
        sinks: Sequence[Sink] = (),
        shadow: ShadowRunner | None = None,
        image_limits: ImageLimits = DEFAULT_LIMITS,
        options: EngineOptions = EngineOptions(),
    ) -> Self:
        """A router over the backends of a profile: one in the package by name, or a YAML file."""
        from visionrouter.backends.profile import load_profile

        made = load_profile(profile)
        return cls(
            made.backends,
            policy,
            limits=made.limits,
            sinks=sinks,
            shadow=shadow,
            image_limits=image_limits,
            options=options,
        )

    def run(self, image: ImageSource, instruction: str | Instruction | Task, **options: Any) -> Result:
        """Answer one request on the calling thread; no event loop is needed. Takes what `request` takes.

        Raises `ImageError`, `InstructionError` or `RequestError` for a user's mistake; what backends do never raises.
        """
        return drive(self._answer(self.request(image, instruction, **options), BlockingWaiter()))

    def answer(self, request: Request, assignment: Assignment | None = None) -> Result:
        """As `run`, for a request that is made already; in the arm of `assignment` where one is given."""
        return drive(self._answer(request, BlockingWaiter(), assignment))

    async def arun(self, image: ImageSource, instruction: str | Instruction | Task, **options: Any) -> Result:
        """As `run`, from asyncio: images are decoded off the loop, and parts of a composite run side by side."""
        import asyncio

        if not isinstance(image, Image | np.ndarray):
            image = await asyncio.to_thread(load_image, image, self._image_limits)
        return await self._answer(self.request(image, instruction, **options), AsyncWaiter())

    def run_batch(
        self,
        images: Iterable[ImageSource],
        instruction: str | Instruction | Task,
        *,
        concurrency: int = 8,
        **options: Any,
    ) -> list[Result | VisionRouterError]:
        """Answer one instruction on many images; see `arun_batch`. Not to be called from a running event loop."""
        import asyncio

        return asyncio.run(self.arun_batch(images, instruction, concurrency=concurrency, **options))

    async def arun_batch(
        self,
        images: Iterable[ImageSource],
        instruction: str | Instruction | Task,
        *,
        concurrency: int = 8,
        **options: Any,
    ) -> list[Result | VisionRouterError]:
        """Answer one instruction on many images, `concurrency` at a time, in order.

        An image that cannot be read gives its error in its place, and the others are answered.
        """
        import asyncio

        slots = asyncio.Semaphore(concurrency)

        async def one(image: ImageSource) -> Result | VisionRouterError:
            async with slots:
                try:
                    return await self.arun(image, instruction, **options)
                except VisionRouterError as error:
                    return error

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(image)) for image in images]
        return [task.result() for task in tasks]

    def request(
        self,
        image: ImageSource,
        instruction: str | Instruction | Task,
        *,
        boxes: object = None,
        points: object = None,
        point_labels: object = None,
        tags: Mapping[str, str] = _NOTHING,
        context: Mapping[str, object] = _NOTHING,
        deadline_ms: float | None = None,
        criticality: Criticality | str = Criticality.NORMAL,
        seed: int = 0,
    ) -> Request:
        """Check and parse what a user gave.

        `instruction`: words, a parsed `Instruction`, or a bare `Task` for "on everything". `boxes` (N, 4) xyxy and
        `points` (M, 2) xy are pixels; `point_labels` (M,) 1 on the thing, 0 off it (default all 1).
        `tags` and `context` are what the policy's conditions read.
        """
        if isinstance(instruction, Task):
            instruction = Instruction(instruction, instruction.value)
        elif isinstance(instruction, str):
            from visionrouter.instruction import parse

            instruction = parse(instruction)
        return Request(
            load_image(image, self._image_limits),
            instruction,
            _prompts(boxes, points, point_labels),
            dict(tags),
            dict(context),
            deadline_ms,
            _criticality(criticality),
            seed,
        )

    def explain(
        self, image: ImageSource, instruction: str | Instruction | Task, **options: Any
    ) -> Explanation:
        """What would be done with this request, and why, without running any model."""
        request = self.request(image, instruction, **options)
        previews = []
        assignment = self.policy.assign(request, request.context)
        for name, part in _parts(request):
            why = self.policy.explain(part, part.context, assignment)
            resolved = self._engine.resolve(why.route, _query(part), why.licences)
            previews.append(
                RoutePreview(
                    name,
                    part.instruction.task,
                    why.rule,
                    why.steps,
                    tuple(lane.backend.spec.name for lane, _ in resolved.lanes),
                    resolved.skipped,
                    why.route.otherwise,
                )
            )
        return Explanation(
            request.instruction, self.policy.name, self.policy.digest, tuple(previews), assignment
        )

    def states(self) -> dict[str, LaneState]:
        """Breaker state and load of every backend, now."""
        return self._engine.states()

    def warm_up(self) -> None:
        """Read every backend's weights now. Raises the first `BackendError` met."""
        for backend in self.backends.values():
            backend.load()

    def close(self) -> None:
        """Finish what runs, end the threads, let go of the backends. Idempotent."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    async def _answer(self, request: Request, waiter: Waiter, given: Assignment | None = None) -> Result:
        deadline = Deadline.of(request.deadline_ms)
        assignment = self.policy.assign(request, request.context) if given is None else given
        if request.instruction.task is Task.COMPOSITE:
            result = await self._composite(request, assignment, deadline, waiter)
        else:
            result = await self._single(request, assignment, deadline, waiter)
        for sink, pictures in self._sinks:
            try:
                sink.record(result.decision)
                if pictures is not None and pictures.wants_image(result.decision):
                    pictures.record_image(result.decision, request.image)
            except Exception:
                _log.exception("a sink failed to record decision %s; the answer is not affected", request.id)
        if self._shadow is not None and assignment.shadows:
            self._shadow.submit(request, assignment)
        return result

    async def _single(
        self, request: Request, assignment: Assignment, deadline: Deadline, waiter: Waiter
    ) -> Result:
        selected = self.policy.select(request, request.context, assignment)
        route = selected.route
        if deadline.budget_ms is None and route.deadline_ms is not None:
            deadline = replace(deadline, budget_ms=route.deadline_ms)
        run = await self._engine.run(route, _query(request), selected.licences, deadline, waiter)
        chosen = run.chosen
        return Result(
            request_id=request.id,
            task=request.instruction.task,
            outcome=run.outcome,
            decision=self._decision(request, selected.rule, assignment, run, deadline),
            image_size=request.image.size,
            payload=None if chosen is None else chosen.prediction.payload,
            sources=() if chosen is None else (chosen.backend,),
            candidates=run.candidates,
        )

    def _decision(
        self, request: Request, rule: str, assignment: Assignment, run: Run, deadline: Deadline
    ) -> Decision:
        elapsed_ms = deadline.elapsed_ms()
        return Decision(
            request_id=request.id,
            task=request.instruction.task,
            instruction=request.instruction.text,
            outcome=run.outcome,
            reason=run.reason,
            policy=self.policy.name,
            policy_hash=self.policy.digest,
            rule=rule,
            attempts=run.attempts,
            skipped=run.skipped,
            deadline_ms=deadline.budget_ms,
            elapsed_ms=elapsed_ms,
            overhead_ms=elapsed_ms - sum(a.latency_ms for a in run.attempts),
            notes=request.image.notes,
            tags=request.tags,
            variant=assignment.variant,
            experiment=assignment.experiment,
            variant_reason=assignment.reason,
            unit=assignment.unit,
            criticality=request.criticality.value,
            requested_ms=request.deadline_ms,
            image_size=request.image.size,
            has_prompts=bool(request.prompts),
            seed=request.seed,
            context=_plain(request.context),
        )

    async def _composite(
        self, request: Request, assignment: Assignment, deadline: Deadline, waiter: Waiter
    ) -> Result:
        named = _parts(request)
        results = await waiter.gather([self._single(part, assignment, deadline, waiter) for _, part in named])
        parts = {name: result for (name, _), result in zip(named, results, strict=True)}
        outcome, reason = joined_outcome(parts)
        payloads = {name: part.payload for name, part in parts.items() if part.payload is not None}
        payload = join(request.instruction, request.image, payloads) if len(payloads) == len(parts) else None
        elapsed_ms = deadline.elapsed_ms()
        decision = Decision(
            request_id=request.id,
            task=Task.COMPOSITE,
            instruction=request.instruction.text,
            outcome=outcome,
            reason=reason,
            policy=self.policy.name,
            policy_hash=self.policy.digest,
            rule="composite",
            deadline_ms=deadline.budget_ms,
            elapsed_ms=elapsed_ms,
            overhead_ms=elapsed_ms - max(part.decision.elapsed_ms for part in results),
            notes=request.image.notes,
            tags=request.tags,
            variant=assignment.variant,
            experiment=assignment.experiment,
            variant_reason=assignment.reason,
            unit=assignment.unit,
            criticality=request.criticality.value,
            requested_ms=request.deadline_ms,
            image_size=request.image.size,
            has_prompts=bool(request.prompts),
            seed=request.seed,
            context=_plain(request.context),
            children=tuple(part.decision for part in results),
        )
        return Result(
            request_id=request.id,
            task=Task.COMPOSITE,
            outcome=outcome,
            decision=decision,
            image_size=request.image.size,
            payload=payload,
            sources=tuple(dict.fromkeys(source for part in results for source in part.sources)),
            candidates=tuple(candidate for part in results for candidate in part.candidates),
        )


def _plain(context: Mapping[str, object]) -> Mapping[str, str | bool | int | float]:
    return (
        {k: v for k, v in context.items() if isinstance(v, str | bool | int | float)}
        if context
        else _NO_CONTEXT
    )


def _parts(request: Request) -> list[tuple[str, Request]]:
    """A composite's steps as requests of their own; any other request as the one it is."""
    if request.instruction.task is not Task.COMPOSITE:
        return [(request.instruction.task.value, request)]
    return [
        (step.name, replace(request, instruction=step.instruction, id=f"{request.id}.{step.name}"))
        for step in plan(request.instruction)
    ]


def _query(request: Request) -> Query:
    instruction = request.instruction
    palette: Palette = instruction.palette
    return Query(
        instruction.task,
        request.image,
        instruction.targets,
        palette,
        request.prompts,
        request.seed,
        instruction.text,
    )


def _prompts(boxes: object, points: object, point_labels: object) -> Prompts:
    if boxes is None and points is None:
        return NO_PROMPTS
    try:
        b = np.asarray([] if boxes is None else boxes, np.float32).reshape(-1, 4)
        p = np.asarray([] if points is None else points, np.float32).reshape(-1, 2)
        labels = np.ones(len(p), np.uint8) if point_labels is None else np.asarray(point_labels, np.uint8)
    except (TypeError, ValueError) as error:
        raise RequestError("boxes are rows of x1 y1 x2 y2 and points rows of x y, in pixels") from error
    try:
        return Prompts(b, p, labels)
    except SchemaError as error:
        raise RequestError(str(error)) from error


def _criticality(value: Criticality | str) -> Criticality:
    try:
        return Criticality(value)
    except ValueError as error:
        known = ", ".join(Criticality)
        raise RequestError(f"criticality {value!r} is not one of: {known}") from error
