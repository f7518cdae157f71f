"""Errors that keep their type on the way from one process to another. Any other arrives as a `BackendError`."""

from __future__ import annotations

from visionrouter.schema.errors import (
    BackendError,
    ImageError,
    InstructionError,
    MissingExtraError,
    ProfileError,
    RequestError,
    ResourceError,
    SchemaError,
    UnsupportedTargetError,
    WeightsError,
)

RAISED: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        *(BackendError, MissingExtraError, WeightsError, UnsupportedTargetError, ResourceError),
        *(ImageError, InstructionError, ProfileError, RequestError, SchemaError, MemoryError),
    )
}


def raised(name: str, message: str) -> Exception:
    kind = RAISED.get(name)
    return BackendError(f"{name}: {message}") if kind is None else kind(message)
