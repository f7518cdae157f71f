"""One cell of the matrix run, and what became of the request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from visionrouter.backends.isolation import IsolatedBackend
from visionrouter.benchmarks.chaos.faults import Fault, let_go, stricken
from visionrouter.benchmarks.chaos.matrix import FORWARDS, LEDGER, Cell, cells
from visionrouter.benchmarks.chaos.setting import Setting, setting
from visionrouter.benchmarks.chaos.surroundings import (
    DAY_S,
    LARGE,
    QUEUE_LIMIT,
    full_ledger,
    full_queues,
    full_telemetry,
    heard,
    jumping_clock,
)
from visionrouter.confidence.agreement import AGREEMENT, agree
from visionrouter.engine.options import EngineOptions
from visionrouter.policies import PolicySource
from visionrouter.router import CalibrationSource, Router
from visionrouter.schema.arrays import F32
from visionrouter.schema.decision import Outcome, Sink
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import ImageSource
from visionrouter.schema.payload import DepthMap, Intrinsics, NormalMap, Payload
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result
from visionrouter.schema.task import Task

GRACE_MS = 2000.0
"""How long past its deadline a request may take before it counts as lost."""
LOST = "lost"
VOUCHED = frozenset({Outcome.ACCEPTED, Outcome.FELL_BACK, Outcome.MERGED})
"""Outcomes by which the router stands behind its answer."""
_HARMLESS = frozenset({Fault.CLOCK_JUMP, Fault.DISK_FULL})
"""Faults of no backend: the answer must be what it is without them."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the request in one cell.

    `outcome` is the result's, the name of the typed error that was raised instead, or "lost". `by`: whose answer it is.
    `noticed`: what was said of the backends that were struck, "" where none was asked. `notes`: what the decision, or a
    sink, noted. `lost`: neither a result nor a typed error within the deadline and `GRACE_MS`, or an answer or a record
    that went missing though no backend was struck. `wrong`: vouched for, and not the right answer.
    """

    fault: Fault
    where: str
    outcome: str
    by: tuple[str, ...] = ()
    reason: str = ""
    noticed: tuple[str, ...] = ()
    ms: float = 0.0
    lost: bool = False
    wrong: bool = False
    notes: tuple[str, ...] = ()


def run(
    policy: PolicySource,
    faults: Sequence[Fault] = tuple(Fault),
    task: Task = Task.DEPTH,
    *,
    profile: str | Path | None = None,
    image: ImageSource | None = None,
    deadline_ms: float = 500.0,
    calibrations: Sequence[CalibrationSource] = (),
) -> Iterator[Row]:
    """Run the matrix of `faults` a cell at a time; the first row is that of no fault. Raises what `setting` raises."""
    with setting(
        policy, task, profile=profile, image=image, deadline_ms=deadline_ms, calibrations=calibrations
    ) as made:
        well: Row | None = None
        for cell in cells(faults, made.route):
            row = run_cell(made, cell)
            well = well or row
            if cell.fault in _HARMLESS and _differs(row, well):
                # once more, both of them: a machine that stalled is not the clock's doing
                row = _harmed(run_cell(made, cell), run_cell(made, Cell(Fault.NONE)))
            yield row


def run_cell(made: Setting, cell: Cell) -> Row:
    """Plant the fault, put the request, and say what came of it."""
    struck = {
        name: stricken(made.backends[name], cell.fault, made.route.index(name), made.deadline_ms)
        for name in cell.struck
    }
    with ExitStack() as stack:
        log = stack.enter_context(heard())
        sinks: list[Sink] = []
        became: Callable[[], str] = str
        if cell.fault is Fault.DISK_FULL:
            disk = full_ledger() if cell.where == LEDGER else full_telemetry()
            sink, became = stack.enter_context(disk)
            sinks.append(sink)
        backends = {**made.backends, **struck}
        options = EngineOptions(queue_limit=QUEUE_LIMIT)
        router = stack.enter_context(
            Router(
                backends,
                made.policy,
                limits=made.limits,
                opinions=made.opinions,
                calibrations=made.calibrations,
                sinks=sinks,
                options=options,
            )
        )
        stack.callback(let_go, struck.values())
        for backend in struck.values():
            if isinstance(backend, IsolatedBackend):
                backend.load()
        if cell.fault is Fault.FULL_QUEUE:
            stack.enter_context(full_queues(router, cell.struck, made.request))
        if cell.fault is Fault.CLOCK_JUMP:
            stack.enter_context(jumping_clock(DAY_S if cell.where == FORWARDS else -DAY_S))
        request = made.request
        if cell.where == LEDGER:
            request = replace(request, tags={**request.tags, "large": "x" * LARGE})
        row = _asked(router, request, made, cell)
        if cell.fault is Fault.DISK_FULL:
            said = became()
            row = replace(row, lost=row.lost or not log, notes=(said, *(["logged"] if log else [])))
        return row


def _asked(router: Router, request: Request, made: Setting, cell: Cell) -> Row:
    answer: Future[Result] = Future()

    def ask() -> None:
        try:
            answer.set_result(router.answer(request))
        except BaseException as error:
            answer.set_exception(error)

    begun_s = perf_counter()
    threading.Thread(target=ask, name="visionrouter-chaos", daemon=True).start()
    try:
        result = answer.result((made.deadline_ms + GRACE_MS) / 1000)
    except TimeoutError:
        said = f"nothing within {made.deadline_ms:g} + {GRACE_MS:g} ms"
        return Row(cell.fault, cell.where, LOST, ms=_since_ms(begun_s), lost=True, notes=(said,))
    except Exception as error:
        is_typed = isinstance(error, VisionRouterError)
        said, ms = type(error).__name__, _since_ms(begun_s)
        return Row(cell.fault, cell.where, said, ms=ms, lost=not is_typed, notes=(str(error),))
    return _row(result, made, cell, _since_ms(begun_s))


def _row(result: Result, made: Setting, cell: Cell, ms: float) -> Row:
    decision = result.decision
    of_struck = [attempt for attempt in decision.attempts if attempt.backend in cell.struck]
    notes = (*decision.notes, *(note for attempt in decision.attempts for note in attempt.notes))
    return Row(
        cell.fault,
        cell.where,
        result.outcome.value,
        result.sources,
        decision.reason.value,
        tuple(dict.fromkeys(attempt.verdict.reason.value for attempt in of_struck)),
        ms,
        wrong=result.outcome in VOUCHED and not _is_right(result, made),
        notes=tuple(dict.fromkeys(notes)),
    )


def _is_right(result: Result, made: Setting) -> bool:
    """Whether a result is the answer of the backends it names while they are well, or joined of such answers."""
    payload = result.payload
    if payload is None or not set(result.sources) <= made.right.keys():
        return False
    well = [made.right[name] for name in result.sources]
    if len(well) == 1:
        return payload == well[0]
    has_nan = any(np.isnan(values).any() for values in _maps(payload))
    return not has_nan and all(agree(AGREEMENT[result.task], payload, other) for other in well)


def _maps(payload: Payload) -> Iterable[F32]:
    match payload:
        case DepthMap() | NormalMap():
            return (payload.values,)
        case Intrinsics():
            return payload.maps.values()
        case _:
            return ()


def _differs(row: Row, other: Row) -> bool:
    return (row.outcome, row.by, row.reason) != (other.outcome, other.by, other.reason)


def _harmed(row: Row, well: Row) -> Row:
    """The row of a fault that is no backend's, lost where the answer is not what it was without the fault."""
    if not _differs(row, well):
        return row
    return replace(row, lost=True, notes=(*row.notes, f"without the fault: {well.outcome} ({well.reason})"))


def _since_ms(begun_s: float) -> float:
    return (perf_counter() - begun_s) * 1000


def counts(rows: Sequence[Row]) -> Mapping[str, int]:
    """How many rows ended in each outcome, most frequent first."""
    outcomes = [row.outcome for row in rows]
    return dict(sorted(((o, outcomes.count(o)) for o in set(outcomes)), key=lambda pair: (-pair[1], pair[0])))
