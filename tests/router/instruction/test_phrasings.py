"""The table of phrasings: what each means, and that no wording of it changes that."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from visionrouter.instruction import canonical, parse
from visionrouter.instruction.matching import Matcher
from visionrouter.instruction.parser import without_text
from visionrouter.instruction.politeness import stripped
from visionrouter.instruction.reader import Reader
from visionrouter.instruction.sentences import SENTENCES
from visionrouter.instruction.tokens import normalise, tokenize
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.task import Instruction, Target

HERE = Path(__file__).parent


def rows(name: str) -> list[list[str]]:
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("# ")]


UNDERSTOOD = rows("phrasings.tsv")
TEXTS = [row[0] for row in UNDERSTOOD]
REFUSED = [
    (row[0].encode("latin-1", "backslashreplace").decode("unicode_escape"), row[1])
    for row in rows("refused.tsv")
]


def target_in_table(target: Target) -> str:
    words = [str(target.number), target.noun, *("+" + a.replace(" ", "_") for a in target.attributes)]
    for relation in target.relations:
        rank = f":{relation.rank}" if relation.rank != 1 else ""
        anchor = f"({target_in_table(relation.anchor)})" if relation.anchor else ""
        words.append(f"@{relation.kind}{rank}{anchor}")
    return " ".join(words)


def row_of(instruction: Instruction) -> list[str]:
    operation = (instruction.operation or "") + (f":{instruction.style}" if instruction.style else "")
    palette = ", ".join(f"{e.label}={e.colour or '#' + bytes(e.rgb).hex()}" for e in instruction.palette)
    targets = "" if palette else "; ".join(map(target_in_table, instruction.targets))
    return [instruction.task, operation, targets, palette]


def test_the_table_is_as_large_as_promised() -> None:
    assert len(set(TEXTS)) >= 300
    assert len({text for text, _ in REFUSED}) >= 80


def test_every_sentence_of_the_grammar_is_reached_and_has_a_meaning() -> None:
    reached = set()
    for text in [*TEXTS, *(text for text, _ in REFUSED if text.isprintable() and text.isascii())]:
        plain = normalise(text)
        with contextlib.suppress(InstructionError):
            reached |= {name for name, _ in Matcher(Reader(plain, stripped(tokenize(plain)))).sentences()}
    assert reached == {name for name, _ in SENTENCES}


@pytest.mark.parametrize("row", UNDERSTOOD, ids=TEXTS)
def test_understood(row: list[str]) -> None:
    text, *expected = row
    assert row_of(parse(text)) == expected + [""] * (4 - len(expected))


@pytest.mark.parametrize("text", TEXTS)
def test_canonical_wording_means_the_same(text: str) -> None:
    instruction = parse(text)
    wording = canonical(instruction)
    assert without_text(parse(wording)) == without_text(instruction)
    assert canonical(parse(wording)) == wording


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_refused_with_proposals_that_are_understood(text: str, message: str) -> None:
    with pytest.raises(InstructionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 700
    assert caught.value.nearest
    for proposal in caught.value.nearest:
        parse(proposal)


@pytest.mark.parametrize("text", [text for text in TEXTS if not text.startswith('"')][::6])
def test_case_space_and_politeness_change_nothing(text: str) -> None:
    meaning = without_text(parse(text))
    for wording in (
        text.upper(),
        "  " + text.replace(" ", " \t ") + "\n",
        f"please {text}",
        f"Hello! {text} Thanks!",
        f"In this picture, {text}",
        f"{text}, please?",
    ):
        assert without_text(parse(wording)) == meaning, wording


@pytest.mark.parametrize("text", TEXTS[::6])
def test_no_word_is_dropped(text: str) -> None:
    for extra in ("carefully", "except them", "50%"):
        with pytest.raises(InstructionError):
            parse(f"{text.rstrip('.!?')} {extra}")


def test_the_targets_keep_their_words() -> None:
    instruction = parse("  Find the RED car   and two “Traffic Lights”, please ")
    assert instruction.text == "Find the RED car   and two “Traffic Lights”, please"
    assert [target.text for target in instruction.targets] == ["the RED car", 'two "Traffic Lights"']
    assert [target.noun for target in instruction.targets] == ["car", "traffic lights"]
