"""Does the world still look like the calibration sample? Two watches on live traffic that may be read at any time.

`AuditWatch` has labels and tests what the certificate states: the risk of what is accepted is <= alpha.
`EvidenceWatch` has none and tests that the signals come from where calibration's came from.

Both raise a false alarm with probability at most delta over their whole life (`visionrouter.confidence.wealth`). What
they do not promise: silence is no proof that nothing drifted; how soon a drift is found depends on its size; a shift of
the signals may be harmless, and one that leaves every signal's own distribution alone is not seen without labels. An
alarm stays and ends the watch: a new calibration brings a new one. Methods take a lock, so threads may share a watch.
"""

from __future__ import annotations

import math
import random
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from visionrouter.confidence.calibrator import EvidenceMissingError
from visionrouter.confidence.wealth import Wealth
from visionrouter.fork import renew_after_fork
from visionrouter.schema.errors import CalibrationError

_KELLY = tuple(2.0**-k for k in range(1, 9))
"""Stakes as shares of the most that can be lost: from a risk far over alpha to one barely over it."""

_JUMP = 0.01
_SLOPES = (-1.8, -0.9, 0.9, 1.8)
_BOWLS = (-0.9, 0.9)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why a certificate no longer stands. `evidence`: the e-value reached, at least 1 / delta.

    `observations`: how many were seen when the alarm was raised; `since`: the caller's time of that one.
    """

    reason: Literal["risk_over_alpha", "evidence_shifted"]
    detail: str
    evidence: float
    observations: int
    since: str = ""


@dataclass(frozen=True, slots=True)
class WatchState:
    """After an update: observations so far, e-value now (of the signal that moved most), and the alarm if there is one."""

    observations: int
    e_value: float
    suspension: Suspension | None


class AuditWatch:
    """Tests E(loss | past) <= alpha on accepted items that were audited at random.

    An item may be audited with any probability in [`least_probability`, 1] that is fixed before its label is seen; it
    may depend on the item (doubtful ones more often). A factor is 1 + k w (loss - alpha) / alpha with
    w = least_probability / probability: items not audited need no call and cost nothing, since
    E[audited w (loss - alpha)] = least_probability (risk - alpha). The stakes k are mixed.
    Waudby-Smith & Ramdas 2024 (arXiv 2010.09686) for betting, Podkopaev & Ramdas 2022 (arXiv 2110.06177) for its use.
    """

    def __init__(self, alpha: float, delta: float, least_probability: float = 1.0) -> None:
        if not (0 < alpha < 1 and 0 < delta < 1 and 0 < least_probability <= 1):
            raise ValueError("alpha and delta must lie between 0 and 1, least_probability in (0, 1]")
        self.alpha, self.delta, self.least_probability = alpha, delta, least_probability
        self._wealth = Wealth(len(_KELLY))
        self._suspension: Suspension | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def suspension(self) -> Suspension | None:
        return self._suspension

    def update(self, loss: float, probability: float = 1.0, since: str = "") -> WatchState:
        """One audited item: its loss in [0, 1], and the probability with which it was chosen for audit."""
        if not 0 <= loss <= 1:
            raise ValueError(f"loss {loss!r} should lie in [0, 1]; a failure to answer counts as 1")
        if not self.least_probability <= probability <= 1:
            raise ValueError(
                f"audit probability {probability!r} should lie in [{self.least_probability:g}, 1], as declared"
            )
        gain = self.least_probability / probability * (loss - self.alpha) / self.alpha
        with self._lock:
            if self._suspension is None:
                self._wealth.step([1 + stake * gain for stake in _KELLY])
            e_value = self._wealth.total
            if self._suspension is None and e_value >= 1 / self.delta:
                self._suspension = Suspension(
                    "risk_over_alpha",
                    f"audits speak against a risk of at most {self.alpha:g} at level {self.delta:g}",
                    e_value,
                    self._wealth.steps,
                    since,
                )
            return WatchState(self._wealth.steps, e_value, self._suspension)

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON; `restore` goes on from it as if nothing had happened."""
        with self._lock:
            return {
                "alpha": self.alpha,
                "delta": self.delta,
                "least_probability": self.least_probability,
                "wealth": _wealth_out(self._wealth),
                "suspension": _suspension_out(self._suspension),
            }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """Raises `CalibrationError` for what is no snapshot."""
        try:
            watch = cls(data["alpha"], data["delta"], data["least_probability"])
            _wealth_in(watch._wealth, data["wealth"])
            watch._suspension = _suspension_in(data["suspension"])
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(f"this is no snapshot of an AuditWatch ({error!r})") from error
        return watch


