"""Why an instruction was not understood, and what nearest to it would be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, islice

from visionrouter.instruction import lexicon, nearest, reserved
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.canonical import canonical
from visionrouter.instruction.reader import Note, Reader
from visionrouter.instruction.sentences import EXAMPLES
from visionrouter.instruction.tokens import clip
from visionrouter.instruction.wordlist import words
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.task import Instruction

Understands = Callable[[str], bool]
_MOST = 4  # proposals in one message
_TASK_NAMES = {
    "detection": "FIND DETECTION", "segmentation": "SEGMENT SEMANTIC INSTANCE", "depth": "DEPTH", "normals": "NORMALS",
    "intrinsics": "INTRINSICS",
    "pose": "POSE", "classification": "CLASSIFICATION", "counting": "COUNT HOW_MANY", "redaction": "REDACT",
}  # fmt: skip


def two_meanings(plain: str, readings: list[Instruction], understands: Understands) -> InstructionError:
    """The error for an instruction with several readings, all of which it lists."""
    said = _understood(map(canonical, readings), understands)
    return InstructionError(f'"{clip(plain)}" can mean different things: {_or(said)}. Say which', tuple(said))


def not_understood(reader: Reader, understands: Understands) -> InstructionError:
    """The error for an instruction with no reading."""
    if not reader.plain:
        return InstructionError(f"the instruction is empty; say what to do: {_or(EXAMPLES[:3])}", EXAMPLES)
    if not any(token.kind in ("word", "quoted", "number") for token in reader.tokens):
        return InstructionError(
            f'"{clip(reader.plain)}" names nothing to do; say, for example, {_or(EXAMPLES[:3])}',
            EXAMPLES,
        )
    cause = _named_cause(reader)
    note = cause or _last_note(reader) or _where(reader)
    proposals = chain(
        note.nearest, nearest.guesses(reader) if cause is None else (), nearest.examples(reader)
    )
    said = _understood(proposals, understands)
    return InstructionError(f"{note.message}. Understood would be: {_or(said)}", tuple(said))


def _understood(proposals: Iterable[str], understands: Understands) -> list[str]:
    """The first proposals that are understood, each once."""
    return list(islice(filter(understands, dict.fromkeys(proposals)), _MOST))


def _named_cause(reader: Reader) -> Note | None:
    """Kinds of sentence that are refused by name."""
    tokens = reader.tokens
    for i, token in enumerate(tokens):
        negated = token.text in reserved.NEGATION or lexicon.NEGATIVE_PHRASES.longest(tokens, i)
        if token.kind != "word":
            continue
        if negated:
            return Note(
                i, f"{_quote(reader, i)} leaves something out, which is not understood; say what is wanted"
            )
        if token.text in reserved.CONDITION:
            return Note(
                i, f"{_quote(reader, i)} sets a condition, which is not understood; say one thing to do now"
            )
    if tokens[0].text in reserved.EDITING:
        return Note(0, f"{_quote(reader, 0)} asks to change or make a picture; this only reads pictures")
    tasks = _tasks(reader)
    if len(tasks) > 1:
        return Note(
            0, f'"{clip(reader.plain)}" asks for several things ({", ".join(tasks)}); ask for one at a time'
        )
    foreign = [i for i, token in enumerate(tokens) if _is_foreign(token.text)]
    if foreign and len(foreign) * 4 >= len(tokens):
        return Note(
            foreign[0],
            f"{_quote(reader, foreign[0])} is not English; instructions are understood in English only",
        )
    pronoun = next((i for i, token in enumerate(tokens) if token.text in reserved.PRONOUNS), None)
    if pronoun is not None and reader.furthest <= pronoun + 1:
        return Note(pronoun, f'"{tokens[pronoun].text}" does not say what is meant; name the thing')
    return None


def _is_foreign(word: str) -> bool:
    return word in reserved.FOREIGN or (word.isalpha() and not word.isascii())


def _tasks(reader: Reader) -> list[str]:
    """The tasks that some word of the instruction asks for."""
    found = []
    for name, tables in _TASK_NAMES.items():
        if any(
            getattr(lexicon, table).longest(reader.tokens, i)
            for table in tables.split(" ")
            for i in range(len(reader))
            if reader.tokens[i].text not in _TWO_FACED
        ):
            found.append(name)
    return found


_TWO_FACED = words("box mask boxes select list see cut crop separate extract outline trace isolate hide")


def _last_note(reader: Reader) -> Note | None:
    """The note that the furthest reading left, unless another came further."""
    note = max(reader.notes, key=lambda note: note.place, default=None)
    return note if note is not None and note.place >= min(reader.furthest, len(reader)) else None


def _where(reader: Reader) -> Note:
    i = reader.furthest
    if i >= len(reader):
        return Note(i, f'"{clip(reader.plain)}" is not a whole request: it names no task, or breaks off')
    first = reader.tokens[0]
    if i == 0 or (
        first.kind == "word" and first.text not in reserved.RESERVED and first.text not in nearest.known()
    ):
        return Note(0, f"{_quote(reader, 0)} does not begin like anything understood")
    if (
        reader.tokens[i].text.removesuffix("other").endswith(("er", "est"))
        and reader.tokens[i].text in v.UNSUPPORTED_DEGREES
    ):
        known = "largest, smallest, nearest, farthest, leftmost, rightmost, highest, lowest and middle"
        return Note(i, f"{_quote(reader, i)} compares in a way not understood; understood are {known}")
    return Note(
        i, f'{_quote(reader, i)} is not understood after "{clip(reader.plain[: reader.tokens[i].start], 40)}"'
    )


def _quote(reader: Reader, i: int) -> str:
    """The words from token `i` on, and where they are."""
    start = reader.tokens[i].start
    return f'"{clip(reader.plain[start:], 40)}" (character {start + 1})'


def _or(said: list[str] | tuple[str, ...]) -> str:
    return " / ".join(f'"{one}"' for one in said)
