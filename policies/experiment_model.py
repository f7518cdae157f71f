"""The `experiment` section of a policy as YAML writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from visionrouter.policies.assign import CompiledExperiment, Segment
from visionrouter.policies.expression import compile_expression, compile_value
from visionrouter.policies.strict import Name, Strict
from visionrouter.schema.errors import PolicyError

if TYPE_CHECKING:
    from visionrouter.policies.model import Policy, RouteModel

Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


def _read_policy(value: Any, info: ValidationInfo) -> Any:
    """A preset's name, or a path from the folder of the file that names it, as the policy it is."""
    if not isinstance(value, str) or value == "self":
        return value
    from visionrouter.policies.load import load_policy, preset_names

    folder = (info.context or {}).get("folder", Path())
    try:
        return load_policy(value if value in preset_names() else folder / value, as_arm=True)
    except PolicyError as error:
        raise ValueError("; ".join(str(error).splitlines())) from error


ArmPolicy = Annotated[
    Annotated[Literal["self"], Tag("<self>")] | Annotated["Policy", Tag("<policy>")],
    Discriminator(lambda value: "<self>" if value == "self" else "<policy>"),
    BeforeValidator(_read_policy, json_schema_input_type=str | dict[str, Any]),
]


class ArmModel(Strict):
    """One way to answer: a route, a policy, or the policy that the experiment stands in (`policy: self`)."""

    name: Name
    weight: Share
    route: RouteModel | None = None
    policy: ArmPolicy | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.route is None) == (self.policy is None):
            problem = "is empty" if self.route is None else "has both a route and a policy"
            raise ValueError(
                f"arm {self.name!r} {problem}; give it either a route, or a policy (`self` for this one)"
            )
        if self.policy is not None and self.policy != "self" and self.policy.experiment:
            raise ValueError(f"arm {self.name!r}: the policy of an arm has no experiment of its own")
        return self

    def means(self) -> str:
        """What the arm does, so that two arms that do the same are found."""
        chosen = self.route if self.route is not None else self.policy
        return "self" if chosen is None or chosen == "self" else chosen.model_dump_json(exclude={"name"})


class NamespaceModel(Strict):
    """A part of a namespace's units. Experiments of one namespace share it out, so that none meets another's units."""

    name: Name
    start: Annotated[Share, Field(alias="from")] = 0.0
    end: Annotated[Share, Field(alias="to")] = 1.0

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.start < self.end:
            raise ValueError(
                f"from {self.start:g} to {self.end:g} holds no unit; `from` must be less than `to`"
            )
        return self


class ExperimentModel(Strict):
    """Traffic split over arms by the hash of a unit: see docs/experiments.md."""

    name: Name
    description: str = ""
    unit: Annotated[str, AfterValidator(lambda source: compile_value(source).source)]
    arms: Annotated[tuple[ArmModel, ...], Field(min_length=1)]
    salt: Name | None = None
    eligible: Annotated[str, AfterValidator(lambda source: compile_expression(source).source)] | None = None
    namespace: NamespaceModel | None = None
    holdout: Annotated[Share, Field(lt=1)] = 0.0
    shadow: Share = 0.0
    stopped: bool = False

    @model_validator(mode="before")
    @classmethod
    def _own_name_is_the_default_salt(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("salt") is not None and data["salt"] == data.get("name"):
            return {key: value for key, value in data.items() if key != "salt"}
        return data

    @model_validator(mode="after")
    def _arms_are_a_distribution(self) -> Self:
        names = [arm.name for arm in self.arms]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two arms are called {twice!r}; decisions are told apart by it")
        met: dict[str, str] = {}
        for arm in self.arms:
            other = met.setdefault(arm.means(), arm.name)
            if other != arm.name:
                raise ValueError(
                    f"arms {other!r} and {arm.name!r} overlap: both do the same; make them one, or change one"
                )
        if len(self.arms) < 2:
            raise ValueError("one arm compares with nothing; give two or more")
        total = sum(arm.weight for arm in self.arms)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the weights of the arms sum to {total:g}, not to 1; mend one")
        unused = next((arm.name for arm in self.arms if arm.weight == 0), None)
        if unused and not self.shadow:
            raise ValueError(
                f"arm {unused!r} is empty: its weight is 0 and there is no `shadow`; give it weight, a shadow, or take it out"
            )
        return self

    def compiled(self) -> CompiledExperiment:
        """The same, ready to run."""
        space = self.namespace
        return CompiledExperiment(
            self.name,
            self.salt or self.name,
            {arm.name: arm.weight for arm in self.arms},
            compile_value(self.unit),
            eligible=None if self.eligible is None else compile_expression(self.eligible),
            segment=None if space is None else Segment(space.name, space.start, space.end),
            holdout=self.holdout,
            shadow=self.shadow,
            stopped=self.stopped,
        )


def _do_not_collide(experiments: tuple[ExperimentModel, ...]) -> tuple[ExperimentModel, ...]:
    for i, later in enumerate(experiments):
        for earlier in experiments[:i]:
            if earlier.name == later.name:
                raise ValueError(f"two experiments are called {later.name!r}")
            one, two = earlier.namespace, later.namespace
            if one and two and one.name == two.name and one.start < two.end and two.start < one.end:
                raise ValueError(
                    f"experiments {earlier.name!r} and {later.name!r} overlap in namespace {one.name!r}: "
                    f"{one.start:g} to {one.end:g} and {two.start:g} to {two.end:g}"
                )
    return experiments


def _as_list(value: Any, info: ValidationInfo) -> Any:
    if value and (info.context or {}).get("as_arm"):
        raise ValueError("the policy of an arm has no experiment of its own")
    return [value] if isinstance(value, Mapping | ExperimentModel) else value


Experiments = Annotated[
    tuple[ExperimentModel, ...],
    BeforeValidator(_as_list, json_schema_input_type=ExperimentModel | tuple[ExperimentModel, ...]),
    AfterValidator(_do_not_collide),
]
"""One experiment, or a list of them: a request takes part in the first that takes it."""
