"""An instruction → its shortest standard wording, which `parse` reads back to the same instruction."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from visionrouter.instruction import reserved
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.inflection import plural
from visionrouter.instruction.nouns import Nouns, ordinal
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.tokens import tokenize
from visionrouter.schema.task import (
    Instruction,
    Operation,
    PaletteEntry,
    Relation,
    RelationKind,
    Target,
    Task,
)

_EDGES = {
    RelationKind.LEFTMOST: ("on the left", "from the left"),
    RelationKind.RIGHTMOST: ("on the right", "from the right"),
    RelationKind.TOPMOST: ("at the top", "from the top"),
    RelationKind.BOTTOMMOST: ("at the bottom", "from the bottom"),
    RelationKind.MIDDLE: ("in the middle", "from the middle"),
}
# As anchors these words mean a prompt, a place or a unit, unless they are quoted.
_NO_ANCHORS = (
    v.POINTERS
    | v.FRAMES
    | v.UNIT_WORDS
    | v.SIDE_WORDS
    | v.DEPTH_PLACES
    | reserved.ANSWERS
    | {"bar", "camera"}
)
_REDACT = {"blur": "blur", "pixelate": "pixelate", "black": "black out", None: "redact"}


def canonical(instruction: Instruction) -> str:
    """The shortest standard wording: what prompts, logs and messages say.

    `parse(canonical(i))` equals `i` but for the texts, for every instruction that `parse` returns.
    """
    targets = instruction.targets
    match instruction.task:
        case Task.DETECT:
            return f"detect {_list(targets) or 'everything'}"
        case Task.SEMANTIC if instruction.palette:
            return "semantic segmentation: " + ", ".join(map(_entry, instruction.palette))
        case Task.SEMANTIC:
            return "semantic segmentation" + (f" of {_classes(targets)}" if targets else "")
        case Task.INSTANCE:
            return "instance segmentation" + (f" of {_list(targets)}" if targets else "")
        case Task.REFERRING:
            return _referring(targets)
        case Task.PROMPTABLE:
            return "segment this"
        case Task.DEPTH:
            return f"{instruction.style} depth map" if instruction.style else "depth map"
        case Task.NORMALS:
            return "surface normals"
        case Task.INTRINSICS:
            return f"{instruction.style} map" if instruction.style else "intrinsic decomposition"
        case Task.POSE:
            return f"pose of {_list(targets)}" if targets else "human pose"
        case Task.CLASSIFY:
            return _classify(targets)
        case Task.COMPOSITE:
            return _composite(instruction)


def _referring(targets: tuple[Target, ...]) -> str:
    if len(targets) == 1 and targets[0].number == "one":
        return f"segment {thing(targets[0])}"
    if len(targets) == 1 and targets[0].number == "all" and not _placed(targets[0]):
        return f"segment {_bare(targets[0])}"
    return f"mask of {_list(targets)}"


def _classify(targets: tuple[Target, ...]) -> str:
    if not targets:
        return "classify the image"
    if len(targets) == 1:
        return f"what kind of {_bare(targets[0])} is this"
    *others, last = map(_bare, targets)
    return f"classify the image as {', '.join(others)} or {last}"


def _composite(instruction: Instruction) -> str:
    things = _list(instruction.targets)
    match instruction.operation:
        case Operation.COUNT:
            return f"count {things or 'everything'}"
        case Operation.DISTANCE:
            return f"distance to {things or 'every object'}"
        case _:
            return f"{_REDACT.get(instruction.style, 'redact')} {things}"


def _list(targets: tuple[Target, ...]) -> str:
    plain = not any(target.attributes or target.relations for target in targets)
    return _joined([thing(target) for target in targets], plain)


def _classes(targets: tuple[Target, ...]) -> str:
    return _joined([_bare(target) for target in targets], not any(target.attributes for target in targets))


def _joined(things: list[str], plain: bool) -> str:
    """Things with attributes or relations are kept apart by semicolons, over which nothing is shared."""
    if not plain or len(things) < 2:
        return "; ".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def _entry(entry: PaletteEntry) -> str:
    colour = entry.colour or "#{:02x}{:02x}{:02x}".format(*entry.rgb)
    coloured = entry.label in v.NOUN_TOO or entry.label.startswith(
        ("left ", "right ")
    )  # "orange lime" would be a lime
    return f'"{entry.label}" {colour}' if coloured else f"{_name((), entry.label, many=False)} {colour}"


def thing(target: Target, anchor: bool = False) -> str:
    """The wording of one target: "the second car from the left", "2 red dogs", "cats".

    `anchor`: the other thing of a relation, which takes no place after its noun.
    """
    many = target.number == "all" or (isinstance(target.number, int) and target.number > 1)
    before, after = _superlatives(target, anchor)
    words = [*before, _name(target.attributes, target.noun, many, anchor), *after, *_relations(target)]
    if target.number == "all":
        determiner = "all" if before or after or '"' in words[0] else ""
    elif target.number == 1:
        determiner = "an" if words[0][0] in "aeiou" else "a"
    else:
        determiner = "the" if target.number == "one" else str(target.number)
    return " ".join([determiner, *words] if determiner else words)


def _bare(target: Target) -> str:
    return " ".join([_name(target.attributes, target.noun, many=False), *_relations(target)])


def _placed(target: Target) -> bool:
    return any(relation.anchor is None for relation in target.relations)


def _superlatives(target: Target, anchor: bool) -> tuple[list[str], list[str]]:
    """Words before and after the noun: "second ... from the left", "nearest"."""
    superlatives = [relation for relation in target.relations if relation.anchor is None]
    owned = any(relation.kind is RelationKind.OF for relation in target.relations)
    if len(superlatives) == 1 and superlatives[0].kind in _EDGES and not anchor and not owned:
        rank, (place, side) = superlatives[0].rank, _EDGES[superlatives[0].kind]
        return ([ordinal(rank)], [side]) if rank > 1 else ([], [place])
    before: list[str] = []
    ranked = False
    for relation in superlatives:
        ranked |= relation.rank > 1
        before += [ordinal(relation.rank), relation.kind] if ranked else [relation.kind]
    return before, []


def _relations(target: Target) -> list[str]:
    words: list[str] = []
    for relation in target.relations:
        if relation.anchor is None:
            continue
        words += ["and"] if words else []
        worn = (
            relation.kind is RelationKind.IN and relation.anchor.noun in v.WORN
        )  # "in a hat" means wearing it
        words += ["inside" if worn else relation.kind.replace("_", " "), _anchor(relation)]
    return words


def _anchor(relation: Relation) -> str:
    """ "the bench that is behind the tree": "that is" keeps the relation with the anchor."""
    anchor = relation.anchor
    assert anchor is not None
    placed = tuple(relation for relation in anchor.relations if relation.anchor is None)
    nested = _relations(replace(anchor, relations=tuple(r for r in anchor.relations if r.anchor)))
    words = thing(replace(anchor, relations=placed), anchor=True)
    if relation.kind is RelationKind.OF and anchor.number == "all" and not words.startswith("all "):
        words = f"all {words}"  # "boxes of lids" would be boxes full of them
    return " ".join([words, "that is", *nested]) if nested else words


@lru_cache(maxsize=1024)
def _name(attributes: tuple[str, ...], noun: str, many: bool, anchor: bool = False) -> str:
    """Attributes and noun as the grammar reads them back; in double quotes what it would read otherwise."""
    written = plural(noun) if many else noun
    words = " ".join([*attributes, written])
    core = Nouns(Reader(words, tokenize(words))).core(0)
    misleading = noun in reserved.TASK_NOUNS or noun in v.IMAGE_WORDS or (anchor and noun in _NO_ANCHORS)
    if core is not None and core.end == len(tokenize(words)) and not misleading:
        read_back = (core.noun, core.attributes, core.plural, core.relations, core.number, core.rank)
        if read_back == (noun, attributes, many and written != noun, (), None, None):
            return words
    return " ".join([*attributes, f'"{noun}"'])
