"""`parse`: English instruction → Instruction, or an InstructionError that names what was not understood."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from visionrouter.instruction import politeness
from visionrouter.instruction.matching import Matcher
from visionrouter.instruction.meaning import Meaning
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.tokens import normalise, tokenize
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.task import Instruction, Relation, Target


@lru_cache(maxsize=4096)
def parse(text: str) -> Instruction:
    """The one thing that `text` asks for.

    Every word counts: what the grammar does not cover is an error, never left out, but for the words of politeness
    of `politeness`. Case, white space and trailing punctuation make no difference.

    Raises InstructionError where the words are not understood, or mean two things; its `nearest` are instructions
    that are understood.
    """
    plain = normalise(text)
    reader = Reader(plain, politeness.stripped(tokenize(plain)))
    readings = _readings(reader, text.strip())
    if len(readings) == 1:
        return readings[0]
    from visionrouter.instruction import complaint  # only needed here, and slow to import

    if readings:
        raise complaint.two_meanings(plain, readings, understands)
    raise complaint.not_understood(reader, understands)


def understands(text: str) -> bool:
    """True where `parse` would answer."""
    try:
        plain = normalise(text)
        return len(_readings(Reader(plain, politeness.stripped(tokenize(plain))), text)) == 1
    except InstructionError:
        return False


def _readings(reader: Reader, text: str) -> list[Instruction]:
    """Every different meaning that all tokens together can have."""
    meaning = Meaning(reader, text)
    readings: dict[Instruction, Instruction] = {}
    for sentence, parts in Matcher(reader).sentences():
        instruction = meaning.of(sentence, parts)
        if instruction is not None:
            readings.setdefault(without_text(instruction), instruction)
    return list(readings.values())


def without_text(instruction: Instruction) -> Instruction:
    """The instruction with empty texts: equal for two wordings of one meaning."""
    targets = tuple(_target_without_text(target) for target in instruction.targets)
    return replace(instruction, text="", targets=targets)


def _target_without_text(target: Target) -> Target:
    return replace(target, text="", relations=tuple(map(_relation_without_text, target.relations)))


def _relation_without_text(relation: Relation) -> Relation:
    return (
        relation
        if relation.anchor is None
        else replace(relation, anchor=_target_without_text(relation.anchor))
    )
