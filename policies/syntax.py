"""The lexical side of a condition: its inputs, found and given flat names, and its top-level conjuncts.

Handing CEL a nested `request` map costs 25 us a request, a flat variable for each value that is read about 1 us. So
`request.tags["weather"] == "night"` is compiled as `tag_... == "night"`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from visionrouter.policies.inputs import (
    FIELDS,
    ROOTS,
    VALUES,
    Input,
    context_input,
    field_input,
    member_input,
    tag_input,
)


class ConditionError(ValueError):
    """A condition that cannot be used; the message says why."""


_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>(?:[rR][bB]?|[bB][rR])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
               |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>==|!=|<=|>=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_MAX_NESTED = 2
_MEMBER = ('"key"', "in", "request", ".", "tags")
_LOOSE = frozenset({"", "(", ")", "[", "]", ",", "&&", "||", "?", ":"})


@dataclass(frozen=True, slots=True)
class Token:
    """One lexeme, `kind` being string, number, name or mark; `input` is set where it stands for a value read."""

    kind: str
    text: str
    input: Input | None = None


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A part of a condition that must hold for the whole to hold, as CEL over flat variables."""

    text: str
    inputs: tuple[Input, ...]


def parse_condition(source: str, literal: Callable[[str], object]) -> tuple[Conjunct, ...]:
    """Split `source`, a valid CEL expression, into its top-level conjuncts (`a && b`) over flat variables.

    `literal` evaluates the text of a CEL string. Raises `ConditionError` for an unknown field, a value that a field
    cannot take, or a reserved name.
    """
    tokens = [Token(str(m.lastgroup), m.group()) for m in _TOKEN.finditer(source) if m.lastgroup != "space"]
    bound = _bound_names(tokens)
    flat = _flatten(tokens, literal)
    _check_values(flat, literal)
    taken = bound & ({*ROOTS} | {token.text for token in flat if token.input})
    if taken:
        raise ConditionError(f"{min(taken)!r} cannot name the variable of a macro; it is taken")
    return tuple(_conjunct(part) for part in _split(flat))


def _bound_names(tokens: Sequence[Token]) -> set[str]:
    names: set[str] = set()
    inside: list[bool] = []
    for i, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        if token.text in "([{":
            macro = token.text == "(" and _text(tokens, i - 1) in _MACROS and _text(tokens, i - 2) == "."
            names |= {_text(tokens, i + 1)} if macro else set()
            inside.append(macro)
            if sum(inside) > _MAX_NESTED:
                raise ConditionError(f"nests more than {_MAX_NESTED} macros ({', '.join(sorted(_MACROS))})")
        elif token.text in ")]}":
            inside.pop()
    return names


def _text(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _flatten(tokens: Sequence[Token], literal: Callable[[str], object]) -> list[Token]:
    flat: list[Token] = []
    i = 0
    while i < len(tokens):
        if member := _read_membership(tokens, i, literal):
            flat.append(Token("name", member.variable, member))
            i += len(_MEMBER)
        elif tokens[i].text in ROOTS and tokens[i].kind == "name" and _text(tokens, i - 1) != ".":
            found, i = _read_path(tokens, i, literal)
            flat.append(Token("name", found.variable, found))
        else:
            flat.append(tokens[i])
            i += 1
    return flat


def _read_path(tokens: Sequence[Token], start: int, literal: Callable[[str], object]) -> tuple[Input, int]:
    """The input that begins at `start`, and the index after it."""
    root = tokens[start].text
    keys: list[tuple[str, int]] = []
    i = start + 1
    while len(keys) < 2 and (step := _key(tokens, i, literal)):
        keys.append(step)
        i = step[1]
    if (
        _text(tokens, start - 2) == "has"
        and _text(tokens, start - 1) == "("
        and keys
        and _text(tokens, keys[-1][1]) == ")"
    ):
        keys.pop()  # has(map.key) asks the map
    name, end = keys[0] if keys else ("", start + 1)
    if root == "context":
        return context_input(name or None), end
    if not name:
        known = ", ".join(FIELDS[root])
        raise ConditionError(f"{root!r} is not a value by itself; read one of its fields ({known})")
    if name not in FIELDS[root]:
        raise ConditionError(f"{root} has no field {name!r}{nearest(name, FIELDS[root])}")
    if (root, name) == ("request", "tags") and len(keys) == 2:
        return tag_input(keys[1][0]), keys[1][1]
    return field_input(root, name), end


def _read_membership(tokens: Sequence[Token], i: int, literal: Callable[[str], object]) -> Input | None:
    """The input that `"key" in request.tags` (or targets) at `i` is, where nothing beside it binds tighter."""
    words = [token.text for token in tokens[i : i + len(_MEMBER)]]
    if len(words) < len(_MEMBER) or tokens[i].kind != "string" or words[1:4] != ["in", "request", "."]:
        return None
    if (
        words[4] not in ("tags", "targets")
        or not {_text(tokens, i - 1), _text(tokens, i + len(_MEMBER))} <= _LOOSE
    ):
        return None
    key = literal(words[0])
    return member_input(words[4], key) if isinstance(key, str) else None


def _key(tokens: Sequence[Token], i: int, literal: Callable[[str], object]) -> tuple[str, int] | None:
    """The key selected at `i` by `.key` or `["key"]`, and the index after it."""
    if _text(tokens, i) == "." and _text(tokens, i + 2) != "(":
        return _text(tokens, i + 1), i + 2
    if _text(tokens, i) == "[" and _text(tokens, i + 2) == "]" and tokens[i + 1].kind == "string":
        key = literal(tokens[i + 1].text)
        return (key, i + 3) if isinstance(key, str) else None
    return None


def _check_values(tokens: Sequence[Token], literal: Callable[[str], object]) -> None:
    for i, token in enumerate(tokens):
        if token.input is None or token.input.path not in VALUES:
            continue
        compared: list[Token] = []
        if _text(tokens, i + 1) in ("==", "!="):
            compared += tokens[i + 2 : i + 3]
        if i > 1 and _text(tokens, i - 1) in ("==", "!="):
            compared.append(tokens[i - 2])
        if _text(tokens, i + 1) == "in" and _text(tokens, i + 2) == "[":
            stop = next(j for j in range(i, len(tokens)) if tokens[j].text == "]")
            compared += tokens[i + 3 : stop]
        for other in compared:
            value = literal(other.text) if other.kind == "string" else None
            known = VALUES[token.input.path]
            if isinstance(value, str) and value not in known:
                listed = ", ".join(repr(str(v)) for v in known)
                raise ConditionError(
                    f"{token.input.path} is never {value!r}{nearest(value, known)} (it is one of {listed})"
                )


def _split(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    parts: list[Sequence[Token]] = []
    depth = begin = 0
    for i, token in enumerate(tokens):
        if token.kind != "mark":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0 and token.text in ("||", "?"):
            return [tokens]
        if depth == 0 and token.text == "&&":
            parts.append(tokens[begin:i])
            begin = i + 1
    return [*parts, tokens[begin:]]


def _conjunct(tokens: Sequence[Token]) -> Conjunct:
    inputs = dict.fromkeys(token.input for token in tokens if token.input)
    return Conjunct(" ".join(token.text for token in tokens), tuple(inputs))


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the closest of `known`, else nothing."""
    close = get_close_matches(word, list(known), 1, 0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
