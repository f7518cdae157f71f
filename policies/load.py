"""Policies from files, presets and plain data, with errors that say where, what and the mend."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from visionrouter.policies.syntax import nearest
from visionrouter.schema.errors import PolicyError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from visionrouter.policies.model import Policy
    from visionrouter.schema.document import Document

PolicySource: TypeAlias = "Policy | Mapping[str, Any] | str | Path"
"""A preset's name, a path to a YAML file, plain data, or a policy."""

_PRESETS = Path(__file__).parent / "presets"
_MAX_SHOWN = 8


def preset_names() -> tuple[str, ...]:
    """The policies in the package."""
    return tuple(sorted(path.stem for path in _PRESETS.glob("*.yaml")))


def load_policy(source: PolicySource, *, as_arm: bool = False) -> Policy:
    """Read and check a policy. A preset's name wins over a file of that name (write `./default` for the file).

    `as_arm`: it is to be an arm of an experiment, so it may hold none.

    Raises `PolicyError`, one line a mistake: `file:line: path: what is wrong; the mend`.
    """
    from visionrouter.policies.model import Policy
    from visionrouter.schema.document import Document, read_document

    if isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return _validate(Document(source, {}), "policy", Path(), as_arm)
    if isinstance(source, str) and source in preset_names():
        path = _PRESETS / f"{source}.yaml"
        return _validate(
            read_document(path.read_bytes(), path.name, PolicyError), path.name, _PRESETS, as_arm
        )
    document = read_document(_read(source), str(source), PolicyError)
    return _validate(document, str(source), Path(source).parent, as_arm)


def _read(source: str | Path) -> bytes:
    from visionrouter.schema.document import MAX_BYTES

    try:
        path = Path(source)
        if path.is_file():
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        exists = path.exists()
    except (OSError, ValueError) as error:
        raise PolicyError(f"{str(source)[:200]!r}: cannot be read ({error})") from error
    if exists:
        raise PolicyError(f"{source}: is not a file; name a YAML file")
    presets = preset_names()
    raise PolicyError(
        f"{str(source)[:200]!r} is neither a preset nor a file{nearest(str(source)[:200], presets)}"
        f" (presets: {', '.join(presets)})"
    )


def _validate(document: Document, origin: str, folder: Path, as_arm: bool) -> Policy:
    from pydantic import ValidationError

    from visionrouter.policies.model import Policy

    try:
        return Policy.model_validate(document.data, context={"folder": folder, "as_arm": as_arm})
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        lines = [_describe(mistake, document, origin) for mistake in mistakes[:_MAX_SHOWN]]
        if len(mistakes) > _MAX_SHOWN:
            lines.append(f"{origin}: and {len(mistakes) - _MAX_SHOWN} more")
        raise PolicyError("\n".join(lines)) from error


def _describe(mistake: ErrorDetails, document: Document, origin: str) -> str:
    loc = tuple(part for part in mistake["loc"] if not str(part).startswith("<"))
    context = mistake.get("ctx", {})
    if mistake["type"] == "unknown_key":
        loc = (*loc, context["key"])
    line = document.line(loc)
    place = f"{origin}:{line}" if line else origin
    return f"{place}: {_path(loc, document.data)}: {_wrong(mistake, context)}"


def _path(loc: tuple[int | str, ...], data: Any) -> str:
    """`rules[2].route.otherwise`, with the rule's own name where it has one."""
    text = (
        "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".") or "policy"
    )
    if len(loc) > 1 and loc[0] == "rules" and isinstance(loc[1], int):
        rule = data["rules"][loc[1]]
        name = rule.get("name") if isinstance(rule, Mapping) else None
        return f"{text} (rule {name!r})" if isinstance(name, str) else text
    return text


def _wrong(mistake: ErrorDetails, context: Mapping[str, Any]) -> str:
    given, message = mistake["input"], mistake["msg"]
    match mistake["type"]:
        case "unknown_key":
            return message
        case "extra_forbidden":
            return "is not a key here"
        case "tuple_type":
            return f"should be a list, got {_show(given)}"
        case "missing":
            return "is missing"
        case "literal_error":
            known = re.findall(r"'([^']*)'", context["expected"])
            return f"{_show(given)} is not one of {', '.join(known) or context['expected']}{nearest(str(given)[:60], known)}"
        case "value_error" if mistake["loc"][-1:] in (("when",), ("unit",), ("eligible",)):
            return f"`{str(given)[:200]}` {context['error']}"
        case "value_error":
            return str(context["error"])
        case "string_pattern_mismatch":
            return f"{_show(given)} is not a name (letters, digits and . _ - / after the first)"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"should be a mapping of keys to values, got {_show(given)}"
        case _:
            return f"{message[0].lower()}{message[1:]}, got {_show(given)}"


def _show(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number beyond 64 bits"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