class EvidenceWatch:
    """Tests that each signal of live attempts is exchangeable with the calibration sample's.

    Per signal a conformal test martingale (Vovk, Gammerman & Shafer 2022, chapter 8): p is the rank of the new value in
    a bag of earlier ones with itself, ties broken at random, and bets are 1 + s (p - 1/2) on a move up or down and
    1 + s (1 - 3 (2p - 1)^2) / 2 on a change of spread. The bag starts as the calibration sample (a draw of it where it
    is over `memory`); then each new value enters and one of all, drawn at random, leaves. Because the one that leaves
    does not depend on which was new, the p-values of independent draws from one distribution are independent and
    uniform, exactly, with bounded memory. Each signal is tested at delta / (number of signals).

    A confidence may be watched like any signal, with calibration values of rows that its calibrator was not fitted on.
    """

    def __init__(
        self, calibration: Mapping[str, Sequence[float]], delta: float, *, seed: int = 0, memory: int = 2000
    ) -> None:
        if not 0 < delta < 1:
            raise ValueError(f"delta {delta!r} must lie between 0 and 1")
        if not calibration or any(len(values) < 2 for values in calibration.values()):
            raise ValueError("an evidence watch needs at least one signal with two calibration values")
        self.delta = delta
        self._random = random.Random(seed)
        self._bags: dict[str, list[float]] = {}
        for name, values in calibration.items():
            if not all(map(math.isfinite, values)):
                raise ValueError(f"signal {name!r} has NaN or infinite calibration values")
            kept = values if len(values) <= memory else self._random.sample(list(values), memory)
            self._bags[name] = sorted(map(float, kept))
        self._wealth = {name: Wealth(len(_SLOPES) + len(_BOWLS), _JUMP) for name in self._bags}
        self._suspension: Suspension | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def suspension(self) -> Suspension | None:
        return self._suspension

    def update(self, signals: Mapping[str, float], since: str = "") -> WatchState:
        """The signals of one attempt, accepted or not. Raises `EvidenceMissingError` and then changes nothing."""
        for name in self._bags:
            value = signals.get(name)
            if value is None or not math.isfinite(value):
                raise EvidenceMissingError(name, value)
        with self._lock:
            if self._suspension is None:
                for name, bag in self._bags.items():
                    self._wealth[name].step(_factors(self._p_value(bag, float(signals[name]))))
            moved, wealth = max(self._wealth.items(), key=lambda item: item[1].total)
            e_value = wealth.total
            if self._suspension is None and e_value >= len(self._bags) / self.delta:
                self._suspension = Suspension(
                    "evidence_shifted",
                    f"signal {moved!r} no longer comes from where calibration's came from",
                    e_value,
                    wealth.steps,
                    since,
                )
            return WatchState(wealth.steps, e_value, self._suspension)

    def _p_value(self, bag: list[float], value: float) -> float:
        """Share of the bag and the value itself that lies below it, its ties cut at random; the bag moves on."""
        low, high = bisect_left(bag, value), bisect_right(bag, value)
        p = (low + self._random.random() * (high - low + 1)) / (len(bag) + 1)
        insort(bag, value)
        del bag[self._random.randrange(len(bag))]
        return p

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON; `restore` goes on from it as if nothing had happened."""
        with self._lock:
            version, internal, gauss = self._random.getstate()
            return {
                "delta": self.delta,
                "bags": {name: list(bag) for name, bag in self._bags.items()},
                "wealth": {name: _wealth_out(wealth) for name, wealth in self._wealth.items()},
                "random": [version, list(internal), gauss],
                "suspension": _suspension_out(self._suspension),
            }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """Raises `CalibrationError` for what is no snapshot."""
        try:
            bags = data["bags"]
            watch = cls(bags, data["delta"], memory=max(map(len, bags.values())))
            for name, wealth in watch._wealth.items():
                _wealth_in(wealth, data["wealth"][name])
            version, internal, gauss = data["random"]
            watch._random.setstate((version, tuple(internal), gauss))
            watch._suspension = _suspension_in(data["suspension"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CalibrationError(f"this is no snapshot of an EvidenceWatch ({error!r})") from error
        return watch


def _factors(p: float) -> list[float]:
    tilt = p - 0.5
    bowl = (12 * tilt * tilt - 1) / 2
    return [1 + s * tilt for s in _SLOPES] + [1 + s * bowl for s in _BOWLS]


def _wealth_out(wealth: Wealth) -> dict[str, Any]:
    return {"in_play": list(wealth.in_play), "steps": wealth.steps}


def _wealth_in(wealth: Wealth, data: Mapping[str, Any]) -> None:
    in_play = [float(c) for c in data["in_play"]]
    if len(in_play) != len(wealth.in_play) or not all(0 <= c < math.inf for c in in_play):
        raise ValueError("capital that no such watch can hold")
    wealth.in_play, wealth.steps = in_play, int(data["steps"])


def _suspension_out(suspension: Suspension | None) -> dict[str, Any] | None:
    return None if suspension is None else {name: getattr(suspension, name) for name in suspension.__slots__}


def _suspension_in(data: Mapping[str, Any] | None) -> Suspension | None:
    return None if data is None else Suspension(**data)
