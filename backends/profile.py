"""Profiles: a YAML file that names backends, their parameters, and the limits measured on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visionrouter.backends.base import Backend
from visionrouter.backends.registry import Recipe
from visionrouter.schema.document import MAX_BYTES, read_document
from visionrouter.schema.errors import ProfileError
from visionrouter.schema.limit_model import LimitModel
from visionrouter.schema.route import Limit, Limits, Opinion
from visionrouter.schema.task import Task

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OpinionModel(_Strict):
    """What makes an answer a second opinion on another's, as `schema.route.Opinion`: what it must keep to count (`{}`: it
    always does), what must hold between the two where they agree, and where it backs what no limits vouch for."""

    counts: dict[str, LimitModel]
    agrees: dict[str, LimitModel] | None = Field(default=None, min_length=1)
    backs: dict[str, LimitModel] | None = Field(default=None, min_length=1)

    def opinion(self) -> Opinion:
        agrees, backs = (None if some is None else _plain(some) for some in (self.agrees, self.backs))
        return Opinion(_plain(self.counts), agrees, backs)


class BackendEntry(_Strict):
    """One backend of a profile. `limits`: per task, the signals a prediction must keep to be accepted. `opinions`: per
    task, when its answer speaks for or against another's; where it says nothing, when it keeps its limits.

    `isolation: process` gives it a process of its own, killed and started anew where it holds more than
    `memory_limit_mb`, gives no answer within `hang_limit_ms`, or is not loaded within `load_limit_ms`.
    """

    use: str
    params: dict[str, Any] = Field(default_factory=dict)
    parts: dict[str, str] = Field(default_factory=dict)
    isolation: Literal["thread", "process"] = "thread"
    memory_limit_mb: _Positive | None = None
    hang_limit_ms: _Positive | None = None
    load_limit_ms: _Positive | None = None
    limits: dict[Task, dict[str, LimitModel]] = Field(default_factory=dict)
    opinions: dict[Task, OpinionModel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _limits_of_a_process_need_one(self) -> Self:
        given = {"memory_limit_mb", "hang_limit_ms", "load_limit_ms"} & self.model_fields_set
        if given and self.isolation != "process":
            raise ValueError(f"{', '.join(sorted(given))} can only be held with `isolation: process`")
        return self

    def isolated(self, recipe: Recipe) -> Backend:
        """What `recipe` makes, in a process held to this entry's limits."""
        from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits

        default = IsolationLimits()
        limits = IsolationLimits(
            self.memory_limit_mb, self.hang_limit_ms or default.hang_ms, self.load_limit_ms or default.load_ms
        )
        return IsolatedBackend(recipe, limits)


class ProfileModel(_Strict):
    """`mended`: limits of answers of one backend that were mended with another's, by "base+patch" and task."""

    schema_version: Literal[1]
    name: str
    description: str = ""
    backends: dict[str, BackendEntry] = Field(min_length=1)
    mended: dict[str, dict[Task, dict[str, LimitModel]]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile made ready: backends in its order (weights unread), limits and opinions by backend and task, and how each
    backend is made."""

    name: str
    backends: Mapping[str, Backend]
    limits: Mapping[str, Mapping[Task, Limits]]
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    opinions: Mapping[str, Mapping[Task, Opinion]] = field(default_factory=dict)


def profile_names() -> tuple[str, ...]:
    """The profiles in the package."""
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in _folder().iterdir() if p.name.endswith(".yaml"))
    )


def load_profile(source: str | Path) -> Profile:
    """Read a profile by the name of one in the package or by path. Raises `ProfileError`."""
    if str(source) in profile_names():
        path = Path(str(_folder() / f"{source}.yaml"))
    else:
        path = Path(source)
        if not path.is_file():
            raise ProfileError(
                f"no profile {str(source)!r}; give a YAML file or one of: {', '.join(profile_names())}"
            )
    with path.open("rb") as file:
        document = read_document(file.read(MAX_BYTES + 1), path.name, ProfileError)
    try:
        model = ProfileModel.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        line = document.line(tuple(first["loc"]))
        raise ProfileError(f"{path.name}:{line}: {place}: {first['msg']}") from error
    backends = {name: _make(path, name, model.backends) for name in model.backends}
    given = {name: entry.limits for name, entry in model.backends.items()} | model.mended
    limits = {
        name: {task: _plain(signals) for task, signals in by_task.items()} for name, by_task in given.items()
    }
    opinions = {
        name: {task: said.opinion() for task, said in entry.opinions.items()}
        for name, entry in model.backends.items()
        if entry.opinions
    }
    recipes = {name: _recipe(path, name, model.backends) for name in model.backends}
    return Profile(model.name, backends, limits, recipes, opinions)


def _plain(signals: Mapping[str, LimitModel]) -> dict[str, Limit]:
    return {signal: limit.limit() for signal, limit in signals.items()}


def _make(path: Path, name: str, entries: Mapping[str, BackendEntry]) -> Backend:
    recipe = _recipe(path, name, entries)
    entry = entries[name]
    if entry.isolation == "thread":
        return recipe.make()
    try:
        json.dumps(recipe.plain())
    except TypeError as error:
        raise ProfileError(
            f"{path.name}: backends.{name}.params cannot pass to a process of its own ({error}); write plain values"
        ) from error
    return entry.isolated(recipe)


def _recipe(
    path: Path, name: str, entries: Mapping[str, BackendEntry], inside: tuple[str, ...] = ()
) -> Recipe:
    """How to make the backend `name`. Its parts are made where it is, whatever isolation they have as backends."""
    if name in inside:
        raise ProfileError(
            f"{path.name}: backends.{name} is a part of itself ({' > '.join((*inside, name))})"
        )
    entry = entries[name]
    for part in entry.parts.values():
        if part not in entries:
            raise ProfileError(
                f"{path.name}: backends.{name}.parts names {part!r}, which is not one of: {', '.join(entries)}"
            )
    parts = {role: _recipe(path, part, entries, (*inside, name)) for role, part in entry.parts.items()}
    return Recipe(entry.use, name, entry.params, parts)


def _folder() -> Any:
    return files("visionrouter.backends") / "profiles"
