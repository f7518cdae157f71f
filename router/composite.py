"""Composites: an instruction split into tasks that are routed each on its own, and joined again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from visionrouter.merge.join import count, distance, distance_sentence, redact
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.image import Image
from visionrouter.schema.payload import Composite, DepthMap, Detections, Entity, Payload
from visionrouter.schema.result import Result
from visionrouter.schema.task import Instruction, Operation, Target, Task


@dataclass(frozen=True, slots=True)
class Step:
    """One task of a plan, under the name its answer goes by."""

    name: str
    instruction: Instruction


@dataclass(frozen=True, slots=True)
class Joined:
    """A composite's answer: what it says, what it is worth, and notes of what could not be told."""

    payload: Composite | None
    outcome: Outcome
    reason: Reason
    notes: tuple[str, ...] = ()


def plan(instruction: Instruction) -> tuple[Step, ...]:
    """The tasks a composite is made of. Raises `InstructionError` for an operation without a plan.

    Where depth decides which thing is meant, every thing of the kinds named is detected, those that others are placed
    against too, and the words choose among them when the depths are known.
    """
    targets = instruction.targets
    match instruction.operation:
        case Operation.DISTANCE:
            things = _kinds(targets) if _by_depth(targets) else targets
            return _step("things", Task.DETECT, instruction, things), _step(
                "depth", Task.DEPTH, instruction, ()
            )
        case Operation.COUNT | Operation.REDACT:
            return (_step("things", Task.DETECT, instruction, targets),)
        case None:
            raise InstructionError("a composite needs an operation: distance, count or redact")


def answer(instruction: Instruction, image: Image, parts: Mapping[str, Result]) -> Joined:
    """Join the results of a composite's steps, by name.

    An answer is worth what its weakest part is, and is degraded too where depths, boxes and colours did not tell which
    things were meant: then it holds all that may be, and each note `unresolved:SENTENCE` says what was not told.
    """
    outcome, reason = joined_outcome(parts)
    payloads = {name: part.payload for name, part in parts.items() if part.payload is not None}
    if len(payloads) < len(parts):
        return Joined(None, outcome, reason)
    payload, untold = _joined(instruction, image, payloads)
    if untold and outcome is Outcome.MERGED:
        outcome, reason = Outcome.DEGRADED, Reason.UNRESOLVED
    return Joined(payload, outcome, reason, tuple(f"unresolved:{sentence}" for sentence in untold))


def join(instruction: Instruction, image: Image, parts: Mapping[str, Payload]) -> Composite:
    """The composite's answer from the payloads of its steps, by name; what could not be told is in its summary."""
    return _joined(instruction, image, parts)[0]


def _joined(
    instruction: Instruction, image: Image, parts: Mapping[str, Payload]
) -> tuple[Composite, tuple[str, ...]]:
    things = parts["things"]
    assert isinstance(things, Detections)
    match instruction.operation:
        case Operation.DISTANCE:
            depth = parts["depth"]
            assert isinstance(depth, DepthMap)
            measured = distance(things, depth)
            if not _by_depth(instruction.targets):
                return measured, ()
            return _meant(instruction.targets, measured, image)
        case Operation.COUNT:
            return count(things, ", ".join(target.noun for target in instruction.targets) or "thing"), ()
        case _:
            return redact(image.pixels, things, instruction.style or "blur"), ()


def joined_outcome(parts: Mapping[str, Result]) -> tuple[Outcome, Reason]:
    """A composite is worth what its weakest part is."""
    outcomes = {part.outcome for part in parts.values()}
    if any(part.payload is None for part in parts.values()):
        failed = outcomes == {Outcome.FAILED}
        return (Outcome.FAILED if failed else Outcome.ABSTAINED), Reason.PART_MISSING
    if Outcome.DEGRADED in outcomes:
        return Outcome.DEGRADED, Reason.PART_DEGRADED
    return Outcome.MERGED, Reason.WITHIN_LIMITS


def _step(name: str, task: Task, whole: Instruction, targets: tuple[Target, ...]) -> Step:
    return Step(name, Instruction(task, whole.text, targets))


def _by_depth(targets: tuple[Target, ...]) -> bool:
    return any(target.by_depth for target in targets)


def _kinds(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets and all that they are placed against, as kinds of thing: every one of each noun."""
    kinds: dict[str, Target] = {}
    for target in targets:
        kinds.setdefault(target.noun, replace(target, attributes=(), relations=(), number="all"))
        anchors = tuple(relation.anchor for relation in target.relations if relation.anchor is not None)
        for anchor in _kinds(anchors):
            kinds.setdefault(anchor.noun, anchor)
    return tuple(kinds.values())


def _meant(
    targets: tuple[Target, ...], measured: Composite, image: Image
) -> tuple[Composite, tuple[str, ...]]:
    """Of all things measured, those that the targets mean, and a sentence for each thing that could not be told."""
    from visionrouter.backends.specialist.asked import mean_colour
    from visionrouter.instruction.selection import select

    entities = measured.entities
    boxes = np.array([e.box for e in entities], np.float32).reshape(-1, 4)
    depths = np.array([np.nan if e.value is None else e.value for e in entities], np.float32)
    labels = tuple(e.label for e in entities)
    kept: dict[int, Entity] = {}
    untold: dict[str, None] = {}
    for target in targets:
        chosen = select(
            target,
            boxes,
            labels,
            image.size,
            depths_m=depths,
            colours=lambda i: mean_colour(image.pixels, boxes[i]),
        )
        kept |= {i: entities[i] for i in chosen.indices}
        untold |= dict.fromkeys(chosen.unresolved)
    rows = list(kept.values())
    summary = "; ".join([distance_sentence(rows), *(f"not told: {sentence}" for sentence in untold)])
    return replace(measured, entities=tuple(rows), summary=summary), tuple(untold)
