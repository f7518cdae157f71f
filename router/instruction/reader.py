"""The state of one parse: tokens, how far any reading came, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from visionrouter.instruction.patterns import Phrases
from visionrouter.instruction.tokens import Token
from visionrouter.schema.errors import InstructionError

V = TypeVar("V")
_BUDGET = 4000


class Note(NamedTuple):
    """Why a reading failed at token `place`, for the message; `nearest` what to say instead."""

    place: int
    message: str
    nearest: tuple[str, ...] = ()


@dataclass(slots=True)
class Reader:
    """Tokens, and the furthest place that some reading of them came to."""

    plain: str
    tokens: tuple[Token, ...]
    furthest: int = 0
    notes: list[Note] = field(default_factory=list)
    spent: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    def word(self, i: int) -> str:
        """The word or mark at token `i`; empty for numbers, quoted names and the end."""
        if i < len(self.tokens) and self.tokens[i].kind in ("word", "mark"):
            return self.tokens[i].text
        return ""

    def reach(self, i: int) -> None:
        """Some reading understood all tokens before `i`."""
        self.furthest = max(self.furthest, i)

    def take(self, table: Phrases[V], i: int) -> tuple[V, int] | None:
        """The longest phrase of `table` at token `i`."""
        return next(self.takes(table, i), None)

    def takes(self, table: Phrases[V], i: int) -> Iterator[tuple[V, int]]:
        """Every phrase of `table` at token `i`, longest first."""
        for value, end in table.matches(self.tokens, i):
            self.reach(end)
            yield value, end

    def note(self, place: int, message: str, *nearest: str) -> None:
        """Remember why a reading failed."""
        self.notes.append(Note(place, message, nearest))

    def text(self, start: int, end: int) -> str:
        """The written text of tokens `start` to `end`."""
        if start >= min(end, len(self.tokens)):
            return ""
        return self.plain[self.tokens[start].start : self.tokens[end - 1].end]

    def spend(self) -> None:
        """Count one step; raises InstructionError where a text has too many readings to try."""
        self.spent += 1
        if self.spent > _BUDGET:
            raise InstructionError(
                "the instruction is too involved to be read with certainty; name fewer things at once"
            )
