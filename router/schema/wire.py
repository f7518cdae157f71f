"""JSON of results: one pydantic adapter over the dataclasses, so that what is documented is what is written."""

from __future__ import annotations

import functools
from typing import Any

from pydantic import TypeAdapter, ValidationError

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.result import Result

SCHEMA_VERSION = 1


@functools.cache
def _adapter() -> TypeAdapter[Result]:
    return TypeAdapter(Result)


def dump_result(result: Result, *, indent: int | None = None) -> str:
    """One JSON document; NaN and infinity inside dense maps survive, since those are npz."""
    return _adapter().dump_json(result, indent=indent).decode()


def load_result(text: str | bytes) -> Result:
    """The inverse of `dump_result`. Raises `SchemaError` naming the first field that does not fit."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise SchemaError(f"result JSON, {place}: {first['msg']}") from error


def result_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a result document."""
    schema = _adapter().json_schema(mode="serialization")
    schema["title"] = "visionrouter result"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
