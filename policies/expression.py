"""Conditions in CEL (the Common Expression Language): compiled and checked once, then evaluated in microseconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

from visionrouter.policies.inputs import FIELDS, ROOTS, STATIC, Context, Input
from visionrouter.policies.syntax import ConditionError, Conjunct, nearest, parse_condition
from visionrouter.schema.request import Criticality, Request
from visionrouter.schema.task import Task

MAX_CHARACTERS = 2000
"""Far longer expressions can overflow the stack of the CEL parser."""

_FUNCTIONS = """
size contains startsWith endsWith matches string bytes double int uint dyn duration timestamp
getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
"""What CEL has besides its operators and macros, without extensions."""

Case = tuple[Task, Criticality]
_CASES: tuple[Case, ...] = tuple(product(Task, Criticality))
CASES = frozenset(_CASES)


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition ready to run.

    Its conjuncts (`a && b`) on task, family and criticality alone are settled here: they hold for the `possible` pairs.
    `rest` is the CEL program of the others, None where there are none, and `needs` what it reads; `reads` is what the
    whole condition reads.
    """

    source: str
    reads: tuple[Input, ...]
    possible: frozenset[Case]
    rest: Any | None
    needs: tuple[Input, ...]


@lru_cache(maxsize=1024)
def compile_expression(source: str) -> Expression:
    """Compile and check a condition.

    Raises `ConditionError` for what is not CEL, reads an unknown variable, field or function, compares a field with a
    value it never has, mixes types, or is not true or false. The first call imports the CEL library (about 0.2 s).
    """
    import cel

    if len(source) > MAX_CHARACTERS:
        raise ConditionError(
            f"has {len(source):,} characters; the cap is {MAX_CHARACTERS:,}, split it into rules"
        )
    _check_functions(_parse(source).functions())
    conjuncts = parse_condition(source, lambda text: cel.compile(text).execute({}))
    possible = CASES
    for conjunct in conjuncts:
        part = _parse(conjunct.text)
        _check_variables(part, conjunct)
        holds = _cases(part, conjunct)
        if _is_static(conjunct):
            possible &= holds
    rest = [conjunct for conjunct in conjuncts if not _is_static(conjunct)]
    program = _parse(" && ".join(conjunct.text for conjunct in rest)) if rest else None
    return Expression(source, _inputs(conjuncts), possible, program, _inputs(rest))


@dataclass(frozen=True, slots=True)
class Value:
    """An expression that names something, ready to run. `program` is None where it is just its one input, as it stands."""

    source: str
    needs: tuple[Input, ...]
    program: Any | None

    def of(self, request: Request, context: Context) -> str | None:
        """Its text for a request; None where that cannot be told, or is neither text nor a whole number."""
        try:
            if self.program is None:
                value = self.needs[0].read(request, context)
            else:
                value = self.program.execute(
                    {wanted.variable: wanted.read(request, context) for wanted in self.needs}
                )
        except Exception:
            return None
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


@lru_cache(maxsize=1024)
def compile_value(source: str) -> Value:
    """Compile and check an expression that gives text or a whole number. Raises `ConditionError` as conditions do."""
    import cel

    if len(source) > MAX_CHARACTERS:
        raise ConditionError(f"has {len(source):,} characters; the cap is {MAX_CHARACTERS:,}")
    _check_functions(_parse(source).functions())
    conjuncts = parse_condition(source, lambda text: cel.compile(text).execute({}))
    whole = conjuncts[0]
    part = _parse(whole.text)
    _check_variables(part, whole)
    if not whole.inputs:
        raise ConditionError("reads nothing of the request, so that all requests would be one")
    samples = {found.variable: found.sample for found in whole.inputs if found.sample is not None}
    sample = part.execute(samples) if len(conjuncts) == 1 and len(samples) == len(whole.inputs) else None
    if len(conjuncts) > 1 or (sample is not None and type(sample) not in (str, int)):
        raise ConditionError("gives neither text nor a whole number")
    direct = whole.text == whole.inputs[0].variable
    return Value(source, whole.inputs, None if direct else part)


def _inputs(conjuncts: Iterable[Conjunct]) -> tuple[Input, ...]:
    return tuple(dict.fromkeys(found for conjunct in conjuncts for found in conjunct.inputs))


def _cases(part: Any, conjunct: Conjunct) -> frozenset[Case]:
    """The cases for which `part` holds, the rest of what it reads being sample values."""
    if any(found.path in STATIC for found in conjunct.inputs):
        return frozenset(case for case in _CASES if _try_out(part, conjunct, case))
    return CASES if _try_out(part, conjunct, _CASES[0]) else frozenset()


def _is_static(conjunct: Conjunct) -> bool:
    return all(found.path in STATIC for found in conjunct.inputs)


def _parse(text: str) -> Any:
    import cel

    try:
        return cel.compile(text)
    except ValueError as error:
        said = re.sub(r"^Failed to parse expression .*?: (?=ERROR: )", "", str(error), flags=re.DOTALL)
        place = re.search(r"<input>:\d+:(\d+): (?:Syntax error: )?(.*)", said)
        message = f"at column {place[1]}: {place[2]}" if place else said
        message = message.partition(" expecting {")[0][:160]
        raise ConditionError(f"is not valid CEL, {message}") from error


def _check_functions(names: list[str]) -> None:
    for name in names:
        if name.isidentifier() and name not in FUNCTIONS:
            raise ConditionError(f"calls {name!r}, which CEL does not have{nearest(name, sorted(FUNCTIONS))}")


def _check_variables(part: Any, conjunct: Conjunct) -> None:
    known = {found.variable for found in conjunct.inputs}
    macro_names = set(re.findall(r"\. \w+ \( (\w+) ,", conjunct.text))
    for name in part.variables():
        if name not in known | macro_names:
            fields = {f"{root}.{field}" for root, fields in FIELDS.items() for field in fields}
            owner = next((f for f in sorted(fields) if f.partition(".")[2] == name), None)
            hint = f'; did you mean "{owner}"?' if owner else nearest(name, ROOTS)
            raise ConditionError(f"reads {name!r}, which is not one of {', '.join(ROOTS)}{hint}")


def _try_out(part: Any, conjunct: Conjunct, case: Case) -> bool:
    """Whether `part` holds for sample values of a case. Raises where no request could mend what goes wrong."""
    task, criticality = case
    settled = {
        "request_task": task.value,
        "request_family": task.family,
        "request_criticality": criticality.value,
    }
    samples = {found.variable: found.sample for found in conjunct.inputs if found.sample is not None}
    try:
        value = part.execute({**samples, **settled})
    except TypeError as error:
        raise ConditionError(f"mixes types that do not fit: {say(error)}") from error
    except Exception as error:
        if _is_static(conjunct):
            raise ConditionError(f"always fails: {say(error)}") from error
        _check_calls(error, conjunct)
        return False
    if not isinstance(value, bool):
        raise ConditionError(
            f"gives {value!r:.60}; a condition is true or false, so compare it with something"
        )
    return value


def _check_calls(error: Exception, conjunct: Conjunct) -> None:
    undefined = re.match(r"Undefined variable or function: '(\w+)'", str(error))
    if undefined and undefined[1] not in {found.variable for found in conjunct.inputs}:
        mend = '; lists and maps are asked with: "x" in list' if undefined[1] == "contains" else ""
        raise ConditionError(f"uses {undefined[1]!r} where it is not defined{mend}") from error
    if "not a valid regex" in str(error):
        raise ConditionError(say(error)) from error


def say(error: Exception) -> str:
    """The first sentence of what CEL raised."""
    if isinstance(error, KeyError):
        return f"no such key: {error}"
    return re.split(r"[.:] (?=CEL|Check|the operation)|:?\n", str(error))[0]


class Binding:
    """The values of one request, handed to CEL as conditions ask for them. Made for one request and one thread."""

    __slots__ = ("_bound", "_context", "_missing", "_request", "_values")

    def __init__(self, request: Request, context: Context, values: Any) -> None:
        """`values` is an empty `cel.Context`."""
        self._request = request
        self._context = context
        self._values = values
        self._bound: set[str] = set()
        self._missing: dict[str, str] = {}

    def test(self, program: Any, needs: tuple[Input, ...]) -> bool | str:
        """Whether `program` holds, or why that cannot be told."""
        for wanted in needs:
            if wanted.variable not in self._bound:
                self._bind(wanted)
        try:
            value = program.execute(self._values)
        except Exception as error:
            absent = [self._missing[i.variable] for i in needs if i.variable in self._missing]
            return ", ".join(absent) or say(error)
        return value if isinstance(value, bool) else f"gave {value!r:.60}, which is not true or false"

    def _bind(self, wanted: Input) -> None:
        self._bound.add(wanted.variable)
        try:
            self._values.add_variable(wanted.variable, wanted.read(self._request, self._context))
        except KeyError:
            self._missing[wanted.variable] = f"{wanted.path} is missing"
        except ValueError as error:
            self._missing[wanted.variable] = f"{wanted.path} has no form in CEL ({error})"


def values_read(expression: Expression, request: Request, context: Context) -> Mapping[str, object | None]:
    """What a condition reads of a request, by path; None where it is missing."""
    values: dict[str, object | None] = {}
    for wanted in expression.reads:
        try:
            values[wanted.path] = wanted.read(request, context)
        except KeyError:
            values[wanted.path] = None
    return values
