"""A backend in a process of its own, so that what hangs, crashes or swells there is ended without harm here."""

from visionrouter.backends.isolation.backend import IsolatedBackend, IsolationLimits

__all__ = ["IsolatedBackend", "IsolationLimits"]
