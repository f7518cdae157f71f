"""Errors that keep their type on the way from one process to another. Any other arrives as a `BackendError`."""

from __future__ import annotations

from collections.abc import Mapping

from visionrouter.schema.errors import (
    BackendError,
    CredentialsError,
    ImageError,
    InstructionError,
    MissingExtraError,
    OverloadedError,
    ProfileError,
    RefusedError,
    RequestError,
    ResourceError,
    SchemaError,
    UnsupportedTargetError,
    VisionRouterError,
    WeightsError,
)

RAISED: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        *(BackendError, MissingExtraError, WeightsError, UnsupportedTargetError, ResourceError),
        *(CredentialsError, OverloadedError, RefusedError),
        *(ImageError, InstructionError, ProfileError, RequestError, SchemaError, MemoryError),
    )
}


def raised(name: str, message: str, spent: Mapping[str, float]) -> Exception:
    kind = RAISED.get(name)
    error = BackendError(f"{name}: {message}") if kind is None else kind(message)
    if isinstance(error, VisionRouterError):
        error.spent = spent
    return error
