"""What a running router's backends are doing, read from the metrics it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from visionrouter.schema.errors import MissingExtraError, RequestError

_TIMEOUT_S = 5.0
_MOST_BYTES = 1 << 26
_NUMBERS = {
    "visionrouter_queue_depth": "waiting",
    "visionrouter_running": "running",
    "visionrouter_queue_oldest_seconds": "oldest_s",
    "visionrouter_queue_recent_wait_seconds": "recent_wait_s",
    "visionrouter_breaker_opened_total": "opened",
    "visionrouter_restarts_total": "restarts",
}


@dataclass(slots=True)
class Live:
    """A backend of a running router; numbers by the names of `_NUMBERS`, those that are not told left out.

    `dropped`: jobs that came to nothing, by why. `reuse_rate`: share of the images asked after whose embedding was
    kept, None where none is or none was asked after.
    """

    router: str
    backend: str
    breaker: str = "?"
    numbers: dict[str, float] = field(default_factory=dict)
    dropped: dict[str, float] = field(default_factory=dict)
    reuse: dict[str, float] = field(default_factory=dict)

    @property
    def reuse_rate(self) -> float | None:
        asked = sum(self.reuse.values())
        return self.reuse.get("hit", 0.0) / asked if asked else None

    def plain(self) -> dict[str, Any]:
        """As JSON writes it."""
        return {
            "router": self.router,
            "name": self.backend,
            "breaker": self.breaker,
            **self.numbers,
            "dropped": self.dropped,
            "reuse_rate": self.reuse_rate,
        }

    def add(self, name: str, labels: dict[str, str], value: float) -> None:
        """Take in one sample."""
        if name in _NUMBERS:
            self.numbers[_NUMBERS[name]] = value
        elif name == "visionrouter_breaker_state" and value:
            self.breaker = labels["state"]
        elif name == "visionrouter_dropped_total":
            self.dropped[labels["why"]] = value
        elif name == "visionrouter_embedding_reuse_total":
            self.reuse[labels["outcome"]] = value


def live(source: str) -> list[Live]:
    """The backends that the metrics at `source`, an http(s) URL or a file, tell of. Raises `RequestError`."""
    found: dict[tuple[str, str], Live] = {}
    for name, labels, value in _samples(_read(source), source):
        if "router" in labels and "backend" in labels:
            at = labels["router"], labels["backend"]
            found.setdefault(at, Live(*at)).add(name, labels, value)
    if not found:
        raise RequestError(
            f"{source}: tells of no router; call Metrics().watch(router) where it runs, and give its metrics' address"
        )
    return list(found.values())


def _read(source: str) -> str:
    try:
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=_TIMEOUT_S) as answer:
                return str(answer.read(_MOST_BYTES).decode())
        return Path(source).read_text()
    except (URLError, OSError, ValueError) as error:
        raise RequestError(
            f"{source}: cannot be read ({error}); give the address of a running router's metrics"
        ) from error


def _samples(text: str, source: str) -> list[tuple[str, dict[str, str], float]]:
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError as error:
        raise MissingExtraError(
            "reading metrics needs prometheus-client; pip install 'visionrouter[telemetry]'"
        ) from error
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError as error:
        raise RequestError(f"{source}: is not in Prometheus' text format ({error})") from error
    return [(s.name, s.labels, s.value) for family in families for s in family.samples]
