"""Policies put to the proof on cases that were answered already: with wrong answers planted, and with calls that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from visionrouter.backends.base import Backend
from visionrouter.backends.profile import Profile
from visionrouter.benchmarks.rainy.document import Estimate, Planted, Shot
from visionrouter.benchmarks.rainy.document import Faulted as FaultedRow
from visionrouter.benchmarks.rainy.faulted import TIMEOUT_MS, Faulted
from visionrouter.benchmarks.rainy.intervals import Bootstrap
from visionrouter.benchmarks.rainy.matrix import Case, Matrix
from visionrouter.benchmarks.rainy.planted import Planted as PlantedBackend
from visionrouter.benchmarks.rainy.planted import Sown, plants, sown
from visionrouter.benchmarks.rainy.recorded import Recorded
from visionrouter.benchmarks.rainy.shoot import Marksman
from visionrouter.benchmarks.rainy.systems import Contender, hurried, router_of
from visionrouter.confidence.losses import LOSSES
from visionrouter.intake import query_of
from visionrouter.router import CalibrationSource, Router
from visionrouter.schema.errors import BackendError
from visionrouter.schema.route import Limits, Opinion
from visionrouter.schema.task import Task

Tick = Callable[[], None]
"""Told of every case that is done."""


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What a trial is run with."""

    backends: Mapping[str, Recorded]
    limits: Mapping[str, Mapping[Task, Limits]]
    opinions: Mapping[str, Mapping[Task, Opinion]]
    calibrations: Sequence[CalibrationSource]
    boot: Bootstrap
    seed: int = 0

    @staticmethod
    def of(
        profile: Profile,
        backends: Mapping[str, Recorded],
        boot: Bootstrap,
        calibrations: Sequence[CalibrationSource] = (),
        seed: int = 0,
    ) -> Bench:
        """The backends of a profile that are there, held to what it says of them."""
        return Bench(backends, profile.limits, profile.opinions, calibrations, boot, seed)

    def marksman(self, case: Case) -> Marksman:
        return Marksman(case, self.backends, self.limits)

    def router(self, policy: Contender, backends: Mapping[str, Backend], *, hurry: bool = False) -> Router:
        compiled = hurried(policy.policy, TIMEOUT_MS) if hurry else policy.policy
        return router_of(compiled, backends, self.limits, self.opinions, self.calibrations)


def plant(bench: Bench, policies: Sequence[Contender], matrix: Matrix, tick: Tick) -> Iterator[Planted]:
    """Every plant of every task in one backend at a time, against every policy, on clean scenes."""
    for task in matrix.tasks:
        cases = [case for case in matrix.cases(task) if case.words is None]
        for name, backend in bench.backends.items():
            if task not in backend.spec.tasks:
                continue
            hiding = PlantedBackend(backend)
            backends = {**bench.backends, name: hiding}
            with ExitStack() as stack:
                routers = {p.name: stack.enter_context(bench.router(p, backends)) for p in policies}
                well = {
                    p.name: [bench.marksman(c).shoot(p.name, routers[p.name]).shot for c in cases]
                    for p in policies
                }
                for kind in plants(task):
                    sowing = list(sown(kind, [case.item for case in cases]))
                    for policy, router in routers.items():
                        taken = [
                            (shot, well[policy][i])
                            for i, one in sowing
                            if (shot := _under(bench, cases[i], policy, router, hiding, one)) is not None
                        ]
                        if taken:
                            yield _planted(kind, task, name, policy, taken, bench.boot)
            tick()


def _under(
    bench: Bench, case: Case, policy: str, router: Router, hiding: PlantedBackend, one: Sown
) -> Shot | None:
    """The answer under a plant; None where the backend has no answer or was never asked, or the plant is not bad."""
    try:
        prediction = one.answer(query_of(case.item.request), hiding.inner)
    except BackendError:
        return None
    if prediction is None:
        return None
    marksman = bench.marksman(case)
    if not marksman.is_bad(marksman.measure(prediction.payload)[0]):
        return None
    hiding.sow(one)
    shot = marksman.shoot(policy, router).shot
    delivered = hiding.delivered
    hiding.sow(None)
    return shot if delivered else None


