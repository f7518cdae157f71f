"""A profile's backends as rows and as a table."""

from __future__ import annotations

from typing import Any

from visionrouter.backends.profile import load_profile
from visionrouter.schema.errors import VisionRouterError


def rows(profile: str, check: bool) -> list[dict[str, Any]]:
    """One dict a backend. With `check` each is loaded for real, and what it raised is why it does not load."""
    found = []
    for name, backend in load_profile(profile).backends.items():
        spec = backend.spec
        why_not = backend.unavailable()
        if check and why_not is None:
            try:
                backend.load()
            except VisionRouterError as error:
                why_not = str(error)
            finally:
                backend.close()
        found.append(
            {
                "name": name,
                "kind": spec.kind,
                "tasks": sorted(spec.tasks),
                "licence": spec.licence,
                "weights_mb": round(spec.weights_bytes / 1e6, 1),
                "weights_digest": spec.weights_digest,
                "input_size": spec.input_size,
                "isolation": spec.isolation,
                "needs_prompts": spec.needs_prompts,
                "loads": why_not is None,
                "why_not": why_not,
            }
        )
    return found


def as_table(found: list[dict[str, Any]]) -> str:
    head = ("backend", "kind", "licence", "MB", "runs in", "loads here", "tasks")
    body = [
        (
            row["name"],
            row["kind"],
            row["licence"],
            f"{row['weights_mb']:.1f}",
            row["isolation"],
            "yes" if row["loads"] else f"no: {row['why_not']}",
            ", ".join(row["tasks"]) + (" (box or point needed)" if row["needs_prompts"] else ""),
        )
        for row in found
    ]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in [head, *body]
    )
