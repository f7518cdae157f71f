"""A limit as YAML writes it. Apart from `route`, so that only who reads YAML pays for building the model."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.route import Limit

SignalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)]
"""A key of `Evidence.signals`: snake case, dots between parts."""


class LimitModel(BaseModel):
    """A limit as YAML writes it, in policies and profiles alike: `{min: 0.5}`, `{max: 0.02}` or both."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, json_schema_extra={"minProperties": 1}
    )

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        try:
            self.limit()
        except SchemaError as error:
            raise ValueError(str(error)) from error
        return self

    def limit(self) -> Limit:
        """The same as a plain dataclass."""
        return Limit(self.min, self.max)
