"""From a request to its route: the first rule that matches, in microseconds, with a trace of why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from visionrouter.policies.assign import UNASSIGNED, Assignment, CompiledExperiment
from visionrouter.policies.expression import Binding, Expression, compile_expression, values_read
from visionrouter.policies.licences import ALL_PERMITTED, Licences
from visionrouter.schema.decision import VariantReason
from visionrouter.schema.request import Request
from visionrouter.schema.route import Route

if TYPE_CHECKING:
    from visionrouter.policies.experiment_model import ArmModel
    from visionrouter.policies.model import Policy

_NO_CONTEXT: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """What one rule said of one request. `error`: why its condition could not be told; then it did not match."""

    rule: str
    matched: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """The route of a request, the rule it comes from, the rules asked for it, and the licences that hold.

    `rule` is "default" where none matched, "<experiment>/<arm>" where the route is an arm's own.
    """

    rule: str
    route: Route
    trace: tuple[RuleTrace, ...] = ()
    licences: Licences = ALL_PERMITTED


@dataclass(frozen=True, slots=True)
class Step:
    """One rule of an explanation. `values`: what its condition read, by path; None where the request lacks it."""

    rule: str
    when: str
    matched: bool
    error: str | None
    values: Mapping[str, object | None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a request gets its route: its arm, and every rule asked, up to the one that matched."""

    policy: str
    digest: str
    rule: str
    route: Route
    steps: tuple[Step, ...]
    licences: Licences
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its condition compiled. `selected`: the outcome where it matches and no condition failed."""

    condition: Expression
    selected: Selected


class CompiledPolicy:
    """A policy ready to run. Immutable but for the kill switches of its experiments; any number of threads may share one."""

    __slots__ = (
        "_arms",
        "_default",
        "_new_values",
        "digest",
        "experiments",
        "licences",
        "name",
        "policy",
        "rules",
    )

    def __init__(self, policy: Policy, within: Licences | None = None) -> None:
        """`within`: licences that hold besides the policy's own."""
        self.policy = policy
        self.name = policy.name
        self.digest = policy.digest
        own = policy.licences.licences()
        self.licences: Licences = own if within is None else own.within(within)
        passed_by = tuple(RuleTrace(rule.name, False) for rule in policy.rules)
        self.rules = tuple(
            CompiledRule(
                compile_expression(rule.when),
                Selected(
                    rule.name,
                    rule.route.route(),
                    (*passed_by[:i], RuleTrace(rule.name, True)),
                    self.licences,
                ),
            )
            for i, rule in enumerate(policy.rules)
        )
        self._default = Selected("default", policy.default.route.route(), passed_by, self.licences)
        self._new_values: Any = _context_class() if self.rules else None
        self.experiments: tuple[CompiledExperiment, ...] = tuple(e.compiled() for e in policy.experiment)
        self._arms: dict[tuple[str | None, str | None], CompiledPolicy | Selected] = {
            (experiment.name, arm.name): self._arm(experiment.name, arm)
            for experiment in policy.experiment
            for arm in experiment.arms
        }

    @property
    def default(self) -> Route:
        """The route of what no rule matches."""
        return self._default.route

    def arm(self, experiment: str, arm: str) -> CompiledPolicy | Selected:
        """What an arm does: a policy (this one, for `self`), or a route."""
        return self._arms[experiment, arm]

    def assign(self, request: Request, context: Mapping[str, object] | None = None) -> Assignment:
        """Where `request` stands: the first experiment that takes it or holds it out, else why the last did not."""
        assigned = UNASSIGNED
        for experiment in self.experiments:
            assigned = experiment.assign(request, _NO_CONTEXT if context is None else context)
            if assigned.variant is not None or assigned.reason is VariantReason.HOLDOUT:
                break
        return assigned

    def select(
        self,
        request: Request,
        context: Mapping[str, object] | None = None,
        assignment: Assignment | None = None,
    ) -> Selected:
        """The route of `request`; `context` is what conditions read under that name. Never raises for a condition.

        `assignment`: the arm it was given; found here where it is None.
        """
        if self.experiments:
            given = self.assign(request, context) if assignment is None else assignment
            arm = self._arms.get((given.experiment, given.variant), self)
            if isinstance(arm, Selected):
                return arm
            return arm._by_rules(request, context)
        return self._by_rules(request, context)

    def _by_rules(self, request: Request, context: Mapping[str, object] | None) -> Selected:
        if not self.rules:
            return self._default
        case = (request.instruction.task, request.criticality)
        binding: Binding | None = None
        failed: dict[str, str] = {}
        for rule in self.rules:
            condition = rule.condition
            holds: bool | str = case in condition.possible
            if holds and condition.rest is not None:
                if binding is None:
                    binding = Binding(
                        request, _NO_CONTEXT if context is None else context, self._new_values()
                    )
                holds = binding.test(condition.rest, condition.needs)
            if holds is True:
                return _with_errors(rule.selected, failed)
            if holds is not False:
                failed[rule.selected.rule] = holds
        return _with_errors(self._default, failed)

    def explain(
        self,
        request: Request,
        context: Mapping[str, object] | None = None,
        assignment: Assignment | None = None,
    ) -> Explanation:
        """What `select` does with `request`, and the values that each condition read."""
        given = self.assign(request, context) if assignment is None else assignment
        selected = self.select(request, context, given)
        arm = self._arms.get((given.experiment, given.variant), self)
        rules = arm.rules if isinstance(arm, CompiledPolicy) else ()
        steps = tuple(
            Step(
                said.rule,
                rule.condition.source,
                said.matched,
                said.error,
                values_read(rule.condition, request, _NO_CONTEXT if context is None else context),
            )
            for said, rule in zip(selected.trace, rules, strict=False)
        )
        return Explanation(
            self.name, self.digest, selected.rule, selected.route, steps, selected.licences, given
        )

    def _arm(self, experiment: str, arm: ArmModel) -> CompiledPolicy | Selected:
        if arm.route is not None:
            return Selected(f"{experiment}/{arm.name}", arm.route.route(), (), self.licences)
        if arm.policy is None or arm.policy == "self":
            return self
        return CompiledPolicy(arm.policy, self.licences)


def _with_errors(selected: Selected, failed: Mapping[str, str]) -> Selected:
    if not failed:
        return selected
    trace = tuple(replace(said, error=failed.get(said.rule)) for said in selected.trace)
    return replace(selected, trace=trace)


def compile_policy(policy: Policy) -> CompiledPolicy:
    """Make a policy ready to run. Imports the CEL library (about 0.2 s) if a rule has a condition."""
    return CompiledPolicy(policy)


def _context_class() -> Any:
    import cel

    return cel.Context
