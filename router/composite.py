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
from visionrouter.schema.task import Instruction, Operation, RelationKind, Target, Task

_BY_DEPTH = frozenset({RelationKind.NEAREST, RelationKind.FARTHEST})


@dataclass(frozen=True, slots=True)
class Step:
    """One task of a plan, under the name its answer goes by."""

    name: str
    instruction: Instruction


def plan(instruction: Instruction) -> tuple[Step, ...]:
    """The tasks a composite is made of. Raises `InstructionError` for an operation without a plan."""
    targets = instruction.targets
    match instruction.operation:
        case Operation.DISTANCE:
            things = tuple(_without_depth_relations(target) for target in targets)
            return _step("things", Task.DETECT, instruction, things), _step(
                "depth", Task.DEPTH, instruction, ()
            )
        case Operation.COUNT | Operation.REDACT:
            return (_step("things", Task.DETECT, instruction, targets),)
        case None:
            raise InstructionError("a composite needs an operation: distance, count or redact")


def join(instruction: Instruction, image: Image, parts: Mapping[str, Payload]) -> Composite:
    """The composite's answer from the payloads of its steps, by name."""
    things = parts["things"]
    assert isinstance(things, Detections)
    match instruction.operation:
        case Operation.DISTANCE:
            depth = parts["depth"]
            assert isinstance(depth, DepthMap)
            return _by_relation(instruction.targets, distance(things, depth), image)
        case Operation.COUNT:
            return count(things, ", ".join(target.noun for target in instruction.targets) or "thing")
        case _:
            return redact(image.pixels, things, instruction.style or "blur")


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


def _without_depth_relations(target: Target) -> Target:
    kept = tuple(r for r in target.relations if r.kind not in _BY_DEPTH)
    if len(kept) == len(target.relations):
        return target
    return replace(target, relations=kept, number="all")


def _by_relation(targets: tuple[Target, ...], joined: Composite, image: Image) -> Composite:
    """Keep what "the nearest car" means, now that depths are known."""
    if not any(r.kind in _BY_DEPTH for target in targets for r in target.relations):
        return joined
    from visionrouter.instruction.selection import select

    entities = joined.entities
    boxes = np.array([e.box for e in entities], np.float32).reshape(-1, 4)
    depths = np.array([np.nan if e.value is None else e.value for e in entities], np.float32)
    labels = tuple(e.label for e in entities)
    kept: list[Entity] = []
    for target in targets:
        chosen = select(target, boxes, labels, image.size, depths_m=depths)
        kept += [entities[i] for i in chosen.indices]
    return replace(joined, entities=tuple(kept), summary=distance_sentence(kept))
