"""Logs that machines read: one line of JSON each, never with anything of an image in it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from visionrouter.schema.decision import Decision


class DecisionLog:
    """Logs every decision to `logger`, a sentence for people with the record of it for machines (`JsonFormatter`).

    The words of an instruction may say what is in a picture: they are left out unless `words` is asked for.
    """

    def __init__(
        self, logger: str | logging.Logger = "visionrouter.decisions", *, words: bool = False
    ) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._words = words

    def record(self, decision: Decision) -> None:
        if not self._logger.isEnabledFor(logging.INFO):
            return
        self._logger.info(
            "request %s: %s (%s) in %.1f ms",
            decision.request_id,
            decision.outcome,
            decision.reason,
            decision.elapsed_ms,
            extra={"decision": _document(decision, self._words)},
        )


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON: time (UTC), level, logger, message; error and decision where it has them."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        decision = getattr(record, "decision", None)
        if decision is not None:
            line["decision"] = decision
        return json.dumps(line, ensure_ascii=False)


def _document(decision: Decision, words: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "request_id": decision.request_id,
        "task": decision.task,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "policy": decision.policy,
        "policy_hash": decision.policy_hash,
        "rule": decision.rule,
        "variant": decision.variant,
        "deadline_ms": decision.deadline_ms,
        "elapsed_ms": round(decision.elapsed_ms, 3),
        "overhead_ms": round(decision.overhead_ms, 3),
        "tags": dict(decision.tags),
        "attempts": [
            {
                "backend": attempt.backend,
                "accepted": attempt.verdict.accepted,
                "reason": attempt.verdict.reason,
                "gate": attempt.verdict.gate,
                "started_ms": round(attempt.started_ms, 3),
                "latency_ms": round(attempt.latency_ms, 3),
                "queue_ms": round(attempt.queue_ms, 3),
                "weights_digest": attempt.weights_digest,
                "error": attempt.error,
            }
            for attempt in decision.attempts
        ],
        "skipped": [list(pair) for pair in decision.skipped],
        "children": [_document(child, words) for child in decision.children],
    }
    if words:
        made["instruction"] = decision.instruction
    return made
