"""A client that costs next to nothing: one kept connection a stream, one fixed request over and over."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """Microseconds of each request, and requests a second over all."""

    taken_us: list[float]
    per_s: float


async def load(port: int, path: str, n: int, many: int) -> Load:
    """`n` requests to a server on loopback, `many` at a time, after a tenth of that to warm up."""
    post = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    taken: list[float] = []
    warm = n // many // 10 + 1

    async def stream() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for i in range(warm + max(1, n // many)):
                start_s = time.perf_counter()
                writer.write(post.encode())
                await _answered(reader)
                if i >= warm:
                    taken.append((time.perf_counter() - start_s) * 1e6)
        finally:
            writer.close()
            await writer.wait_closed()

    start_s = time.perf_counter()
    await asyncio.gather(*(stream() for _ in range(many)))
    return Load(taken, (len(taken) + warm * many) / (time.perf_counter() - start_s))


async def ready(port: int, path: str, within_s: float = 60.0) -> None:
    """Wait until the server answers. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await load(port, path, 1, 1)
            except (OSError, ConnectionError, RuntimeError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.2)
            else:
                return


async def _answered(reader: asyncio.StreamReader) -> None:
    """Read one answer. Raises `RuntimeError` for any status but 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, *lines = head.split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    body = await reader.readexactly(length)
    if " 200 " not in f"{status} ":
        raise RuntimeError(f"the server said {status}: {body[:200]!r}")
