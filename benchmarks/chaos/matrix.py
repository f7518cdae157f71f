"""The cells of the matrix: which fault strikes whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from visionrouter.benchmarks.chaos.faults import Fault

FORWARDS, BACKWARDS = "forwards", "backwards"
LEDGER, TELEMETRY = "ledger", "telemetry"


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault, where it strikes in words, and the backends that it strikes, if any, in the order of the route."""

    fault: Fault
    where: str = ""
    struck: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.fault} {self.where}".strip()


def cells(faults: Sequence[Fault], backends: Sequence[str]) -> Iterator[Cell]:
    """No fault, then each fault at each of `backends` (those of the route, in order) and at all of them at once.

    The clock jumps both ways, and the disk fills up under the ledger (where its library is installed) and telemetry.
    """
    yield Cell(Fault.NONE)
    for fault in faults:
        match fault:
            case Fault.NONE:
                continue
            case Fault.CLOCK_JUMP:
                yield from (Cell(fault, way) for way in (FORWARDS, BACKWARDS))
            case Fault.DISK_FULL:
                if find_spec("sqlalchemy") is not None:
                    yield Cell(fault, LEDGER)
                yield Cell(fault, TELEMETRY)
            case _:
                for place, name in enumerate(backends):
                    yield Cell(fault, f"{_ordinal(place, len(backends))}: {name}", (name,))
                if len(backends) > 1:
                    yield Cell(fault, "all", tuple(backends))


def _ordinal(place: int, count: int) -> str:
    if count == 1:
        return "only"
    return "first" if place == 0 else "last" if place == count - 1 else str(place + 1)
