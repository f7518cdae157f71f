"""Whether a backend with a closed vocabulary knows any of the things that were asked for, before it is troubled."""

from __future__ import annotations

from functools import lru_cache

from visionrouter.schema.task import Target


@lru_cache(maxsize=4096)
def knows_any(labels: tuple[str, ...], targets: tuple[Target, ...]) -> bool:
    """False only where none of `targets` can be mapped onto the closed vocabulary `labels`."""
    if not targets:
        return True
    from visionrouter.instruction.grounding import ground

    return any(ground(target, labels).labels for target in targets)
