"""What a matrix is run in: a policy, its backends while they are well, and one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from visionrouter.backends.base import Backend, BackendSpec, Kind
from visionrouter.backends.fake import ALL_TASKS, FakeBackend
from visionrouter.backends.profile import Profile, load_profile
from visionrouter.benchmarks.chaos.calibrated import calibrated, reads_calibration
from visionrouter.intake import query_of
from visionrouter.policies import (
    CompiledPolicy,
    Licences,
    PolicySource,
    compile_policy,
    load_policy,
    resolve,
)
from visionrouter.router import CalibrationSource, Router
from visionrouter.schema.errors import RequestError
from visionrouter.schema.image import ImageSource, load_image
from visionrouter.schema.payload import Payload
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query, Request
from visionrouter.schema.route import KIND_WORDS, Limit, Limits, Opinion, Route
from visionrouter.schema.task import Task

FAKES: Mapping[str, Kind] = {
    "specialist-1": "specialist",
    "specialist-2": "specialist",
    "generative-1": "generative",
}
"""The backends of a matrix that is given no profile."""
_SIZE = (96, 128)


class Kept(Backend):
    """A backend whose weights outlive the routers that it is lent to. `release` lets go of them."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.spec = inner.spec
        self._is_loaded = False

    def load(self) -> None:
        if not self._is_loaded:
            self._inner.load()
            self._is_loaded = True

    def predict(self, queries: Sequence[Query]) -> Sequence[Prediction]:
        return self._inner.predict(queries)

    def release(self) -> None:
        self._inner.close()


@dataclass(frozen=True, slots=True)
class Setting:
    """`route`: the backends that the request can come to, in order, those that give second opinions last. `right`: what
    each of them answers while it is well, but for one that raises."""

    policy: CompiledPolicy
    backends: Mapping[str, Kept]
    request: Request
    limits: Mapping[str, Mapping[Task, Limits]] = field(default_factory=dict)
    opinions: Mapping[str, Mapping[Task, Opinion]] = field(default_factory=dict)
    calibrations: tuple[CalibrationSource, ...] = ()
    route: tuple[str, ...] = ()
    right: Mapping[str, Payload] = field(default_factory=dict)

    @property
    def deadline_ms(self) -> float:
        assert self.request.deadline_ms is not None
        return self.request.deadline_ms


@contextmanager
def setting(
    policy: PolicySource,
    task: Task,
    *,
    profile: str | Path | None = None,
    image: ImageSource | None = None,
    deadline_ms: float = 500.0,
    calibrations: Sequence[CalibrationSource] = (),
) -> Iterator[Setting]:
    """A policy over the backends of `profile`, or over fakes that know the right answer and are calibrated.

    Raises `PolicyError`, `ProfileError`, `RequestError`, `ImageError` or `CalibrationError` for a user's mistake, and the
    `BackendError` of a backend that cannot be loaded.
    """
    if task is Task.COMPOSITE:
        raise RequestError("a composite is asked of no backend; name one of the tasks it is made of")
    if profile is not None and image is None:
        raise RequestError("real backends need a picture of something; give an image with the profile")
    compiled = compile_policy(load_policy(policy))
    real = None if profile is None else load_profile(profile)
    backends, limits = _fakes(compiled, task) if real is None else _kept(real)
    opinions = {} if real is None else real.opinions
    try:
        with Router(backends, compiled, limits=limits, opinions=opinions) as router:
            pixels = _noise() if image is None else image
            request = _request(router, pixels, task, deadline_ms)
            made_with = router.made_with(request)
        why = compiled.explain(request, request.context, compiled.assign(request, request.context))
        able = [b.spec for b in backends.values() if request.prompts or not b.spec.needs_prompts]
        route = _asked(why.route, task, able, why.licences)
        if not route:
            raise RequestError(f"policy {compiled.name}: no backend here is asked for {task.value}")
        if profile is None and reads_calibration(why.route):
            calibrations = (calibrated(made_with, task), *calibrations)
        right = _right({name: backends[name] for name in route}, query_of(request))
        yield Setting(compiled, backends, request, limits, opinions, tuple(calibrations), route, right)
    finally:
        for backend in backends.values():
            backend.release()


def _request(router: Router, image: ImageSource, task: Task, deadline_ms: float) -> Request:
    """The same at every run: its id decides the arm of an experiment."""
    picture = load_image(image)
    middle = [[picture.width / 4, picture.height / 4, picture.width * 3 / 4, picture.height * 3 / 4]]
    boxes = middle if task is Task.PROMPTABLE else None
    return replace(router.request(picture, task, boxes=boxes, deadline_ms=deadline_ms), id="chaos")


def _asked(route: Route, task: Task, able: Sequence[BackendSpec], licences: Licences) -> tuple[str, ...]:
    """Who can be asked along a route: its stops in order, then those who are only there to give second opinions."""
    stops = [choice.backend for choice in resolve(route, task, able, licences).choices]
    if route.check is None:
        return tuple(stops)
    meant = [s.name for s in able if task in s.tasks and route.check.backend in (s.name, s.kind, "any")]
    checkers = [next((name for name in meant if name != stop), stop) for stop in stops]
    return tuple(dict.fromkeys((*stops, *checkers)))


def _right(backends: Mapping[str, Backend], query: Query) -> dict[str, Payload]:
    right = {}
    for name, backend in backends.items():
        backend.load()
        with suppress(Exception):
            right[name] = backend.predict([query])[0].payload
    return right


def _noise() -> ImageSource:
    return np.random.default_rng(0).integers(0, 256, (*_SIZE, 3), np.uint8)


def _kept(made: Profile) -> tuple[dict[str, Kept], Mapping[str, Mapping[Task, Limits]]]:
    return {name: Kept(backend) for name, backend in made.backends.items()}, made.limits


def _fakes(policy: CompiledPolicy, task: Task) -> tuple[dict[str, Kept], Mapping[str, Mapping[Task, Limits]]]:
    """Two specialists and a generalist; where the policy names its backends, a specialist for each name."""
    routes = [policy.default, *(rule.selected.route for rule in policy.rules)]
    names = dict.fromkeys(name for route in routes for name in _named(route))
    kinds = {name: FAKES.get(name, "specialist") for name in names} or FAKES
    if any(word in KIND_WORDS for route in routes for word in _words(route)):
        kinds = {**kinds, **FAKES}
    backends = {
        name: Kept(FakeBackend(name, kind=kind, tasks=ALL_TASKS, inline=False, remember=False))
        for name, kind in kinds.items()
    }
    return backends, {name: {task: {"score": Limit(min=0.5)}} for name in backends}


def _words(route: Route) -> list[str]:
    return [choice.backend for choice in route.try_] + ([] if route.check is None else [route.check.backend])


def _named(route: Route) -> list[str]:
    return [word for word in _words(route) if word not in KIND_WORDS]
