"""Whatever is typed, `parse` answers or raises InstructionError; what `canonical` writes it reads back."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from visionrouter.instruction import canonical, lexicon, parse
from visionrouter.instruction import vocabulary as v
from visionrouter.instruction.parser import without_text
from visionrouter.instruction.patterns import Choice, Node, Phrases, Word, compile_pattern
from visionrouter.instruction.sentences import NONTERMINALS, SENTENCES
from visionrouter.instruction.thing import colours_first, in_order
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.task import (
    Instruction,
    Operation,
    PaletteEntry,
    Relation,
    RelationKind,
    Target,
    Task,
)

few = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = sorted(
    {word for table in vars(lexicon).values() if isinstance(table, Phrases) for phrase in table.phrases for word in phrase}
    | {word for table in vars(v).values() if isinstance(table, Phrases) for phrase in table.phrases for word in phrase}
    | v.COLOURS | v.POSTURES | {"dog", "cats", "person", '"stop sign"', "2", "3rd", "#ff0000", '{"cat": "red"}', "(", ")"}
)  # fmt: skip
NOUNS = [
    "dog", "person", "man", "traffic light", "sheep", "glasses", "cup of coffee", "knife", "bus", "ski", "orange",
    "hot dog", "left hand", "exit sign", "xyzzy", "class 1", "teh", "mask", "swimming", "red panda", "don't walk sign",
    "out-of-order sign", "bean", "child", "crème brûlée", "1960s car", "building", "half-timbered house", "r2-d2",
]  # fmt: skip
ATTRIBUTES = ["red", "light blue", "gray", "striped", "big", "sitting", "glass", "wooden", "old", "orange"]
SUPERLATIVES = [kind for kind in RelationKind if not kind.needs_anchor]
ANCHORED = [kind for kind in RelationKind if kind.needs_anchor]


def answer(text: str) -> Instruction | None:
    try:
        return parse(text)
    except InstructionError:
        return None


@few
@given(st.text(max_size=200))
@example("\x00")
@example("{" * 500)
@example('"' * 501)
@example("segment " + "the dog and " * 150 + "the cat")
@example("segment the dog " + "on the sofa " * 100)
@example("segment " + "the big red " * 150)
@example("9" * 1999)
@example("segment " + "9" * 1900 + " dogs")
@example("a" * 2001)
@example("ǆ İ ß ﬁnd the dog")
@example("détecte l'été")
def test_any_text_is_answered_or_refused(text: str) -> None:
    answer(text)


@settings(few, max_examples=150)
@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_salad_of_known_words_is_answered_or_refused(text: str) -> None:
    instruction = answer(text)
    if instruction is not None:
        assert without_text(parse(canonical(instruction))) == without_text(instruction)


SAID = {
    "things": ["the dog", "every red car", "two men with hats", "sky, road", "the cup on the table", "people", "objects", "the image", "the box",
               "the second car from the left", "the mask", "this", "both dogs", '"stop sign"', "the dog's tail", "a cat or a dog"],
    "or_things": ["a cat or a dog", "cats, dogs and birds", "this"],
    "described": ["dogs are sitting", "car is the nearest", "of the dogs is the largest"],
    "palette": ["sky blue, road gray", '{"cat": "red"}', "cars red and the rest black", "red for cars"],
}  # fmt: skip


def spoken(nodes: Sequence[Node], random: Random) -> str:
    """One sentence of a pattern, its choices drawn."""
    words: list[str] = []
    for node in nodes:
        if isinstance(node, Word):
            words.append(node.text)
        elif isinstance(node, Choice):
            words.append(spoken(random.choice(node.options), random))
        elif node.terminal:
            table = getattr(lexicon, node.name, None) or getattr(v, node.name)
            words += random.choice(list(table.phrases))
        elif node.name in NONTERMINALS:
            words.append(spoken(compile_pattern(NONTERMINALS[node.name]), random))
        else:
            words.append(random.choice(SAID[node.name]))
    return " ".join(filter(None, words))


@settings(few, max_examples=150)
@given(st.integers(0, 2**32), st.sampled_from(SENTENCES))
def test_any_sentence_of_the_grammar_is_answered_or_refused(seed: int, sentence: tuple[str, str]) -> None:
    text = spoken(compile_pattern(sentence[1]), Random(seed))
    instruction = answer(text)
    if instruction is not None:
        assert without_text(parse(canonical(instruction))) == without_text(instruction), text


attributes = st.lists(st.sampled_from(ATTRIBUTES), max_size=2, unique=True).map(tuple).map(colours_first)
superlatives = st.lists(
    st.builds(Relation, st.sampled_from(SUPERLATIVES), rank=st.integers(1, 12)),
    max_size=2,
    unique_by=lambda r: r.kind,
)


@st.composite
def targets(draw: st.DrawFn, depth: int = 0) -> Target:
    """Any target that words can say: at most one relation leads on to a second anchor."""
    relations = draw(superlatives)
    for kind in draw(st.lists(st.sampled_from(ANCHORED), max_size=2 - depth, unique=True)):
        leaf = depth or kind is RelationKind.WITH or any(r.anchor and r.anchor.relations for r in relations)
        anchor = draw(targets(depth=2 if leaf else depth + 1))
        assume(kind is not RelationKind.OF or all(r.anchor is None for r in anchor.relations))
        relations.append(Relation(kind, anchor))
    number = draw(st.sampled_from(["one", "all", 1, 2, 30]))
    noun, named = draw(st.sampled_from(NOUNS)), draw(attributes)
    placed = any(relation.anchor is None for relation in relations)
    assume(not (noun == "sheep" and number == "one" and not relations))  # "the sheep" may be many
    assume(not (depth and placed and number == "all"))
    return Target(noun, "", named, in_order(tuple(relations)), number)


def reads_back(instruction: Instruction) -> None:
    wording = canonical(instruction)
    assert without_text(parse(wording)) == instruction, wording


@settings(few, max_examples=150)
@given(
    st.lists(targets(), min_size=1, max_size=3).map(tuple),
    st.sampled_from([Task.DETECT, Task.REFERRING, Task.INSTANCE]),
)
def test_targets_are_read_back(found: tuple[Target, ...], task: Task) -> None:
    reads_back(Instruction(task, "", found))


@few
@given(targets(), st.sampled_from(Operation), st.sampled_from(["blur", "pixelate", "black", None]))
def test_composites_are_read_back(target: Target, operation: Operation, style: str | None) -> None:
    reads_back(
        Instruction(
            Task.COMPOSITE,
            "",
            (target,),
            operation=operation,
            style=style if operation is Operation.REDACT else None,
        )
    )


@few
@given(
    st.lists(st.sampled_from(NOUNS), min_size=1, max_size=6, unique=True),
    st.lists(
        st.one_of(
            st.sampled_from([("red", (255, 0, 0)), ("gray", (128, 128, 128)), ("lime", (128, 255, 0))]),
            st.tuples(st.none(), st.tuples(*[st.integers(0, 127)] * 3)),
        ),
        min_size=6,
        max_size=6,
        unique_by=lambda colour: colour[1],
    ),
)
def test_palettes_are_read_back(
    labels: list[str], colours: list[tuple[str | None, tuple[int, int, int]]]
) -> None:
    palette = tuple(
        PaletteEntry(label, rgb, name) for label, (name, rgb) in zip(labels, colours, strict=False)
    )
    named = tuple(Target(label, "") for label in labels)
    assume(all(rgb not in ((0, 0, 0),) for _, rgb in colours))
    reads_back(Instruction(Task.SEMANTIC, "", named, palette))
