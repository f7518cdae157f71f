"""A backend with what stands around it."""

from __future__ import annotations

from dataclasses import dataclass

from visionrouter.backends.base import Backend
from visionrouter.engine.breaker import Breaker
from visionrouter.engine.worker import Worker


@dataclass(frozen=True, slots=True)
class Lane:
    """A backend with its worker and its breaker."""

    backend: Backend
    worker: Worker
    breaker: Breaker

    @property
    def name(self) -> str:
        return self.backend.spec.name
