"""What an open-vocabulary model is asked to look for: the nouns of a query, those of anchors among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visionrouter.instruction.vocabulary import GENERIC
from visionrouter.schema.task import Target


def sought(targets: Sequence[Target], otherwise: Sequence[str]) -> tuple[str, ...]:
    """Nouns to look for, each once, in the order asked: "the cup on the table" seeks cup and table.

    A word for anything ("thing") and a query without targets seek `otherwise`.
    """
    nouns = [noun for target in targets for noun in _nouns(target)]
    if not nouns or any(noun in GENERIC for noun in nouns):
        nouns += otherwise
    return tuple(dict.fromkeys(noun for noun in nouns if noun not in GENERIC or noun in otherwise))


def _nouns(target: Target) -> Iterator[str]:
    yield target.noun
    for relation in target.relations:
        if relation.anchor is not None:
            yield from _nouns(relation.anchor)
