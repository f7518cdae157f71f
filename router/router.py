"""The one object a user holds."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.cache import CacheState, ResultCache, cache_key
from visionrouter.confidence.calibrations import Calibrations, Drift, scope_of
from visionrouter.confidence.scope import MadeWith, Scope
from visionrouter.engine.deadline import Deadline
from visionrouter.engine.engine import Engine
from visionrouter.engine.options import EngineOptions, LaneState
from visionrouter.engine.waiting import AsyncWaiter, BlockingWaiter, Waiter, drive
from visionrouter.intake import parts_of, query_of, request_of
from visionrouter.policies import (
    Assignment,
    CompiledPolicy,
    PolicySource,
    check_against,
    compile_policy,
    load_policy,
)
from visionrouter.results import asked, composite_result, single_result
from visionrouter.schema.decision import Decision, Sink
from visionrouter.schema.errors import CalibrationError, PolicyError, VisionRouterError
from visionrouter.schema.image import DEFAULT_LIMITS, Image, ImageLimits, ImageSource, load_image
from visionrouter.schema.request import Criticality, Request
from visionrouter.schema.result import Result
from visionrouter.schema.route import Limits, Opinion
from visionrouter.schema.task import Instruction, Task

if TYPE_CHECKING:
    from visionrouter.confidence.documents import CalibrationDocument
    from visionrouter.confidence.drift import Suspension
    from visionrouter.preview import Explanation

CalibrationSource: TypeAlias = "CalibrationDocument | str | Path"
"""A calibration read already, or the path of one."""

_log = logging.getLogger("visionrouter")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ShadowRunner(Protocol):
    """Runs other arms of a request that was given `answer`. `submit` must neither wait nor raise."""

    def submit(self, request: Request, assignment: Assignment, answer: Result) -> None: ...


@runtime_checkable
class ImageSink(Protocol):
    """A sink that may keep the picture of a decision; neither method may wait."""

    def wants_image(self, decision: Decision) -> bool: ...

    def record_image(self, decision: Decision, image: Image) -> None: ...


class Router:
    """Routes requests over backends by a policy.

    `backends` come from a profile (`Router.from_profile("nano")`) or are given. `policy` is a preset's name, a path or
    a compiled policy. `limits`: per backend and task, what a prediction must keep to be accepted. `opinions`: likewise,
    when it speaks for or against another's; where nothing is said, when it keeps its limits. `calibrations`: files
    that `calibrate` wrote, for policies that accept by confidence or by risk. `sinks` are handed every decision.
    `cache` keeps answers to give them again. `shadow` runs the arms that the policy draws beside the answer.

    Weights are read at the first request that needs them, or by `warm_up`. Use as a context manager, or call `close`.
    A router may be used from several threads and event loops at once.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend] | Iterable[Backend],
        policy: PolicySource | CompiledPolicy = "default",
        *,
        limits: Mapping[str, Mapping[Task, Limits]] = _NOTHING,
        opinions: Mapping[str, Mapping[Task, Opinion]] = _NOTHING,
        calibrations: Sequence[CalibrationSource] = (),
        drift: Drift | None = None,
        sinks: Sequence[Sink] = (),
        shadow: ShadowRunner | None = None,
        image_limits: ImageLimits = DEFAULT_LIMITS,
        options: EngineOptions = EngineOptions(),
        cache: ResultCache | None = None,
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
        documents = _documents(calibrations)
        self._calibrations = Calibrations(limits, documents, drift, opinions)
        self._engine = Engine(named, self._calibrations, options)
        self._blocking = BlockingWaiter(self._engine.lateness)
        self._yielding = AsyncWaiter(self._engine.lateness)
        self._cache = cache
        weights = {n: b.spec.weights_digest or b.spec.version for n, b in named.items()}
        self._stands_on = repr((weights, limits, opinions, [document.digest for document in documents]))
        self._finalizer = weakref.finalize(self, self._engine.close)

    @classmethod
    def from_profile(
        cls,
        profile: str | Path = "nano",
        policy: PolicySource | CompiledPolicy = "default",
        *,
        calibrations: Sequence[CalibrationSource] = (),
        drift: Drift | None = None,
        sinks: Sequence[Sink] = (),
        shadow: ShadowRunner | None = None,
        image_limits: ImageLimits = DEFAULT_LIMITS,
        options: EngineOptions = EngineOptions(),
        cache: ResultCache | None = None,
    ) -> Self:
        """A router over the backends of a profile: one in the package by name, or a YAML file."""
        from visionrouter.backends.profile import load_profile

        made = load_profile(profile)
        return cls(
            made.backends,
            policy,
            limits=made.limits,
            opinions=made.opinions,
            calibrations=calibrations,
            drift=drift,
            sinks=sinks,
            shadow=shadow,
            image_limits=image_limits,
            options=options,
            cache=cache,
        )

    def run(self, image: ImageSource, instruction: str | Instruction | Task, **options: Any) -> Result:
        """Answer one request on the calling thread; no event loop is needed. Takes what `request` takes.

        Raises `ImageError`, `InstructionError` or `RequestError` for a user's mistake; what backends do never raises.
        """
        started_s = perf_counter()
        request = self.request(image, instruction, **options)
        return drive(self._answer(request, self._blocking, started_s=started_s))

    def answer(self, request: Request, assignment: Assignment | None = None) -> Result:
        """As `run`, for a request that is made already; in the arm of `assignment` where one is given."""
        return drive(self._answer(request, self._blocking, assignment))

    async def arun(self, image: ImageSource, instruction: str | Instruction | Task, **options: Any) -> Result:
        """As `run`, from asyncio: images are decoded off the loop, and parts of a composite run side by side."""
        import asyncio

        started_s = perf_counter()
        if not isinstance(image, Image | np.ndarray):
            image = await asyncio.to_thread(load_image, image, self._image_limits)
        request = self.request(image, instruction, **options)
        return await self._answer(request, self._yielding, started_s=started_s)

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
        return request_of(
            image,
            instruction,
            self._image_limits,
            boxes=boxes,
            points=points,
            point_labels=point_labels,
            tags=tags,
            context=context,
            deadline_ms=deadline_ms,
            criticality=criticality,
            seed=seed,
        )

    def explain(
        self, image: ImageSource, instruction: str | Instruction | Task, **options: Any
    ) -> Explanation:
        """What would be done with this request, and why, without running any model."""
        from visionrouter.preview import explained

        request = self.request(image, instruction, **options)
        return explained(request, self.policy, self._engine)

    def made_with(self, request: Request) -> Mapping[str, MadeWith]:
        """What the answers to a request are made with, by who makes them; "a+b" for those of a mended with b's."""
        found: dict[str, MadeWith] = {}
        for _, part in parts_of(request):
            selected = self.policy.select(part, part.context)
            found |= self._engine.made_with(selected.route, query_of(part), selected.licences)
        return found

    def audit(self, subject: str, task: Task, loss: float, probability: float = 1.0) -> None:
        """Tell the drift watch the loss, in [0, 1], of an accepted answer that was drawn for audit at this probability.

        Raises `CalibrationError` where nothing watches the subject's answers to this task.
        """
        watches = self._calibrations.watches(scope_of(subject, task))
        audits = [watch.audit for watch in watches if watch.audit is not None]
        if not audits:
            raise CalibrationError(
                f"no drift watch for {subject} on {task}; give its calibration and drift to the router"
            )
        for audit in audits:
            audit.update(loss, probability)

    def suspensions(self) -> Mapping[Scope, Suspension]:
        """The drift alarms that stand, by what they are about."""
        return self._calibrations.suspensions()

    def states(self) -> dict[str, LaneState]:
        """Breaker state and load of every backend, now."""
        return self._engine.states()

    def cache_state(self) -> CacheState | None:
        """What the result cache holds, and how often it helped; None without one."""
        return None if self._cache is None else self._cache.state

    def warm_up(self) -> None:
        """Read every backend's weights now. Raises the first `BackendError` met."""
        self._engine.warm_up()

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

    async def _answer(
        self,
        request: Request,
        waiter: Waiter,
        given: Assignment | None = None,
        started_s: float | None = None,
    ) -> Result:
        deadline = self._deadline(request.deadline_ms, started_s)
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
            self._shadow.submit(request, assignment, result)
        return result

    def _deadline(self, budget_ms: float | None, started_s: float | None) -> Deadline:
        margin_ms = 0.0 if budget_ms is None else self._engine.lateness.margin_ms(budget_ms)
        return Deadline.of(budget_ms, started_s, margin_ms)

    async def _single(
        self, request: Request, assignment: Assignment, deadline: Deadline, waiter: Waiter
    ) -> Result:
        selected = self.policy.select(request, request.context, assignment)
        route = selected.route
        key = None
        if self._cache is not None:
            stands_on = self._stands_on + repr(sorted(map(str, self.suspensions())))
            key = cache_key(request, route, stands_on)
            kept = self._cache.get(key, request, selected.rule, deadline.elapsed_ms())
            if kept is not None:
                return replace(kept, decision=replace(kept.decision, **asked(request, assignment)))
        if deadline.budget_ms is None and route.deadline_ms is not None:
            deadline = self._deadline(route.deadline_ms, deadline.start_s)
        run = await self._engine.run(
            route, query_of(request), selected.licences, request.tags, deadline, waiter
        )
        result = single_result(request, self.policy, selected.rule, assignment, run, deadline)
        if self._cache is not None and key is not None:
            self._cache.put(key, result)
        return result

    async def _composite(
        self, request: Request, assignment: Assignment, deadline: Deadline, waiter: Waiter
    ) -> Result:
        named = parts_of(request)
        results = await waiter.gather([self._single(part, assignment, deadline, waiter) for _, part in named])
        parts = {name: result for (name, _), result in zip(named, results, strict=True)}
        return composite_result(request, self.policy, assignment, parts, deadline)


def _documents(sources: Sequence[CalibrationSource]) -> list[CalibrationDocument]:
    if not sources:
        return []
    from visionrouter.confidence.documents import load_calibration

    return [load_calibration(s) if isinstance(s, str | Path) else s for s in sources]
