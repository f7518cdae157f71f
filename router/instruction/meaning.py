"""A matched sentence → the Instruction it means, or None, with a note, where it means none after all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from visionrouter.instruction import lexicon, reserved
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.canonical import canonical
from visionrouter.instruction.inflection import plural
from visionrouter.instruction.matching import Parts
from visionrouter.instruction.palettes import check
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.thing import Thing, head_of
from visionrouter.schema.task import Instruction, Operation, Target, Task

Targets = tuple[Target, ...]


class Meaning:
    """Builds instructions from the parts of sentences."""

    def __init__(self, reader: Reader, text: str) -> None:
        self.reader = reader
        self.text = text

    def of(self, sentence: str, parts: Parts) -> Instruction | None:
        """The instruction that `sentence` means with these parts."""
        build: Callable[[Parts], Instruction | None] = getattr(self, f"_{sentence}")
        return build(parts)

    def _say(self, task: Task, targets: Targets = (), **more: object) -> Instruction:
        return Instruction(task, self.text, targets, **more)  # type: ignore[arg-type]

    def _refuse(self, message: str, *nearest: Instruction | str) -> None:
        said = (canonical(n) if isinstance(n, Instruction) else n for n in nearest)
        self.reader.note(len(self.reader), message, *said)

    def _named(self, parts: Parts) -> Targets | None:
        """The targets; () for "every object"; None where "the object" does not say which."""
        targets = tuple(thing.target for thing in parts.things)
        if len(targets) == 1 and _is_anything(targets[0]):
            if parts.things[0].many:
                return ()
            self._refuse(
                f'"{targets[0].text}" does not say which one; name it, or give a point or a box and say "segment this"',
                "detect everything",
                "segment this",
            )
            return None
        for target in targets:
            if tuple(plural(target.noun).split()) in lexicon.POSE.phrases and _is_plain(target):
                return None  # "where are the body joints" asks for poses
            if (
                target.noun in v.POINTERS
                and target.number == "one"
                and _is_plain(target)
                and '"' not in target.text
            ):
                self._refuse(
                    f'"{target.text}" is a place; give it with the request and say "segment this"',
                    "segment this",
                )
                return None
            if target.noun in v.IMAGE_WORDS and not target.relations and '"' not in target.text:
                self._refuse(
                    f'"{target.text}" is all there is to see; say what in it',
                    "segment everything by class",
                    "segment each object",
                    "detect everything",
                )
                return None
            if target.noun in reserved.TASK_NOUNS and '"' not in target.text:
                self._refuse(
                    f'"{target.text}" may be an answer or a thing; for the thing write it in double quotes: "{target.noun}"',
                    f'detect "{target.noun}"',
                    f"segment the person with a {target.noun}",
                )
                return None
        return targets

    def _open_question(self, _: Parts) -> None:
        self._refuse(
            "it may ask for every thing in the image or for a name of the whole",
            "detect everything",
            "classify the image",
            "semantic segmentation",
        )

    # ---- detection

    def _detect(self, parts: Parts) -> Instruction | None:
        targets = self._named(parts)
        return None if targets is None else self._say(Task.DETECT, targets)

    def _detect_all(self, _: Parts) -> Instruction:
        return self._say(Task.DETECT)

    def _seen(self, parts: Parts) -> Instruction | None:
        """ "what animals are there" """
        return self._detect(parts) if parts.things[0].many else None

    def _which(self, parts: Parts) -> Instruction | None:
        """ "which is the largest dog" """
        ranked = any(r.anchor is None for thing in parts.things for r in thing.target.relations)
        return self._detect(parts) if ranked else None

    def _vague(self, parts: Parts) -> None:
        targets = tuple(thing.target for thing in parts.things)
        self._refuse(
            "the verb may ask for boxes, for a mask or for a name",
            self._say(Task.DETECT, targets),
            self._referring(parts) or "segment this",
        )

    # ---- segmentation

    def _referring(self, parts: Parts) -> Instruction | None:
        targets = self._named(parts)
        if targets is None:
            return None
        if not targets:
            return self._say(Task.INSTANCE)
        if len(targets) > 1 and all(map(_is_class, parts.things)):
            return self._say(Task.SEMANTIC, _classes(targets))
        if any(thing.many and thing.target.noun not in v.STUFF for thing in parts.things):
            return self._say(Task.INSTANCE, targets)
        return self._say(Task.REFERRING, targets)

    def _segmentation(self, parts: Parts) -> Instruction | None:
        """ "dog segmentation" """
        if parts.things[0].target.noun in reserved.OTHER_SEGMENTATIONS:
            self._refuse(
                f"{parts.things[0].target.noun} segmentation is none of those offered",
                "semantic segmentation",
                "instance segmentation",
                "segment this",
            )
            return None
        return self._referring(parts)

    def _mask(self, parts: Parts) -> Instruction | None:
        if any(thing.determiner == "every" for thing in parts.things):
            return self._instance(parts)
        targets = self._named(parts)
        return self._say(Task.REFERRING, targets) if targets else None

    def _masks(self, parts: Parts) -> Instruction | None:
        many = any(thing.many for thing in parts.things)
        return self._instance(parts) if many else self._mask(parts)

    def _mask_each(self, parts: Parts) -> Instruction | None:
        return self._instance(parts)

    def _instance(self, parts: Parts) -> Instruction | None:
        targets = self._named(parts)
        return None if targets is None else self._say(Task.INSTANCE, targets)

    def _instance_all(self, _: Parts) -> Instruction:
        return self._say(Task.INSTANCE)

    def _semantic(self, parts: Parts) -> Instruction | None:
        targets = tuple(thing.target for thing in parts.things)
        if any(
            target.noun in v.IMAGE_WORDS | reserved.TASK_NOUNS and '"' not in target.text
            for target in targets
        ):
            return None
        for target in targets:
            if target.relations or isinstance(target.number, int):
                self._refuse(
                    f'semantic segmentation labels classes and cannot single out "{target.text}"',
                    self._say(Task.REFERRING, (target,)),
                    self._say(Task.SEMANTIC, _classes((replace(target, relations=()),))),
                )
                return None
        return self._say(Task.SEMANTIC, _classes(targets))

    def _semantic_all(self, _: Parts) -> Instruction:
        return self._say(Task.SEMANTIC)

    def _palette(self, parts: Parts) -> Instruction:
        targets = tuple(Target(entry.label, entry.label) for entry in check(parts.palette))
        return self._say(Task.SEMANTIC, targets, palette=parts.palette)

    def _coloured(self, parts: Parts) -> Instruction | None:
        named = {" ".join([*thing.target.attributes, thing.target.noun]) for thing in parts.things}
        coloured = {entry.label for entry in parts.palette} - {"background"}
        if named - {"background"} != coloured:
            odd = sorted(named ^ coloured - {"background"})
            self._refuse(f"the things named and the things given a colour differ: {', '.join(odd)}")
            return None
        return self._palette(parts)

    def _promptable(self, _: Parts) -> Instruction:
        return self._say(Task.PROMPTABLE)

    # ---- dense maps and poses

    def _depth(self, parts: Parts) -> Instruction:
        return self._say(Task.DEPTH, style=parts.meaning("METRIC") or parts.meaning("UNITS") or None)

    def _depth_metres(self, _: Parts) -> Instruction:
        return self._say(Task.DEPTH, style="metric")

    def _normals(self, _: Parts) -> Instruction:
        return self._say(Task.NORMALS)

    def _intrinsics(self, parts: Parts) -> Instruction:
        return self._say(Task.INTRINSICS, style=parts.meaning("INTRINSICS") or None)

    def _pose(self, parts: Parts) -> Instruction:
        targets = tuple(thing.target for thing in parts.things)
        everyone = (
            len(targets) == 1
            and parts.things[0].many
            and _is_plain(targets[0])
            and targets[0].noun == "person"
        )
        return self._say(Task.POSE, () if everyone else targets)

    def _pose_all(self, _: Parts) -> Instruction:
        return self._say(Task.POSE)

    # ---- classification

    def _classify_all(self, _: Parts) -> Instruction:
        return self._say(Task.CLASSIFY)

    def _choose(self, parts: Parts) -> Instruction | None:
        targets = tuple(thing.target for thing in parts.things)
        if any(head_of(target.noun) in v.GENERIC | v.IMAGE_WORDS for target in targets):
            return None  # "which is this thing, a cat or a dog" has its thing before the choice
        if len(targets) < 2:
            self._refuse(
                f'a choice between classes needs two or more; "{targets[0].text}" is one',
                "classify the image",
                f"is there a {targets[0].noun}",
            )
            return None
        return self._say(Task.CLASSIFY, _classes(targets))

    def _kind(self, parts: Parts) -> Instruction | None:
        targets = tuple(thing.target for thing in parts.things)
        if targets[0].noun in v.IMAGE_WORDS or targets[0].noun.endswith(("subject", " object")):
            return None
        if len(targets) > 1 or parts.things[0].many:
            self._refuse(
                f'one thing can be classified at a time, not "{targets[0].text}"', "classify the image"
            )
            return None
        if _is_anything(targets[0]):
            return self._say(Task.CLASSIFY)
        if targets[0].noun in reserved.QUALITIES:
            self._refuse(
                f'"{targets[0].noun}" is no class of things', "what is this", "what kind of animal is this"
            )
            return None
        if targets[0].relations:
            self._refuse(
                f'classification looks at the whole image and cannot single out "{targets[0].text}"',
                f"what kind of {targets[0].noun} is this",
                self._say(Task.DETECT, targets),
            )
            return None
        return self._say(Task.CLASSIFY, _classes(targets))

    # ---- composites

    def _composite(self, operation: Operation, parts: Parts, style: str | None = None) -> Instruction | None:
        targets = self._named(parts)
        if targets is None:
            return None
        return self._say(Task.COMPOSITE, targets, operation=operation, style=style)

    def _count(self, parts: Parts) -> Instruction | None:
        return self._composite(Operation.COUNT, parts)

    def _count_all(self, _: Parts) -> Instruction:
        return self._say(Task.COMPOSITE, operation=Operation.COUNT)

    def _distance(self, parts: Parts) -> Instruction | None:
        said = parts.things[0]
        if said.target.noun in reserved.DEEP and "depth" in self.reader.plain.lower():
            self._refuse(
                f'the depth of "{said.target.text}" is not its distance',
                f"how far is the {said.target.noun}",
                "depth map",
            )
            return None
        if parts.meaning("FAR") == "close" and (said.many or len(parts.things) > 1):
            self._refuse(
                "it may ask for distances from the camera or from each other", "how far is each person"
            )
            return None
        return self._composite(Operation.DISTANCE, parts)

    def _redact(self, parts: Parts) -> Instruction | None:
        style = parts.meaning("REDACT") or parts.meaning("COVERING") or parts.meaning("BLURRED") or None
        anchors = [r.anchor for thing in parts.things for r in thing.target.relations if r.anchor]
        if any(
            anchor.noun in ("box", "bar", "rectangle") and "black" in anchor.attributes for anchor in anchors
        ):
            return None  # "with a black box" says how
        redacted = self._composite(Operation.REDACT, parts, style)
        if redacted is not None and not redacted.targets:
            self._refuse("it does not say what to make unrecognisable", "blur faces", "blur every person")
            return None
        return redacted


def _is_plain(target: Target) -> bool:
    return not (target.attributes or target.relations)


def _is_anything(target: Target) -> bool:
    return target.noun in v.GENERIC and _is_plain(target)


def _is_class(thing: Thing) -> bool:
    """Said as a class, not as individuals: "sky", "cars", "the trees", not "the red car", "every dog", "two men"."""
    target = thing.target
    said_alone = thing.determiner == "" and target.number == "all"
    said_as_class = thing.determiner == "the" and (thing.own.plural or target.noun in v.STUFF)
    return not target.relations and not target.attributes and (said_alone or said_as_class)


def _classes(targets: Targets) -> Targets:
    return tuple(replace(target, number="all") for target in targets)
