"""A server on this machine that speaks as much of the Gemini REST protocol as a picture needs."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from visionrouter.schema.arrays import U8

KEY = "sk-do-not-tell-0123456789"
USAGE = {"promptTokenCount": 1000, "candidatesTokenCount": 1120, "totalTokenCount": 2120}

Reply = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    server: GeminiServer

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(
            {"path": self.path, "key": self.headers.get("x-goog-api-key"), "body": asked}
        )
        replies = self.server.replies
        reply = replies[min(len(self.server.asked), len(replies)) - 1]
        reply(self, asked)

    def send(self, document: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Nothing on stderr."""


class GeminiServer(ThreadingHTTPServer):
    """`replies` are played in order, the last one over and over; `asked` holds what came in."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def png(drawing: U8) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(drawing).save(file, "PNG")
    return file.getvalue()


def canvas_of(asked: dict[str, Any]) -> U8:
    """The picture that was sent."""
    data = base64.urlsafe_b64decode(asked["contents"][0]["parts"][0]["inlineData"]["data"])
    return np.asarray(Pillow.open(io.BytesIO(data)))


def prompt_of(asked: dict[str, Any]) -> str:
    return str(asked["contents"][0]["parts"][1]["text"])


def answer(*parts: dict[str, Any], finish: str = "STOP") -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}],
        "usageMetadata": USAGE,
    }


def picture(data: bytes) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(data).decode()}}


def draws(make: Callable[[U8, str], U8]) -> Reply:
    """Answer with a drawing made from the picture that was sent and the prompt."""

    def reply(handler: Handler, asked: dict[str, Any]) -> None:
        handler.send(answer(picture(png(make(canvas_of(asked), prompt_of(asked))))))

    return reply


def says(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return lambda handler, _: handler.send(document, status, headers)


def fails(status: int, words: str, headers: dict[str, str] | None = None) -> Reply:
    return says({"error": {"code": status, "message": words, "status": "FAILED"}}, status, headers)


def sleeps(seconds: float) -> Reply:
    return lambda handler, _: time.sleep(seconds)


def trickles(handler: Handler, asked: dict[str, Any]) -> None:
    """An answer of a byte every twentieth of a second, for four seconds."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    for _ in range(80):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


@contextmanager
def serving() -> Iterator[GeminiServer]:
    """A server, and `KEY` in the environment as the one key there is."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GEMINI_BASE_URL"):
            environment.delenv(name, raising=False)
        environment.setenv("GEMINI_API_KEY", KEY)
        yield from _served()


def _served() -> Iterator[GeminiServer]:
    made = GeminiServer()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()
