"""A policy as YAML writes it: pydantic models that refuse what they do not know, and their plain, frozen form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from visionrouter.policies.experiment_model import ArmModel, Experiments
from visionrouter.policies.expression import compile_expression
from visionrouter.policies.licences import Licences
from visionrouter.policies.strict import Name, Strict
from visionrouter.schema.decision import OnError
from visionrouter.schema.limit_model import LimitModel, SignalName
from visionrouter.schema.route import (
    ALWAYS,
    BY_LIMITS,
    Accept,
    Choice,
    Otherwise,
    Route,
)

Milliseconds = Annotated[float, Field(strict=True, gt=0, le=86_400_000, allow_inf_nan=False)]


class LicencesModel(Strict):
    """Licences that may not run, or the only ones that may."""

    deny: tuple[Name, ...] = ()
    allow: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    def licences(self) -> Licences:
        """The same as a plain dataclass."""
        return Licences(self.deny, self.allow)


class EvidenceModel(Strict):
    """Limits that the route itself sets on the signals of an answer."""

    evidence: Annotated[dict[SignalName, LimitModel], Field(min_length=1)]


AcceptModel = Annotated[
    Annotated[Literal["limits", "always"], Tag("<word>")] | Annotated[EvidenceModel, Tag("<evidence>")],
    Discriminator(lambda value: "<evidence>" if isinstance(value, Mapping | EvidenceModel) else "<word>"),
]


def accept_of(model: AcceptModel) -> Accept:
    """The plain form of what stands under `accept`."""
    if isinstance(model, EvidenceModel):
        return Accept("evidence", {name: limit.limit() for name, limit in model.evidence.items()})
    return ALWAYS if model == "always" else BY_LIMITS


class ChoiceModel(Strict):
    """One entry of `try`, with a gate of its own if it has one."""

    backend: Name
    accept: AcceptModel | None = None


Try = Annotated[
    ChoiceModel,
    BeforeValidator(
        lambda v: {"backend": v} if isinstance(v, str) else v, json_schema_input_type=Name | ChoiceModel
    ),
]


class RouteModel(Strict):
    """What happens to a request: see `visionrouter.schema.route.Route`."""

    try_: Annotated[tuple[Try, ...], Field(alias="try", min_length=1)]
    accept: AcceptModel = "limits"
    on_error: OnError = "continue"
    otherwise: Otherwise = "abstain"
    attempt_timeout_ms: Milliseconds | None = None
    reserve_ms: Annotated[float, Field(strict=True, ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    deadline_ms: Milliseconds | None = None

    @model_validator(mode="after")
    def _time_for_the_first(self) -> Self:
        if self.deadline_ms is not None and self.reserve_ms >= self.deadline_ms:
            raise ValueError(
                f"reserve_ms {self.reserve_ms:g} leaves nothing of deadline_ms {self.deadline_ms:g} for the first attempt"
            )
        return self

    @model_validator(mode="after")
    def _no_choice_twice(self) -> Self:
        names = [choice.backend for choice in self.try_]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f'try names "{twice}" twice; a backend is asked once')
        return self

    def route(self) -> Route:
        """The same as a plain dataclass."""
        choices = tuple(
            Choice(c.backend, None if c.accept is None else accept_of(c.accept)) for c in self.try_
        )
        return Route(
            choices,
            accept_of(self.accept),
            self.on_error,
            self.otherwise,
            self.attempt_timeout_ms,
            self.reserve_ms,
            self.deadline_ms,
        )


class RuleModel(Strict):
    """A route for the requests that a condition holds for."""

    name: Name
    description: str = ""
    when: Annotated[str, AfterValidator(lambda source: compile_expression(source).source)]
    route: RouteModel


class DefaultModel(Strict):
    """The route of what no rule matches."""

    route: RouteModel


class Policy(Strict):
    """Ordered rules, of which the first that matches gives the route, and a default for the rest."""

    schema_version: Literal[1]
    name: Name
    description: str = ""
    licences: LicencesModel = LicencesModel()
    rules: tuple[RuleModel, ...] = ()
    default: DefaultModel
    experiment: Experiments = ()

    @model_validator(mode="after")
    def _rule_names_are_unique(self) -> Self:
        names = ["default", *(rule.name for rule in self.rules)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            why = "the name of the last resort" if twice == "default" else "the name of another rule"
            raise ValueError(f'rule name "{twice}" is {why}; decisions are told apart by it')
        return self

    def canonical(self) -> dict[str, Any]:
        """The policy as plain data, without what equals its default. Loading it gives an equal policy."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @cached_property
    def digest(self) -> str:
        """sha256 of the canonical form: the same whatever the comments, the order of keys and the way numbers are written."""
        text = json.dumps(
            self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# An arm holds a route or a policy, and a policy holds experiments: the ring is closed here.
ArmModel.model_rebuild(_types_namespace={"RouteModel": RouteModel, "Policy": Policy})
Policy.model_rebuild()
