"""An HTTP client whose answers are cut off at a size and at a time.

httpx2's own timeouts hold between two chunks, so an answer that trickles in would never end; and the library above it
reads an answer of any size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionrouter.schema.errors import BackendError, SchemaError

if TYPE_CHECKING:
    import httpx2


@dataclass(slots=True)
class Bounds:
    """`max_bytes` of one answer; `deadline_s`, monotonic seconds, set before each request."""

    max_bytes: int
    deadline_s: float = math.inf


def bounded_client(bounds: Bounds) -> httpx2.Client:
    """A client for one thread. Reading an answer raises `SchemaError` beyond the size, `BackendError` beyond the time."""
    import httpx2

    class Body(httpx2.SyncByteStream):
        def __init__(self, inner: httpx2.SyncByteStream) -> None:
            self._inner = inner

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for chunk in self._inner:
                size += len(chunk)
                if size > bounds.max_bytes:
                    raise SchemaError(f"the answer is over {bounds.max_bytes:,} bytes; the backend's cap")
                if time.monotonic() > bounds.deadline_s:
                    raise BackendError("gemini: no answer within the time given (it trickles)")
                yield chunk

        def close(self) -> None:
            self._inner.close()

    def cut_off(response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = Body(response.stream)

    return httpx2.Client(event_hooks={"response": [cut_off]})
