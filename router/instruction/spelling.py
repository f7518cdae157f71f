"""Slips of the keyboard in the closed words of a thing.

Nouns are open, so "teh dog" would be read as a kind of dog. A word one edit away from a closed word, and no English
noun itself, is therefore refused with the word that was probably meant.
"""

from __future__ import annotations

from functools import lru_cache

from visionrouter.instruction.wordlist import words

_CLOSED = words(
    """the this that these those every each all with without from and except left right top bottom upper lower middle
    center centre nearest closest farthest furthest largest biggest smallest leftmost rightmost second third fourth
    behind below above under underneath beside between front next near inside wearing holding riding carrying
    red green blue yellow white black orange purple pink brown gray grey cyan magenta maroon teal navy lime please image picture photo photograph
    background foreground"""
)
_ALL_EDITS = words("left every image photo")  # even though they are short
_NOUNS = words(
    """form lift loft theft cleft left theme block slack flask hose emery night light fight sight knight bight
    power tower flower lover loser rower mower blower bower range grange center centre renter seconds bearing hearing
    gearing weaving fellow crown brow frown bedside bellow raiding siding hiding closet closets frost font riddle
    fiddle supper abode folding molding golding mage phot greenery rights whites browns greens reds blues slacks
    blacks oranges yellows pinks centers centres rear reader bed rod rid ode reed bread thirds fourths fronts
    uppers bottoms plaza pleat pleats hall wall ball call tall mall stall gall pall allay alloy ally eight ivory
    peach beach reach leech ruler lefty images photos pictures photographs peace witch wrath width earring phonograph backgrounds back blow blank photon proto"""
)


@lru_cache(maxsize=4096)
def slip(word: str) -> str | None:
    """The closed word that `word` is probably a slip for, None where it is a word of its own."""
    if word in _CLOSED or word in _NOUNS:
        return None
    return next((closed for closed in sorted(_CLOSED) if _one_edit(word, closed)), None)


def _one_edit(word: str, closed: str) -> bool:
    """Neighbours swapped; in closed words of five letters and more also one letter wrong, missing or too many."""
    longer = len(word) - len(closed)
    if abs(longer) > 1:
        return False
    at = next(
        (i for i, (a, b) in enumerate(zip(word, closed, strict=False)) if a != b), min(len(word), len(closed))
    )
    if not longer and word[at + 2 :] == closed[at + 2 :] and word[at : at + 2] == closed[at : at + 2][::-1]:
        return True
    if len(closed) < 5 and closed not in _ALL_EDITS:
        return False
    return word[at + (longer >= 0) :] == closed[at + (longer <= 0) :]
