"""The document of a run reads back as it was written."""

import pytest

from visionrouter.benchmarks.rainy.document import (
    Condition,
    Document,
    Estimate,
    Machine,
    Options,
    Score,
    Shot,
    System,
    Target,
)
from visionrouter.schema.errors import SchemaError


def document() -> Document:
    return Document(
        made_by="visionrouter 0",
        made_at="2026-01-01T00:00:00Z",
        command="visionrouter bench rainy-day",
        options=Options("nano", "town", "00", ("depth",), 2, 0, 100, ("default",)),
        machine=Machine("Linux", "x86_64", 2, "3.11", {"torch": "2"}),
        systems=(System("default", "policy", "ab", {"nano": "cd"}),),
        conditions=(Condition("fog3", "damage", "fog", 3),),
        scores=(
            Score("depth", "fog3", "default", 2, 2, Estimate(0.25, 0.1, 0.4), 1.0, Estimate(0.5)),
        ),
        summaries=(),
        targets=(Target("never worse", "default", ">= 95 %", False),),
        shots=(Shot("a", "s", "depth", "fog3", "default", "abstained", "exhausted", 0.1, False),),
    )  # fmt: skip


def test_it_reads_back_as_it_was_written():
    made = document()
    read = Document.from_json(made.to_json())
    assert read == made
    assert read.score("depth", "fog3", "default") is read.scores[0]
    assert read.score("depth", "fog4", "default") is None


def test_another_document_is_refused():
    with pytest.raises(SchemaError, match="not a document"):
        Document.from_json("{}")
    with pytest.raises(SchemaError, match="edition 99"):
        Document.from_json(document().to_json().replace('"edition":1', '"edition":99'))
