"""Who is compared: every backend alone, all of them merged, every policy; each a policy that the real router runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visionrouter.backends.base import Backend
from visionrouter.benchmarks.rainy.document import ORACLE, System, SystemKind
from visionrouter.engine.breaker import BreakerOptions
from visionrouter.engine.options import EngineOptions
from visionrouter.policies import CompiledPolicy, check_against, compile_policy, load_policy
from visionrouter.router import CalibrationSource, Router
from visionrouter.schema.errors import RequestError
from visionrouter.schema.route import Limits, Opinion
from visionrouter.schema.task import Task

PRESETS = ("default", "generative-first", "specialist-only", "safety-critical")
"""Those that route: `ab` and `shadow` answer every request as one of these does."""
MERGED = "merged"
_OPTIONS = EngineOptions(breaker=BreakerOptions(cooldown_s=0.01, seed=0))
"""Hours of traffic pass in minutes here, so a breaker's pause is as much shorter."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A policy under the name it has in the document. `backends`: the ones it may ask, None for any."""

    name: str
    kind: SystemKind
    policy: CompiledPolicy
    backends: tuple[str, ...] | None = None

    def fits(self, task: Task, backends: Mapping[str, Backend], prompted: bool) -> bool:
        """Whether it says anything about a task that others do not: a backend alone only of what it can do, a merger
        only of what two can."""
        able = [
            name
            for name, backend in backends.items()
            if task in backend.spec.tasks and (prompted or not backend.spec.needs_prompts)
        ]
        if self.kind == "merged":
            return len(able) > 1
        return self.backends is None or any(name in able for name in self.backends)

    def described(self, backends: Mapping[str, Backend]) -> System:
        names = backends if self.backends is None else self.backends
        weights = {name: backends[name].spec.weights_digest or "" for name in names}
        return System(self.name, self.kind, self.policy.policy.digest, weights)


def contenders(
    backends: Mapping[str, Backend], policies: Sequence[str], extra: Sequence[CompiledPolicy] = ()
) -> list[Contender]:
    """Each backend alone, all merged where there are several, and the policies (presets or files).

    Raises `RequestError` where two have one name, or a policy does not fit the backends.
    """
    made = [Contender(name, "alone", _whole(name, [name]), (name,)) for name in backends]
    if len(backends) > 1:
        made.append(Contender(MERGED, "merged", _whole(MERGED, ["any"], merge=True)))
    specs = {name: backend.spec for name, backend in backends.items()}
    for policy in (*(compile_policy(load_policy(p)) for p in policies), *extra):
        wrong = [f.message for f in check_against(policy, specs) if f.severity == "error"]
        if wrong:
            raise RequestError(f"policy {policy.name}: {'; '.join(wrong)}; leave it out with --policies")
        made.append(Contender(policy.name, "policy", policy))
    names = [ORACLE, *(contender.name for contender in made)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f"two systems are called {twice!r}; rename the policy")
    return made


def router_of(
    policy: CompiledPolicy,
    backends: Mapping[str, Backend],
    limits: Mapping[str, Mapping[Task, Limits]],
    opinions: Mapping[str, Mapping[Task, Opinion]],
    calibrations: Sequence[CalibrationSource] = (),
) -> Router:
    return Router(
        backends, policy, limits=limits, opinions=opinions, calibrations=calibrations, options=_OPTIONS
    )


def hurried(policy: CompiledPolicy, timeout_ms: float) -> CompiledPolicy:
    """The policy, its attempts cut off after `timeout_ms` where they have no cap of their own."""
    plain = policy.policy.canonical()
    for place in (plain["default"], *plain.get("rules", ())):
        place["route"].setdefault("attempt_timeout_ms", timeout_ms)
    return compile_policy(load_policy(plain))


def _whole(name: str, tried: Sequence[str], **route: Any) -> CompiledPolicy:
    """Whatever is said is taken; what found nothing is given as a best effort."""
    model: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "default": {"route": {"try": list(tried), "accept": "always", "otherwise": "best_effort", **route}},
    }
    return compile_policy(load_policy(model))
