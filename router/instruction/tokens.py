"""Text → tokens: words in lower case, numbers, punctuation, "quoted names", {JSON palettes}.

Hyphens between words are blanks ("top-left", but "passer-by"), typographic quotes are plain ones, possessives split ("man", "'s"),
contractions open ("what's" → "what", "is"). What is not written in Latin letters is refused here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

from visionrouter.instruction.sentences import EXAMPLES
from visionrouter.schema.errors import InstructionError

MAX_CHARACTERS = 2000

Kind = Literal["word", "number", "ordinal", "hex", "quoted", "json", "mark"]


class Token(NamedTuple):
    """One token; `start` and `end` are offsets into the text that was tokenised."""

    text: str
    kind: Kind
    start: int
    end: int


_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "‛": "'", "`": "'", "´": "'", "′": "'"}
) | str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "«": '"',
        "»": '"',
        "″": '"',
        "‐": "-",
        "‑": "-",
        "–": "-",
        "—": "-",
        "−": "-",
    }
)
_TOKEN = re.compile(
    r"""
      (?P<json>\{[^{}]*\})
    | (?P<quoted>"[^"]*" | (?<![^\W\d_])'[^']+'(?![^\W\d_]))
    | (?P<hex>\#[0-9a-z]+)
    | (?P<ordinal>\d+(?:st|nd|rd|th)(?![^\W\d_]))
    | (?P<dimension>\d+d(?![^\W\d_]))
    | (?P<number>\d+)
    | (?P<word>[^\W\d_](?:-(?=[^\W\d_]{2}))?[^\W\d_]*(?:-(?:by|in|up|off)(?![^\W\d_]))?(?:'[^\W\d_]+)*(?:(?<=s)'(?!\w))?)
    | (?P<mark>->|=>|→|[^\s\w]|_)
    """,
    re.VERBOSE,
)
_ARTICLE = re.compile(r"""["'](the|an?|all|every|each|any|some|my)\s""")  # in quotes, but no name
_IS = frozenset(["what", "where", "who", "which", "that", "there", "here", "it", "how", "everything"])
_CONTRACTIONS = {
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "dont": ("do", "not"),
    "cant": ("can", "not"),
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "let's": ("let", "us"),
    "lets": ("let", "us"),
    "i'd": ("i", "would"),
    "i'm": ("i", "am"),
    "you're": ("you", "are"),
    "they're": ("they", "are"),
    "that'll": ("that", "will"),
}


def clip(text: str, limit: int = 60) -> str:
    """Text for a message: one line, at most `limit` characters, only printable ones."""
    line = " ".join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def normalise(text: str) -> str:
    """NFKC, plain quotes and dashes, one blank for any white space; raises InstructionError for what is no sentence."""
    if len(text) > MAX_CHARACTERS:
        raise InstructionError(
            f"the instruction has {len(text)} characters; at most {MAX_CHARACTERS} are read. Say one thing, shortly",
            EXAMPLES,
        )
    for place, character in enumerate(text):
        if character not in "\t\n\r" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            raise InstructionError(
                f"character {place + 1} of the instruction is U+{ord(character):04X}, which is not printable text; remove it",
                EXAMPLES,
            )
    plain = " ".join(unicodedata.normalize("NFKC", text).translate(_PLAIN).split())
    for place, character in enumerate(plain):
        if unicodedata.category(character)[0] in "LM" and not unicodedata.name(character, "").startswith(
            "LATIN"
        ):
            raise InstructionError(
                f'"{clip(plain[place : place + 40])}" (character {place + 1}) is not English; '
                "instructions are understood in English only",
                EXAMPLES,
            )
    if plain.startswith('"') and plain.endswith('"') and plain.count('"') == 2:
        plain = plain[1:-1].strip()
    return plain


def tokenize(plain: str) -> tuple[Token, ...]:
    """The tokens of a normalised text."""
    return tuple(_tokens(plain))


def _tokens(plain: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(_lower(plain)):
        kind, text, start, end = match.lastgroup, match.group(), match.start(), match.end()
        if kind == "dimension":
            yield Token(text, "word", start, end)
        elif kind == "word":
            yield from _words(text, start)
        elif kind == "quoted" and _ARTICLE.match(text):
            yield from (
                t._replace(start=t.start + start + 1, end=t.end + start + 1) for t in _tokens(text[1:-1])
            )
        elif kind == "quoted":
            yield Token(text[1:-1].strip(), "quoted", start, end)
        elif kind is not None and not (text in "-_" and _joins(plain, start)):
            yield Token(text, cast(Kind, kind), start, end)


def _joins(plain: str, place: int) -> bool:
    """True for the hyphen of "top-left" and the underscore of "traffic_light"."""
    return plain[place - 1 : place].isalnum() and plain[place + 1 : place + 2].isalnum()


def _words(text: str, start: int) -> Iterator[Token]:
    """One written word → its tokens, all with the place of the written word."""
    end = start + len(text)
    if text in _CONTRACTIONS:
        parts: tuple[str, ...] = _CONTRACTIONS[text]
    elif text.endswith("n't"):
        parts = (text[:-3], "not")
    elif text.endswith("'s"):
        parts = (text[:-2], "is" if text[:-2] in _IS else "'s")
    elif text.endswith("s'"):
        parts = (text[:-1], "'s")
    else:
        parts = (text,)
    for part in parts:
        yield Token(part, "word", start, end)


def _lower(text: str) -> str:
    """Lower case, character by character, so that offsets stay."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
