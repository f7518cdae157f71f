"""A profile's backends, and a running router's, as rows and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from visionrouter.backends.base import Backend
from visionrouter.backends.profile import load_profile
from visionrouter.cli.live import Live
from visionrouter.schema.errors import CredentialsError, MissingExtraError, WeightsError


def rows(profile: str, check: bool) -> list[dict[str, Any]]:
    """One dict a backend. With `check` each is loaded for real, and what it raised is why it does not load.

    `state`: "ready" (it was loaded, in `load_s`), "missing_extra", "missing_weights", "no_credentials" or "failed";
    None where nobody looked.
    """
    found = []
    for name, backend in load_profile(profile).backends.items():
        spec = backend.spec
        state, why_not, load_s = _checked(backend) if check else (None, backend.unavailable(), None)
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
                "state": state,
                "load_s": load_s,
            }
        )
    return found


def _checked(backend: Backend) -> tuple[str, str | None, float | None]:
    """Load and let go: the state, why not ready, and how many seconds it took."""
    start_s = perf_counter()
    try:
        backend.load()
    except MissingExtraError as error:
        return "missing_extra", str(error), None
    except WeightsError as error:
        return "missing_weights", str(error), None
    except CredentialsError as error:
        return "no_credentials", str(error), None
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}", None
    finally:
        backend.close()
    return "ready", None, round(perf_counter() - start_s, 3)


def as_table(found: list[dict[str, Any]]) -> str:
    head = ("backend", "kind", "licence", "MB", "runs in", "loads here", "tasks")
    body = [
        (
            row["name"],
            row["kind"],
            row["licence"],
            f"{row['weights_mb']:.1f}",
            row["isolation"],
            _loads(row),
            ", ".join(row["tasks"]) + (" (box or point needed)" if row["needs_prompts"] else ""),
        )
        for row in found
    ]
    return _table([head, *body])


def _loads(row: dict[str, Any]) -> str:
    if row["state"] == "ready":
        return f"ready in {row['load_s']:.2f} s"
    if row["loads"]:
        return "yes"
    return f"{(row['state'] or 'no').replace('_', ' ')}: {row['why_not']}"


def as_live_table(found: list[Live]) -> str:
    columns = {
        "opened": "opened",
        "waiting": "waiting",
        "running": "running",
        "oldest_s": "oldest s",
        "recent_wait_s": "recent wait s",
        "restarts": "restarts",
    }
    head = ("router", "backend", "breaker", *columns.values(), "dropped", "embeddings reused")
    body = [
        (
            row.router,
            row.backend,
            row.breaker,
            *(_number(row.numbers.get(name)) for name in columns),
            _number(sum(row.dropped.values())),
            "-" if row.reuse_rate is None else f"{row.reuse_rate:.0%}",
        )
        for row in found
    ]
    return _table([head, *body])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value % 1 else f"{value:.0f}"


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )
