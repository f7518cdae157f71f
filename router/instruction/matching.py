"""Which sentences of the grammar the tokens are, and what filled their slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from visionrouter.instruction import lexicon, vocabulary
from visionrouter.instruction.lists import Lists
from visionrouter.instruction.palettes import Palettes
from visionrouter.instruction.patterns import Choice, Node, Phrases, Slot, Word, compile_pattern, first_words
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.sentences import NONTERMINALS, SENTENCES
from visionrouter.instruction.thing import Thing
from visionrouter.schema.task import Palette


class Parts(NamedTuple):
    """What filled the slots of one sentence. `tables`: (table, meaning of the phrase found) in the order of the words."""

    things: tuple[Thing, ...] = ()
    palette: Palette = ()
    tables: tuple[tuple[str, object], ...] = ()

    def meaning(self, table: str) -> str:
        """The meaning of the phrase found in `table`, empty where there was none."""
        return next((str(meaning) for name, meaning in self.tables if name == table), "")


class Matcher:
    """Matches the tokens of `reader` with the sentences of the grammar."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.lists = Lists(reader)
        self.palettes = Palettes(reader, self.lists.things)

    def sentences(self) -> Iterator[tuple[str, Parts]]:
        """(name, parts) of every sentence that all tokens together are."""
        start = self.reader.word(0)
        for name, nodes, first in _sentences():
            if first is not None and start not in first:
                continue
            for parts, end in self._match(nodes, 0, Parts()):
                if end == len(self.reader):
                    yield name, parts

    def _match(self, nodes: Sequence[Node], i: int, parts: Parts) -> Iterator[tuple[Parts, int]]:
        if not nodes:
            yield parts, i
            return
        node, rest = nodes[0], nodes[1:]
        if isinstance(node, Word):
            if self.reader.word(i) == node.text:
                self.reader.reach(i + 1)
                yield from self._match(rest, i + 1, parts)
        elif isinstance(node, Choice):
            for option in node.options:
                yield from self._match((*option, *rest), i, parts)
        elif node.terminal:
            for meaning, end in self.reader.takes(_table(node.name), i):
                more = Parts(parts.things, parts.palette, (*parts.tables, (node.name, meaning)))
                yield from self._match(rest, end, more)
        elif node.name in NONTERMINALS:
            yield from self._match((*_nonterminal(node.name), *rest), i, parts)
        elif i < len(self.reader):
            for more, end in self._grammar(node.name, i, parts):
                yield from self._match(rest, end, more)

    def _grammar(self, name: str, i: int, parts: Parts) -> Iterator[tuple[Parts, int]]:
        if name == "palette":
            for palette, end in self.palettes.lists(i):
                yield Parts(parts.things, palette, parts.tables), end
            return
        readings = {
            "things": self.lists.at,
            "or_things": self.lists.choices,
            "described": self.lists.described,
        }
        for things, end in readings[name](i):
            yield Parts(things, parts.palette, parts.tables), end


@cache
def _sentences() -> tuple[tuple[str, tuple[Node, ...], frozenset[str] | None], ...]:
    """(name, pattern, words it may begin with) of every sentence."""
    patterns = ((name, compile_pattern(text)) for name, text in SENTENCES)
    return tuple((name, nodes, first_words(nodes, _first_of_slot)) for name, nodes in patterns)


def _first_of_slot(slot: Slot) -> frozenset[str] | None:
    if slot.terminal:
        return _table(slot.name).first_words
    return first_words(_nonterminal(slot.name), _first_of_slot) if slot.name in NONTERMINALS else None


@cache
def _nonterminal(name: str) -> tuple[Node, ...]:
    return compile_pattern(NONTERMINALS[name])


@cache
def _table(name: str) -> Phrases[object]:
    table: Phrases[object] = getattr(lexicon, name, None) or getattr(vocabulary, name)
    return table
