"""From a route and a task to the backends that are really asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from visionrouter.policies.licences import Licences
from visionrouter.schema.decision import Reason
from visionrouter.schema.route import KIND_WORDS, Choice, Route
from visionrouter.schema.task import Task


class BackendInfo(Protocol):
    """What a policy needs to know of a backend; `BackendSpec` has it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def tasks(self) -> Collection[Task]: ...
    @property
    def licence(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """Backends in the order they are asked, each with its gate (never None), and those left out with the reason."""

    choices: tuple[Choice, ...]
    skipped: tuple[tuple[str, Reason], ...] = ()


def resolve(route: Route, task: Task, backends: Iterable[BackendInfo], licences: Licences) -> Resolved:
    """Write out a route's `try` list for one task.

    `generative`, `specialist` and `any` stand for all of that kind that do `task`, in the order of `backends` (the
    profile's). A backend reached twice is asked once, where it comes first. One that does not do `task` is left out;
    one whose licence is denied, or that is not there at all, is left out and listed.
    """
    known = {backend.name: backend for backend in backends}
    choices: dict[str, Choice] = {}
    skipped: dict[str, Reason] = {}
    for choice in route.try_:
        meant = [backend for backend in known.values() if choice.selects(backend.name, backend.kind)]
        if not meant and choice.backend not in KIND_WORDS:
            skipped[choice.backend] = Reason.NO_BACKEND
        for backend in meant:
            if task not in backend.tasks:
                continue
            if not licences.permits(backend.licence):
                skipped[backend.name] = Reason.LICENCE_DENIED
            elif backend.name not in choices:
                choices[backend.name] = replace(
                    choice, backend=backend.name, accept=choice.accept or route.accept
                )
    return Resolved(tuple(choices.values()), tuple(skipped.items()))