def _planted(
    kind: str, task: Task, backend: str, policy: str, taken: Sequence[tuple[Shot, Shot]], boot: Bootstrap
) -> Planted:
    is_bad = LOSSES[task].is_bad
    shots = [shot for shot, _ in taken]

    def caught(i: int) -> float:
        shot = shots[i]
        believed = shot.vouched and backend in shot.sources and shot.loss is not None and is_bad(shot.loss)
        return float(not believed)

    def alarm(i: int) -> float | None:
        well = taken[i][1]
        loss = well.loss if well.vouched else well.would_be
        return None if loss is None or is_bad(loss) else float(not well.vouched)

    scenes = [shot.scene for shot in shots]
    found = boot.estimates(scenes, {"caught": caught, "alarm": alarm})
    good = sum(alarm(i) is not None for i in range(len(shots)))
    return Planted(
        kind, task.value, backend, policy, len(shots), good, found.get("caught"), found.get("alarm")
    )


def fault(
    bench: Bench, policies: Sequence[Contender], matrix: Matrix, rate: float, tick: Tick
) -> Iterator[FaultedRow]:
    """Every policy while a share of calls fails, beside the same without."""
    faulty = {name: Faulted(backend, rate, bench.seed) for name, backend in bench.backends.items()}
    with ExitStack() as stack:
        well = {p.name: stack.enter_context(bench.router(p, bench.backends)) for p in policies}
        ill = {p.name: stack.enter_context(bench.router(p, faulty, hurry=True)) for p in policies}
        for task in matrix.tasks:
            met = {p.name: _Met() for p in policies}
            for case in matrix.cases(task):
                for policy in policies:
                    met[policy.name].add(bench, case, policy.name, well, ill, faulty)
                tick()
            for policy in policies:
                if met[policy.name].n:
                    yield met[policy.name].row(rate, task, policy.name, bench.boot)


class _Met:
    """What became of one policy's cases."""

    def __init__(self) -> None:
        self.n = self.lost = self.faults = 0
        self._ill: list[Shot] = []
        self._well: list[Shot] = []
        self._reasons: Counter[str] = Counter()

    def add(
        self,
        bench: Bench,
        case: Case,
        policy: str,
        well: Mapping[str, Router],
        ill: Mapping[str, Router],
        faulty: Mapping[str, Faulted],
    ) -> None:
        before = sum(backend.faults for backend in faulty.values())
        marksman = bench.marksman(case)
        self.n += 1
        try:
            taken = marksman.shoot(policy, ill[policy])
        except Exception:  # a request that comes to no result at all is what is looked for here
            self.lost += 1
            return
        self.faults += sum(backend.faults for backend in faulty.values()) - before
        self._ill.append(taken.shot)
        self._well.append(marksman.shoot(policy, well[policy]).shot)
        if taken.result is not None:
            self._reasons.update(
                attempt.verdict.reason.value
                for attempt in taken.result.decision.attempts
                if attempt.error is not None or attempt.verdict.gate == "engine"
            )

    def row(self, rate: float, task: Task, policy: str, boot: Bootstrap) -> FaultedRow:
        ill, well = self._ill, self._well
        found = boot.estimates([s.scene for s in ill], {"utility": lambda i: ill[i].utility}) if ill else {}
        return FaultedRow(
            rate,
            task.value,
            policy,
            self.n,
            self.faults,
            found.get("utility", Estimate(1.0)),
            round(float(np.mean([s.utility for s in well])), 5) if well else 1.0,
            round(float(np.mean([s.vouched for s in ill])), 5) if ill else 0.0,
            round(float(np.mean([s.vouched for s in well])), 5) if well else 0.0,
            self.lost,
            dict(sorted(self._reasons.items())),
        )
