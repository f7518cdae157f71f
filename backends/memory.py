"""Running out of memory, told apart from other failures of a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from visionrouter.schema.errors import ResourceError

_SAID = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says of it, by device; there is no exception of its own on the CPU."""


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in _SAID)
    return isinstance(error, MemoryError)


@contextmanager
def enough_memory(name: str, images: int) -> Iterator[None]:
    """Raise `ResourceError` with the mend where memory runs out. `images`: how many at once; 0 while loading."""
    try:
        yield
    except Exception as error:
        if not ran_out(error):
            raise
        said = str(error)
        doing = f"on {images} at once" if images else "while loading its weights"
        mend = "smaller batches, " if images > 1 else ""
        raise ResourceError(
            f"{name} ran out of memory {doing} ({said.splitlines()[0][:160] if said else 'no detail'}); "
            f"try {mend}a smaller model or size, precision: float16, or device: cpu"
        ) from error
