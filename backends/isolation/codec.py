"""Queries and predictions as a header of JSON, with their arrays laid into shared memory.

In a header null, booleans, numbers and strings (a caller's own enum of strings among them) stand for themselves.
Anything else is a list led by its form:

    ["t", item, ...]                   a tuple
    ["m", {key: item}]                 a mapping with strings for keys
    ["e", "Task", "depth"]             an enum
    ["d", "Query", item, ...]          a dataclass, its fields in order
    ["a", "<f4", [480, 640], offset]   an array, `offset` bytes into the memory

Only the types named here are read. Unlike a pickle, a message therefore cannot name code to run, whatever became of
the process that wrote it; and a dataclass made from one checks its shapes, dtypes and ranges as always.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import (
    Classification,
    DepthMap,
    Detections,
    Intrinsics,
    NormalMap,
    Poses,
    Segmentation,
)
from visionrouter.schema.prediction import Evidence, Prediction
from visionrouter.schema.request import Criticality, Prompts, Query
from visionrouter.schema.task import PaletteEntry, Relation, RelationKind, Target, Task

Form = Any
"""What `json` can write."""
Memory = memoryview | npt.NDArray[np.uint8]

_ALIGN = 64
_OURS = 2
"""References that `sys.getrefcount` sees to an attribute that nobody else holds."""
_ENUMS: dict[str, type[Enum]] = {kind.__name__: kind for kind in (Task, RelationKind, Criticality)}
_RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Query, Image, Prompts, Target, Relation, PaletteEntry),
        *(
            Prediction,
            Evidence,
            Detections,
            Segmentation,
            DepthMap,
            NormalMap,
            Intrinsics,
            Poses,
            Classification,
        ),
    )
}
_FIELDS = {kind: tuple(f.name for f in fields(kind)) for kind in _RECORDS.values()}


class Packer:
    """Turns values into headers, and gathers their arrays; `write` lays those into a memory of at least `size` bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._arrays: list[tuple[int, npt.NDArray[Any]]] = []
        self._forms: dict[int, Form] = {}

    def pack(self, value: object) -> Form:
        """The header of `value`. An array met twice is laid down once. Raises `SchemaError` for an unknown type."""
        if isinstance(value, Enum) and _ENUMS.get(type(value).__name__) is type(value):
            return ["e", type(value).__name__, value.value]
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, np.ndarray):
            return self._forms.get(id(value)) or self._place(value)
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, tuple | list):
            return ["t", *map(self.pack, value)]
        if isinstance(value, Mapping):
            return ["m", {str(key): self.pack(item) for key, item in value.items()}]
        names = _FIELDS.get(type(value))
        if names is None:
            raise SchemaError(f"a {type(value).__name__} cannot pass between processes")
        return ["d", type(value).__name__, *(self.pack(getattr(value, name)) for name in names)]

    def write(self, memory: memoryview) -> None:
        for offset, array in self._arrays:
            target = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
            np.copyto(target, array)

    def _place(self, array: npt.NDArray[Any]) -> Form:
        if array.dtype.kind not in "biuf":
            raise SchemaError(f"an array of {array.dtype} cannot pass between processes")
        form = ["a", array.dtype.str, list(array.shape), self.size]
        self._arrays.append((self.size, array))
        self._forms[id(array)] = form
        self.size += -(-array.nbytes // _ALIGN) * _ALIGN
        return form


def unpack(form: Form, memory: Memory) -> Any:
    """What was packed, its arrays views of `memory`. Raises `SchemaError` where it is nothing `pack` writes."""
    if not isinstance(form, list):
        return form
    try:
        match form:
            case ["t", *items]:
                return tuple(unpack(item, memory) for item in items)
            case ["m", dict() as items]:
                return {key: unpack(item, memory) for key, item in items.items()}
            case ["e", str() as name, value]:
                return _ENUMS[name](value)
            case ["a", str() as dtype, list() as shape, int() as offset]:
                return _array(np.dtype(dtype), shape, offset, memory)
            case ["d", str() as name, *items]:
                made = _RECORDS[name](*(unpack(item, memory) for item in items))
                if isinstance(made, Image):
                    made.pixels.flags.writeable = False
                return made
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError(f"a message between processes does not fit: {error}") from error
    raise SchemaError(f"a message between processes holds {str(form)[:80]}, which is no form")


class Landing:
    """Memory of one's own to copy a message's arrays to, so that they outlive the shared memory's next use.

    It is used again only once no array in it is held any more: fresh pages cost more than the copy.
    """

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def copy(self, memory: memoryview, size: int) -> npt.NDArray[np.uint8]:
        """The first `size` bytes of `memory`."""
        if len(self._buffer) < size or sys.getrefcount(self._buffer) > _OURS:
            self._buffer = np.empty(size, np.uint8)
        self._buffer[:size] = np.frombuffer(memory, np.uint8, size)
        return self._buffer


def _array(dtype: np.dtype[Any], shape: list[int], offset: int, memory: Memory) -> npt.NDArray[Any]:
    if dtype.kind not in "biuf" or min(shape, default=0) < 0 or offset < 0:
        raise ValueError(f"an array of {dtype}, {shape}, at {offset}")
    return np.frombuffer(memory, dtype, prod(shape), offset).reshape(shape)
