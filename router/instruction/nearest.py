"""The instructions nearest to words that were not understood."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache

from visionrouter.instruction import lexicon
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.canonical import thing
from visionrouter.instruction.lists import Lists
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.sentences import EXAMPLES, MORE_EXAMPLES


def guesses(reader: Reader) -> Iterator[str]:
    """What the words of `reader` may have been meant for, best first."""
    yield from _corrected(reader)
    yield from _shortened(reader)
    yield from _with_verb(reader)


def examples(reader: Reader) -> Iterator[str]:
    """Examples, those like the words of `reader` first."""
    said = reader.plain.lower()
    yield from difflib.get_close_matches(said[:120], EXAMPLES + MORE_EXAMPLES, n=3, cutoff=0.45)
    yield from EXAMPLES


def _corrected(reader: Reader) -> Iterator[str]:
    """One word replaced by a word of the lexicon that is spelt nearly so."""
    for token in reader.tokens:
        if token.kind == "word" and len(token.text) > 2 and token.text not in known():
            for meant in difflib.get_close_matches(token.text, _alike(token.text), n=2, cutoff=0.75):
                yield f"{reader.plain[: token.start]}{meant}{reader.plain[token.end :]}".strip().lower()


def _shortened(reader: Reader) -> Iterator[str]:
    """What stands before the words not understood."""
    if 0 < reader.furthest < len(reader):
        yield (
            reader.plain[reader.tokens[0].start : reader.tokens[reader.furthest].start].strip(" ,;:").lower()
        )


def _with_verb(reader: Reader) -> Iterator[str]:
    """A thing alone, or after an unknown verb: what could be done with it."""
    lists = Lists(Reader(reader.plain, reader.tokens))
    for i in range(min(3, len(reader))):
        for things_there, end in lists.at(i):
            if end == len(reader):
                if any(one.target.noun in v.IMAGE_WORDS for one in things_there):
                    return
                named = "; ".join(thing(one.target) for one in things_there)
                yield from (f"segment {named}", f"detect {named}")
                return


def _alike(word: str) -> list[str]:
    """The words of the lexicon of nearly the same length and with the same first or last letter."""
    return [
        other
        for other in known()
        if abs(len(other) - len(word)) < 3 and (other[0] == word[0] or other[-1] == word[-1])
    ]


@cache
def known() -> tuple[str, ...]:
    """The words of the tables of the lexicon, commands first."""
    tables = (lexicon.FIND, lexicon.SEGMENT, lexicon.DEPTH, lexicon.NORMALS, lexicon.INTRINSICS, lexicon.POSE,
              lexicon.REDACT, lexicon.CLASSIFY, lexicon.COUNT, lexicon.SEMANTIC, lexicon.INSTANCE, lexicon.HOW_MANY, lexicon.FAR, lexicon.DISTANCE, lexicon.MASK,
              v.DETERMINERS, v.RELATIONS, v.SUPERLATIVES, lexicon.DETECTION, lexicon.BE)  # fmt: skip
    found = (word for table in tables for phrase in table.phrases for word in phrase if len(word) > 2)
    return tuple(dict.fromkeys((*found, "where", "what", "segmentation")))
