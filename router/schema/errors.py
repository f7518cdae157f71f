"""The errors a user can meet. Every message says what was wrong, where, and the mend."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class VisionRouterError(Exception):
    """Root of every error raised on purpose by visionrouter.

    `spent`: what the attempt that failed cost all the same, by the names of signals ("cost_usd"); empty where nothing is
    known of it.
    """

    exit_code = 2
    spent: Mapping[str, float] = MappingProxyType({})


class ImageError(VisionRouterError):
    """The image cannot be read, is not an image, or is over a cap."""


class InstructionError(VisionRouterError):
    """The words were not understood, or can mean two things. `nearest` lists what would be understood."""

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.nearest = nearest


class RequestError(VisionRouterError):
    """A field of the request is missing or out of range."""


class SchemaError(VisionRouterError):
    """An array or a field of a payload breaks its contract of shape, dtype, range or finiteness."""


class PolicyError(VisionRouterError):
    """A policy file is not valid, or does not fit the backends at hand."""


class ProfileError(VisionRouterError):
    """A profile is not valid or names a backend that does not exist."""


class CalibrationError(VisionRouterError):
    """Labelled data cannot be calibrated on, or a calibration file is not valid or not the one that was made."""


class FetchError(VisionRouterError):
    """Weights were asked for that the hub does not give: offline, unknown, gated, or a licence not accepted."""


class BackendError(VisionRouterError):
    """A backend failed. Raised inside an attempt; it ends in a fallback or an abstention with its reason."""

    exit_code = 4


class MissingExtraError(BackendError):
    """A library that a backend needs is not installed; the message names the extra."""


class WeightsError(BackendError):
    """Weights are missing, or their digest is not the one the profile declares."""


class CredentialsError(BackendError):
    """A hosted model was given no key, or one that it does not accept."""


class UnsupportedTargetError(BackendError):
    """A backend with a closed vocabulary has no label for what was asked."""


class RefusedError(BackendError):
    """A model declined to answer this image or these words; asking it again would not help."""


class ResourceError(BackendError):
    """A backend ran out of memory or of another resource."""


class OverloadedError(BackendError):
    """A backend's queue is full, so the attempt was refused at once."""


class ExpiredError(BackendError):
    """A query waited for its backend until its time was up, so it was not run."""


class LostError(BackendError):
    """The process of an isolated backend ended before it answered. A new one is started for the next query."""


class CrashedError(LostError):
    """It ended by itself: an exit, a signal, a crash."""


class HungError(LostError):
    """It gave no answer within its hard limit and was killed."""


class MemoryCapError(LostError, ResourceError):
    """It held more memory than its cap and was killed."""


class ForkedError(BackendError):
    """Weights were read before this process was forked from another, and do not survive that."""


class ClosedError(VisionRouterError):
    """The router or the backend was closed before this call."""


class LedgerError(VisionRouterError):
    """A ledger cannot be opened, read or written, or a label does not fit it."""


class LedgerVersionError(LedgerError):
    """A ledger was written by a newer version of the program, or by an older one and not brought up to date."""


class ExperimentError(VisionRouterError):
    """Results that cannot be compared or replayed as asked: unpaired, too few, or without the metric."""
