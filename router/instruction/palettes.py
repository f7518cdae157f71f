"""The grammar of palettes: which colour means which class.

palette = JSON object | entry { [, | ; | and] entry }
entry   = thing [in | as | : | = | ->] colour | colour (for | : | = | ->) thing | the rest colour
colour  = a name | #rgb | #rrggbb | [rgb] ( number , number , number )
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from visionrouter.instruction import lexicon
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.inflection import singular
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.sentences import PALETTE_EXAMPLE
from visionrouter.instruction.things import Things
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.task import Palette, PaletteEntry

_BACKGROUND = "background"
_ARTICLES = re.compile(r"^(?:(?:the|an?|all|every|each|any|some|my) )+")
RGB = tuple[int, int, int]


class Palettes:
    """Readings of palettes in the tokens of `reader`."""

    def __init__(self, reader: Reader, things: Things) -> None:
        self.reader = reader
        self.things = things

    def lists(self, i: int) -> Iterator[tuple[Palette, int]]:
        """Every reading of a palette at token `i`, longest first, with the token after it."""
        if i < len(self.reader) and self.reader.tokens[i].kind == "json":
            self.reader.reach(i + 1)
            yield _from_json(self.reader.tokens[i].text), i + 1
            return
        entries: list[PaletteEntry] = []
        ends: list[int] = []
        while (entry := self._entry(i)) is not None:
            found, i = entry
            entries.append(found)
            ends.append(i)
            separator = self.reader.take(lexicon.SEPARATOR, i)
            i = separator[1] if separator else i
        for count in range(len(entries), 0, -1):
            yield tuple(entries[:count]), ends[count - 1]

    def _entry(self, i: int) -> tuple[PaletteEntry, int] | None:
        for label, j in self._labels(i):
            link = self.reader.take(lexicon.AS_COLOUR, j)
            colour = self._colour(link[1] if link else j)
            if colour is not None:
                return PaletteEntry(label, colour[1], colour[0]), colour[2]
        colour = self._colour(i)
        link = self.reader.take(lexicon.FOR_LABEL, colour[2]) if colour else None
        if colour is not None and link is not None:
            for label, j in self._labels(link[1]):
                return PaletteEntry(label, colour[1], colour[0]), j
        return None

    def _labels(self, i: int) -> Iterator[tuple[str, int]]:
        rest = self.reader.take(lexicon.REST, i)
        if rest is not None:
            yield _BACKGROUND, rest[1]
            return
        for thing in self.things.at(i, modified=False):
            target = thing.target
            if not target.relations:
                yield " ".join([*target.attributes, target.noun]), thing.end

    def _colour(self, i: int) -> tuple[str | None, RGB, int] | None:
        """(name, sRGB, end) of the colour at token `i`."""
        if i >= len(self.reader):
            return None
        token = self.reader.tokens[i]
        if token.kind == "hex":
            self.reader.reach(i + 1)
            return None, _from_hex(token.text), i + 1
        triple = self._triple(i + 1 if token.text == "rgb" else i)
        if triple is not None:
            self.reader.reach(triple[1])
            return None, triple[0], triple[1]
        name = v.COLOUR_SPELLING.get(token.text, token.text)
        if token.kind != "word" or name not in v.COLOURS:
            return None
        self.reader.reach(i)
        rgb = _named(name)
        if rgb is None:
            self.reader.note(i, _no_such_colour(name))
            return None
        self.reader.reach(i + 1)
        return name, rgb, i + 1

    def _triple(self, i: int) -> tuple[RGB, int] | None:
        """ "(255, 0, 0)", "[255 0 0]" """
        if self.reader.word(i) not in ("(", "["):
            return None
        numbers: list[int] = []
        for j in range(i + 1, min(i + 8, len(self.reader))):
            token = self.reader.tokens[j]
            if token.kind == "number":
                numbers.append(int(token.text))
            elif token.text in (")", "]") and len(numbers) == 3:
                return _in_range(numbers), j + 1
            elif token.text != ",":
                return None
        return None


def _from_json(text: str) -> Palette:
    """A palette written as a JSON object, or as a Python dict with single quotes."""
    try:
        pairs = json.loads(text if '"' in text else text.replace("'", '"'), object_pairs_hook=list)
    except json.JSONDecodeError as error:
        raise _bad(
            f"the colour mapping is not valid JSON: {error.msg} at its character {error.pos + 1}; "
            'write {"cat": "red", "background": "yellow"}'
        ) from None
    if not pairs:
        raise _bad('the colour mapping is empty; write {"cat": "red", "background": "yellow"}')
    entries = []
    for label, colour in pairs:
        name = _label(label)
        if isinstance(colour, str) and colour.strip().startswith("#"):
            entries.append(PaletteEntry(name, _from_hex(colour.strip().lower())))
        elif isinstance(colour, str):
            word = " ".join(colour.lower().split())
            word = v.COLOUR_SPELLING.get(word, word)
            rgb = _named(word)
            if rgb is None:
                raise _bad(_no_such_colour(word))
            entries.append(PaletteEntry(name, rgb, word))
        elif isinstance(colour, list) and len(colour) == 3 and all(type(c) is int for c in colour):
            entries.append(PaletteEntry(name, _in_range(colour)))
        else:
            raise _bad(
                f'the colour of "{name}" is {json.dumps(colour)[:40]}; give a colour name, "#rrggbb" or [red, green, blue]'
            )
    return tuple(entries)


def _label(text: str) -> str:
    label = _ARTICLES.sub("", " ".join(text.replace("_", " ").lower().split()))
    if not label or '"' in label or not label.isprintable():
        raise _bad(
            f"the colour mapping has a label {json.dumps(text)[:40]} that cannot be spoken; name the class"
        )
    return singular(label)


def _named(name: str) -> RGB | None:
    from visionrouter.schema.palette import NAMED_COLOURS  # numpy behind it

    return NAMED_COLOURS.get(name)


def _no_such_colour(name: str) -> str:
    from visionrouter.schema.palette import NAMED_COLOURS

    return f'"{name[:40]}" is no colour of a palette; use #rrggbb or one of: {", ".join(NAMED_COLOURS)}'


def _from_hex(text: str) -> RGB:
    digits = text[1:]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    if len(digits) != 6 or any(digit not in "0123456789abcdef" for digit in digits):
        raise _bad(f'"{text[:40]}" is no colour; write #rgb or #rrggbb, such as #ff0000')
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def _in_range(numbers: list[int]) -> RGB:
    red, green, blue = numbers
    if not all(0 <= number <= 255 for number in numbers):
        raise _bad(f"({red}, {green}, {blue}) is no colour; red, green and blue go from 0 to 255")
    return red, green, blue


def check(palette: Palette) -> Palette:
    """The palette itself, where no label and no colour stands twice; InstructionError else."""
    labels: dict[str, RGB] = {}
    colours: dict[RGB, str] = {}
    for entry in palette:
        if entry.label in labels:
            raise _bad(f'"{entry.label}" is given two colours; give it one')
        if entry.rgb in colours:
            raise _bad(
                f'"{colours[entry.rgb]}" and "{entry.label}" are given the same colour; they could not be told apart'
            )
        labels[entry.label], colours[entry.rgb] = entry.rgb, entry.label
    return palette


def _bad(message: str) -> InstructionError:
    return InstructionError(message, (PALETTE_EXAMPLE,))
