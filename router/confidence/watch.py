"""The drift watches of one scope, which the gate asks before it believes a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from visionrouter.confidence.calibrator import EvidenceMissingError
from visionrouter.confidence.drift import AuditWatch, EvidenceWatch, Suspension


@dataclass(frozen=True, slots=True)
class ScopeWatch:
    """`evidence` sees the signals of every answer that comes to the gate, `audit` the labels that come later. Both may
    raise a false alarm with probability at most their delta over their whole life."""

    evidence: EvidenceWatch | None = None
    audit: AuditWatch | None = None

    @property
    def suspension(self) -> Suspension | None:
        """The alarm that stands, None while both are silent."""
        alarms = (watch.suspension for watch in (self.audit, self.evidence) if watch is not None)
        return next((alarm for alarm in alarms if alarm is not None), None)

    def see(self, signals: Mapping[str, float]) -> None:
        """The signals of one answer. One that lacks a signal is passed over: the gate refuses it by itself."""
        if self.evidence is None:
            return
        try:
            self.evidence.update(signals)
        except EvidenceMissingError:
            return
