"""What was raised, as a reason; and whether it speaks against the backend's health."""

from __future__ import annotations

from concurrent.futures import CancelledError

from visionrouter.schema.decision import Reason
from visionrouter.schema.errors import (
    ClosedError,
    CrashedError,
    CredentialsError,
    ExpiredError,
    ForkedError,
    HungError,
    MissingExtraError,
    OverloadedError,
    RefusedError,
    ResourceError,
    SchemaError,
    UnsupportedTargetError,
    WeightsError,
)

_REASONS: tuple[tuple[type[BaseException], Reason], ...] = (
    (UnsupportedTargetError, Reason.UNSUPPORTED_TARGET),
    (RefusedError, Reason.REFUSED),
    (OverloadedError, Reason.OVERLOADED),
    (ExpiredError, Reason.DEADLINE_EXCEEDED),
    (CrashedError, Reason.CRASHED),
    (HungError, Reason.HUNG),
    (ForkedError, Reason.NOT_LOADED),
    (MissingExtraError, Reason.NOT_LOADED),
    (WeightsError, Reason.NOT_LOADED),
    (CredentialsError, Reason.NOT_LOADED),
    (ResourceError, Reason.OUT_OF_MEMORY),
    (MemoryError, Reason.OUT_OF_MEMORY),
    (SchemaError, Reason.INVALID_OUTPUT),
    (ClosedError, Reason.CANCELLED),
    (CancelledError, Reason.CANCELLED),
)

HARMLESS = frozenset(
    {
        Reason.UNSUPPORTED_TARGET,
        Reason.REFUSED,
        Reason.OVERLOADED,
        Reason.CANCELLED,
        Reason.DEADLINE_EXCEEDED,
    }
)
"""Reasons that do not count against a backend in its breaker."""


def reason_of(error: BaseException) -> Reason:
    """The reason code of an exception raised by a backend or on the way to it."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        return Reason.OUT_OF_MEMORY
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), Reason.BACKEND_ERROR)
