"""Words that say nothing: please, can you, in this picture, thanks. These alone are dropped; the tables are in `lexicon`."""

from __future__ import annotations

from visionrouter.instruction import lexicon
from visionrouter.instruction.tokens import Token

_LONGEST = 9


def stripped(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens without the words of politeness at the start and the end, and without "please" anywhere."""
    kept = tuple(
        token for token in tokens if token.kind == "quoted" or token.text not in lexicon.POLITE_WORDS
    )
    start, end = 0, len(kept)
    while (found := lexicon.POLITE_START.longest(kept[:end], start)) is not None:
        start = found[1]
    while (cut := _last(kept, start, end)) is not None:
        end = cut
    return kept[start:end]


def _last(tokens: tuple[Token, ...], start: int, end: int) -> int | None:
    """Where the longest phrase of politeness that ends at `end` begins."""
    for i in range(max(start, end - _LONGEST), end):
        if any(found == end for _, found in lexicon.POLITE_END.matches(tokens[:end], i)):
            return i
    return None
