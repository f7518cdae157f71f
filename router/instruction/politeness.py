"""Words that say nothing: please, can you, in this picture, thanks. These alone are dropped; the tables are in `lexicon`."""

from __future__ import annotations

from visionrouter.instruction import lexicon
from visionrouter.instruction.tokens import Token

_LONGEST = 9


def stripped(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens without the words of politeness at the start and the end, and without "please" anywhere."""
    kept = _without_please(tokens)
    start, end = 0, len(kept)
    while (found := lexicon.POLITE_START.longest(kept[:end], start)) is not None:
        start = found[1]
    while (cut := _last(kept, start, end)) is not None:
        end = cut
    return kept[start:end]


def _without_please(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens without single words of politeness, nor the commas around them."""
    kept: list[Token] = []
    dropped = False
    for token in tokens:
        polite = token.kind != "quoted" and token.text in lexicon.POLITE_WORDS
        if not polite and not (dropped and token.text == "," and kept and kept[-1].text == ","):
            kept.append(token)
        elif not polite:
            kept.pop()
        dropped = polite
    return tuple(kept)


def _last(tokens: tuple[Token, ...], start: int, end: int) -> int | None:
    """Where the longest phrase of politeness that ends at `end` begins."""
    for i in range(max(start, end - _LONGEST), end):
        if any(found == end for _, found in lexicon.POLITE_END.matches(tokens[:end], i)):
            return i
    return None
