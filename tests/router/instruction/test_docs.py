"""Every example of docs/instructions.md, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from visionrouter.instruction import parse
from visionrouter.schema.errors import InstructionError
from visionrouter.schema.palette import NAMED_COLOURS
from visionrouter.schema.task import Relation, RelationKind, Task

PAGE = (Path(__file__).parents[3] / "docs" / "instructions.md").read_text("utf-8")
EXAMPLES = [
    tuple(part.strip() for part in line.rsplit("# ", 1))
    for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize(("text", "given"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_examples_give_what_the_page_says(text: str, given: str) -> None:
    if given.startswith("refused"):
        with pytest.raises(InstructionError):
            parse(text)
    else:
        assert parse(text).task == given


def test_the_page_shows_every_task_relation_and_colour() -> None:
    assert {given for _, given in EXAMPLES if not given.startswith("refused")} == set(Task)
    assert all(name in PAGE for name in NAMED_COLOURS)
    shown = {
        relation.kind
        for text, given in EXAMPLES
        if not given.startswith("refused")
        for relation in _relations(text)
    }
    assert len(shown) >= 7
    assert all(kind.replace("_", " ").removesuffix("most") in PAGE for kind in RelationKind)


def _relations(text: str) -> list[Relation]:
    return [relation for target in parse(text).targets for relation in target.relations]


def test_parsing_imports_nothing_heavy() -> None:
    code = """
import importlib.util, sys, types
package = types.ModuleType("visionrouter")  # without what the public face imports
package.__path__ = list(importlib.util.find_spec("visionrouter").submodule_search_locations)
sys.modules["visionrouter"] = package
from visionrouter.instruction import parse
parse("segment the second red car from the left")
print([name for name in ("numpy", "yaml", "lark", "difflib", "pydantic") if name in sys.modules])
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
