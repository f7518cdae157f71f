"""Refusing what a backend does not do."""

from __future__ import annotations

from visionrouter.backends.base import BackendSpec
from visionrouter.schema.errors import BackendError
from visionrouter.schema.request import Query


def check_task(spec: BackendSpec, query: Query) -> None:
    """Raise `BackendError` for a task that `spec` does not declare."""
    if query.task not in spec.tasks:
        does = ", ".join(sorted(spec.tasks)) or "no task"
        raise BackendError(
            f"{spec.name} does not do {query.task}; it does {does}. Route the task to another backend"
        )
