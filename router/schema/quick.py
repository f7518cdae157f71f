"""Frozen dataclasses that take little longer to make than plain ones.

A frozen dataclass calls `object.__setattr__` for each of its fields, at several times the price of an assignment: for the
records of one request that comes to more than ten microseconds. Here an instance is a draft while its `__init__` runs: of a
class of the same layout whose fields may be assigned. From then on it is what it was made as, and frozen.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

D = TypeVar("D", bound="DataclassInstance")


def quick_init(cls: type[D]) -> type[D]:
    """Give a dataclass with `frozen=True, slots=True` an `__init__` that assigns, and otherwise does the same.

    Raises `TypeError` for one without slots, or with a field that is keyword-only or not for `__init__`.
    """
    wrong = [f.name for f in fields(cls) if not f.init or f.kw_only]
    if wrong or "__slots__" not in vars(cls):
        raise TypeError(
            f"{cls.__qualname__}: only slots, and fields that __init__ takes in order; not {wrong}"
        )
    thawed = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    draft = type(cls.__name__, (cls,), thawed)
    known: dict[str, Any] = {"_draft": draft, "_become": object.__setattr__, "_missing": MISSING}
    takes, does = ["self"], ["_made_as = self.__class__", "_become(self, '__class__', _draft)"]
    for field in fields(cls):
        name, value = field.name, field.name
        if field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            takes.append(f"{name}=_default_{name}")
        elif field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            takes.append(f"{name}=_missing")
            value = f"_make_{name}() if {name} is _missing else {name}"
        else:
            takes.append(name)
        does.append(f"self.{name} = {value}")
    does.append("self.__class__ = _made_as")
    if hasattr(cls, "__post_init__"):
        does.append("self.__post_init__()")
    lines = [f"def create({', '.join(known)}):", f" def __init__({', '.join(takes)}):"]
    source = "\n".join([*lines, *(f"  {line}" for line in does), " return __init__"])
    scope: dict[str, Any] = {}
    exec(source, vars(sys.modules[cls.__module__]), scope)
    made, plain = scope["create"](**known), cls.__init__
    made.__qualname__, made.__annotations__ = plain.__qualname__, plain.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
