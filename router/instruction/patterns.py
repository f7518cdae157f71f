"""A small notation for phrases and sentences, compiled to trees.

    how far [away] (is|are) <things> [from VIEWER]

Lower case: a word. `[...]`: may be left out. `(a|b)`: one of. UPPER CASE: a phrase of the lexicon by that name.
`<name>`: a nonterminal of the grammar. What a table or nonterminal matched is bound to its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from visionrouter.instruction.tokens import Token

V = TypeVar("V")


class Word(NamedTuple):
    """A literal word or mark."""

    text: str


class Slot(NamedTuple):
    """A table of the lexicon (`terminal`) or a nonterminal."""

    name: str
    terminal: bool


class Choice(NamedTuple):
    """One of several sequences; an empty one makes it optional."""

    options: tuple[tuple[Node, ...], ...]


Node = Word | Slot | Choice
_PIECE = re.compile(r"[()\[\]|]|<\w+>|[^\s()\[\]|]+")


def compile_pattern(text: str) -> tuple[Node, ...]:
    """The tree of one pattern."""
    pieces = _PIECE.findall(text)
    options, end = _options(pieces, 0)
    if end != len(pieces):
        raise ValueError(f"unbalanced pattern: {text}")
    return options[0] if len(options) == 1 else (Choice(options),)


def _options(pieces: Sequence[str], i: int) -> tuple[tuple[tuple[Node, ...], ...], int]:
    options: list[tuple[Node, ...]] = []
    sequence: list[Node] = []
    while i < len(pieces) and pieces[i] not in ")]":
        piece = pieces[i]
        if piece == "|":
            options.append(tuple(sequence))
            sequence = []
        elif piece in "([":
            inner, i = _options(pieces, i + 1)
            sequence.append(Choice(inner if piece == "(" else (*inner, ())))
        elif piece.startswith("<"):
            sequence.append(Slot(piece[1:-1], terminal=False))
        elif piece.isupper():
            sequence.append(Slot(piece, terminal=True))
        else:
            sequence.append(Word(piece))
        i += 1
    return (*options, tuple(sequence)), i


def expand(nodes: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    """Every word sequence of a pattern without slots."""
    if not nodes:
        yield ()
        return
    first, *rest = nodes
    for tail in expand(rest):
        if isinstance(first, Word):
            yield (first.text, *tail)
        elif isinstance(first, Choice):
            for option in first.options:
                for head in expand(option):
                    yield (*head, *tail)
        else:
            raise ValueError(f"a table of phrases cannot hold the slot {first.name}")


def first_words(
    nodes: Sequence[Node], of_slot: Callable[[Slot], frozenset[str] | None]
) -> frozenset[str] | None:
    """The words that a pattern may begin with; None where it may begin with any. `of_slot` answers for a slot."""
    found: frozenset[str] = frozenset()
    for node in nodes:
        if isinstance(node, Word):
            return found | {node.text}
        if isinstance(node, Slot):
            first = of_slot(node)
            return None if first is None else found | first
        for option in filter(None, node.options):
            first = first_words(option, of_slot)
            if first is None:
                return None
            found |= first
        if () not in node.options:
            return found
    return found


class Phrases(Generic[V]):
    """A table from phrases, written as patterns, to what they mean."""

    def __init__(self, meanings: Mapping[V, str] | Iterable[tuple[V, str]]) -> None:
        self._meanings = tuple(meanings.items()) if isinstance(meanings, Mapping) else tuple(meanings)

    @cached_property
    def phrases(self) -> dict[tuple[str, ...], V]:
        """Word sequence → meaning."""
        return {
            phrase: meaning
            for meaning, text in self._meanings
            for phrase in expand(compile_pattern(text))
            if phrase
        }

    @cached_property
    def first_words(self) -> frozenset[str]:
        """The first words of the phrases."""
        patterns = (compile_pattern(text) for _, text in self._meanings)
        return frozenset().union(*(first_words(nodes, lambda _: None) or () for nodes in patterns))

    @cached_property
    def _lengths(self) -> dict[str, list[int]]:
        lengths: dict[str, set[int]] = {}
        for phrase in self.phrases:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        return {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def matches(self, tokens: Sequence[Token], i: int) -> Iterator[tuple[V, int]]:
        """(meaning, end) of every phrase that starts at token `i`, longest first."""
        if i >= len(tokens):
            return
        for length in self._lengths.get(tokens[i].text, ()):
            phrase = tuple(token.text for token in tokens[i : i + length] if token.kind != "quoted")
            if len(phrase) == length and phrase in self.phrases:
                yield self.phrases[phrase], i + length

    def longest(self, tokens: Sequence[Token], i: int) -> tuple[V, int] | None:
        """The longest phrase that starts at token `i`."""
        return next(self.matches(tokens, i), None)
