"""Running out of memory, told apart from other failures of an accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from visionrouter.schema.errors import ResourceError


@contextmanager
def enough_memory(name: str, images: int) -> Iterator[None]:
    """Raise `ResourceError` with the mend where torch has no memory left, on whatever device. `images`: 0 for loading."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        short = type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError)
        if not (short or "out of memory" in text or "can't allocate memory" in text):
            raise
        doing = f"answering {images} at once" if images else "loading its weights"
        mend = (
            "smaller batches, a smaller model, precision: float16"
            if images
            else "a smaller model, precision: float16"
        )
        raise ResourceError(
            f"{name} ran out of memory while {doing} ({text.splitlines()[0][:160] if text else 'no detail'}); "
            f"try {mend} or device: cpu"
        ) from error
