"""YAML read with care: caps, no duplicate keys, no alias bombs, no objects; and the line of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from visionrouter.schema.errors import VisionRouterError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 20_000
"""Values of a document with its aliases written out."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line (from 1) of each value and key by its path."""

    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int | None:
        """The line of `path`, or of the nearest thing that holds it."""
        return next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), None)


def read_document(raw: bytes, origin: str, error_class: type[VisionRouterError]) -> Document:
    """Parse one YAML document named `origin`. Raises `error_class` with the line where one is known."""
    if len(raw) > MAX_BYTES:
        raise error_class(f"{origin}: {len(raw):,} bytes is over the cap of {MAX_BYTES:,}; split it")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise error_class(f"{origin}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    try:
        reader = _Reader(text, origin, error_class)
        node = reader.get_single_node()
        if node is None:
            raise error_class(f"{origin}: is empty")
        return Document(reader.value(node, ()), reader.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "cannot be read"
        place = f"{origin}:{mark.line + 1}" if mark else origin
        raise error_class(f"{place}: is not valid YAML, {said}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise error_class(f"{origin}: is not valid YAML, {str(error).splitlines()[0]}") from error


class _Reader(yaml.SafeLoader):
    def __init__(self, text: str, origin: str, error_class: type[VisionRouterError]) -> None:
        super().__init__(text)
        self.lines: dict[Path, int] = {}
        self._origin = origin
        self._error_class = error_class
        self._depth = 0
        self._nodes = 0
        self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        self._nodes += 1
        if self._depth > MAX_DEPTH:
            raise self._refuse(event.start_mark, f"is nested deeper than {MAX_DEPTH} levels")
        if self._nodes > MAX_VALUES:
            raise self._refuse(event.start_mark, f"has more than {MAX_VALUES:,} values")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def value(self, node: yaml.Node, path: Path) -> Any:
        """Plain data of a node; notes the lines as it goes."""
        self._values += 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            raise self._refuse(
                node.start_mark, "grows without bound through its aliases; write the values out"
            )
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.construct_object(node)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise self._refuse(
                node.start_mark, f"has the tag {node.tag[:60]!r}; only plain mappings and lists are read"
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, child in node.value:
            key = key_node.value
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise self._refuse(
                    key_node.start_mark, "merges with <<; write the keys out, or alias a whole value"
                )
            if key_node.tag != "tag:yaml.org,2002:str" or not isinstance(key, str):
                raise self._refuse(
                    key_node.start_mark, f"key {str(key)[:60]!r} is not text; put it in quotes"
                )
            if key in data:
                first = self.lines[(*path, key)]
                raise self._refuse(
                    key_node.start_mark, f"key {key[:60]!r} is given twice (first on line {first})"
                )
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.value(child, (*path, key))
        return data

    def _refuse(self, mark: Any, problem: str) -> VisionRouterError:
        return self._error_class(f"{self._origin}:{mark.line + 1}: {problem}")
