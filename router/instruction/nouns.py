"""The middle of a thing: number, superlatives, adjectives and an open-vocabulary noun.

    core      = [number] { [ordinal] superlative | adjective | colour } [number] noun
    noun      = "quoted name" | word { word } [of word { word }]

Any word may be a noun, but for the words of the lexicon and what looks like a slip for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from visionrouter.instruction import lexicon, reserved
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.inflection import is_plural, singular
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.spelling import slip
from visionrouter.schema.task import Relation

_MAX_WORDS = 4
_PLURAL_FIRST = frozenset(
    {"sports", "news", "clothes", "arms", "goods", "glass", "mens", "womens", "savings"}
)


@dataclass(frozen=True, slots=True)
class Core:
    """What stands before the noun, and the noun, singular. `rank` still waits for "from the left"."""

    noun: str
    number: int | None
    rank: int | None
    relations: tuple[Relation, ...]
    attributes: tuple[str, ...]
    plural: bool
    end: int


class Nouns:
    """Readings of cores in the tokens of `reader`; each place has one reading at most."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._cores: dict[int, Core | None] = {}

    def core(self, i: int) -> Core | None:
        """The core at token `i`, None where there is none."""
        if i not in self._cores:
            self._cores[i] = self._core(i)
        return self._cores[i]

    def _core(self, i: int) -> Core | None:
        start = i
        number, i = self._number(i)
        rank: int | None = None
        relations: list[Relation] = []
        attributes: list[str] = []
        joined = False  # "red and white"
        while True:
            word = self.reader.word(i)
            if self._compound(i):
                break
            ordinal = self.ordinal(i)
            superlative = self._superlative(ordinal[1] if ordinal else i)
            described = self.adjective(i)
            if superlative is not None:
                kinds, j = superlative
                relations += (Relation(kind, rank=ordinal[0] if ordinal else 1) for kind in kinds)
                i = j
            elif ordinal is not None and rank is None:
                rank, i = ordinal
            elif described is not None and not self._is_noun_here(i, described[1]):
                attributes.append(described[0])
                i = described[1]
            elif word in ("and", "&", ",") and attributes and self._goes_on(i):
                joined |= word != ","
                i += 1
            elif number is None and relations and self._number(i)[0] is not None:
                number, i = self._number(i)
            else:
                break
        noun = self.noun(i)
        if noun is None:
            return None
        name, plural, end = noun
        if joined and (plural or (number or 1) > 1):
            self.reader.note(
                start,
                f'"{self.reader.text(start, end)}" may be things of both kinds or some of each',
                "detect "
                + "; ".join(f"{attribute} {self.reader.text(end - 1, end)}" for attribute in attributes),
            )
            return None
        return Core(name, number, rank, tuple(relations), tuple(attributes), plural, end)

    def _number(self, i: int) -> tuple[int | None, int]:
        if i < len(self.reader) and self.reader.tokens[i].kind == "number":
            number = int(self.reader.tokens[i].text)
            return (number, i + 1) if number else (None, i)
        return self.reader.take(v.NUMBERS, i) or (None, i)

    def ordinal(self, i: int) -> tuple[int, int] | None:
        """ "second", "2nd" """
        if i < len(self.reader) and self.reader.tokens[i].kind == "ordinal":
            rank = int(self.reader.tokens[i].text[:-2])
            return (rank, i + 1) if rank else None
        return self.reader.take(v.ORDINALS, i)

    def _superlative(self, i: int) -> tuple[v.Kinds, int] | None:
        if self._compound(i):
            return None
        for kinds, end in self.reader.takes(v.SUPERLATIVES, i):
            sided = self.reader.word(end - 1) in ("left", "right")
            if sided and end > i + 1 and self._compound(end - 1):
                continue  # "the topmost left hand"
            hand = sided and self.reader.word(end) == "hand"  # "the left-hand window"
            return kinds, end + hand
        return None

    def adjective(self, i: int) -> tuple[str, int] | None:
        """An adjective or colour at token `i`, in standard spelling: "light blue", "striped"."""
        word, following = self.reader.word(i), self.reader.word(i + 1)
        if word in v.SHADES and following in v.COLOURS:
            found, end = f"{word} {v.COLOUR_SPELLING.get(following, following)}", i + 2
        elif word in v.COLOURS or word in v.ADJECTIVES or word in v.DULL:
            found, end = v.COLOUR_SPELLING.get(word, word), i + 1
        else:
            return None
        if self.reader.word(end) in ("coloured", "colored", "colour", "color"):
            end += 1
        return found, end

    def _goes_on(self, i: int) -> bool:
        """ "and" or a comma at token `i` joins one more adjective of the same noun."""
        more = self.adjective(i + 1)
        if more is None or self._is_noun_here(i + 1, more[1]):
            return False
        return self._begins(more[1]) or (
            self.reader.word(more[1]) in ("and", "&", ",") and self._goes_on(more[1])
        )

    def _is_noun_here(self, i: int, end: int) -> bool:
        """ "orange", "glass": an adjective that is the noun itself where no noun follows."""
        if self.reader.word(i) not in v.NOUN_TOO or end != i + 1 or self._begins(end):
            return False
        return not (
            self.reader.word(end) in ("and", "&", ",") and self.adjective(end + 1) and self._goes_on(end)
        )

    def _begins(self, i: int) -> bool:
        """A noun, perhaps with adjectives, begins at token `i`."""
        quoted = i < len(self.reader) and self.reader.tokens[i].kind == "quoted"
        return quoted or self.adjective(i) is not None or self._is_word(i, first=True)

    # ---- nouns

    def noun(self, i: int) -> tuple[str, bool, int] | None:
        """(singular, whether it was plural, end) of the noun at token `i`."""
        written: list[str] = []
        if i < len(self.reader) and self.reader.tokens[i].kind == "quoted":
            name = self.reader.tokens[i].text
            if not name or not self._is_word(i + 1, first=False):
                return (name, False, i + 1) if name else None
            written.append(name)  # the "exit" sign
        elif self._compound(i):
            written += (self.reader.word(i), self.reader.word(i + 1))
        while len(written) < _MAX_WORDS and self._is_word(i + len(written), first=not written):
            written.append(self.reader.word(i + len(written)))
            if is_plural(written[-1]) and not (len(written) == 1 and written[0] in _PLURAL_FIRST):
                break
        if not written or not self._is_name(i, written):
            return None
        end = i + len(written)
        of = self._measured(written[0], end) if len(written) == 1 else []
        return singular(" ".join([*written, *of])), is_plural(written[-1]), end + len(of)

    def _compound(self, i: int) -> bool:
        """ "hot dog", which is no dog that is hot; "left hand", which may be anywhere"""
        first, second = self.reader.word(i), singular(self.reader.word(i + 1))
        if first in ("left", "right") and second in v.PAIRED_PARTS:
            return second != "hand" or not self._begins(i + 2)
        return f"{first}-{second}" in v.COMPOUNDS

    def _measured(self, head: str, i: int) -> list[str]:
        """ "of coffee" after "cup": one noun with it."""
        head = "glass" if head == "glasses" else singular(head)
        if head not in v.MEASURES or self.reader.word(i) != "of":
            return []
        words: list[str] = []
        while len(words) < 3 and (self._is_word(i + 1 + len(words), first=not words)):
            words.append(self.reader.word(i + 1 + len(words)))
        return ["of", *words] if words else []

    def _is_name(self, i: int, written: list[str]) -> bool:
        """The words can be one noun; what speaks against it is noted."""
        for place, word in enumerate(written, i):
            meant = slip(word)
            if meant is not None:
                self.reader.note(
                    place,
                    f'"{word}" looks like a slip for "{meant}" (a name is taken as it stands in double quotes)',
                    self.reader.plain[: self.reader.tokens[place].start]
                    + meant
                    + self.reader.plain[self.reader.tokens[place].end :],
                )
                return False
        if singular(written[-1]) in v.QUESTIONED and self.reader.word(i + len(written)) == "of":
            return False  # "the number of cars" asks for a count
        basic = [word for word in written if singular(word) in v.BASIC_THINGS]
        if len(basic) > 1:
            self.reader.note(i, f'"{" ".join(written)}" names several things; put commas between them')
            return False
        return not (len(written) == 1 and written[0].endswith("ing") and written[0] not in reserved.ING_NOUNS)

    def _is_word(self, i: int, first: bool) -> bool:
        """Token `i` may be part of a noun; `first`: its first word."""
        if i >= len(self.reader) or self.reader.tokens[i].kind != "word":
            return False
        word = self.reader.tokens[i].text
        if i == 0 and word in lexicon.MAKE.first_words:
            return False  # the verb of "get people segmentation"
        if (
            len(word) < 2
            or word in reserved.RESERVED
            or word in v.CLOSED
            or word.startswith("'")
            or "'" in word
        ):
            return False
        if word.endswith("ly") and word not in reserved.LY_NOUNS:
            return False
        if word in v.COLOURS or word in v.ADJECTIVES or word in v.SHADES:
            return word == "light" or (word in v.NOUN_TOO and (first or word not in v.PALETTE_FRUIT))
        participle = word.endswith(("ing", "ed")) and len(word) > 4
        return first or not participle or word in reserved.ING_NOUNS or word in reserved.ED_NOUNS


def ordinal(rank: int) -> str:
    """ "second", "21st" """
    words = {number: phrase[0] for phrase, number in v.ORDINALS.phrases.items()}
    ending = {1: "st", 2: "nd", 3: "rd"}.get(rank % 10 * (rank % 100 not in (11, 12, 13)), "th")
    return words.get(rank, f"{rank}{ending}")
