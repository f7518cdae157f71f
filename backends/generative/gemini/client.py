"""One picture and one prompt to the Gemini API, one picture back: bounded in time and size, retried, redacted."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from visionrouter.backends.generative.gemini.bounds import Bounds, bounded_client
from visionrouter.backends.libraries import require
from visionrouter.schema.errors import (
    BackendError,
    CredentialsError,
    OverloadedError,
    ProfileError,
    RefusedError,
    VisionRouterError,
)

KEY_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""Where the key is looked for, in this order; it is taken from nowhere else."""

_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_WAIT_S = 0.5
_REFUSALS = frozenset(
    {
        "SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "IMAGE_PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION",
        "IMAGE_RECITATION", "LANGUAGE", "MODEL_ARMOR",
    }
)  # fmt: skip
"""Reasons to finish by which the service declines."""


@dataclass(slots=True)
class Bill:
    """Tokens read and written, and tries, over everything that was asked for one answer; of what failed too."""

    input_tokens: int = 0
    output_tokens: int = 0
    tries: int = 0

    def add(self, usage: Any) -> None:
        """What the service says one response took; nothing where it says nothing."""
        if usage is not None:
            self.input_tokens += usage.prompt_token_count or 0
            self.output_tokens += (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


class GeminiClient:
    """A connection. The key is read from the environment when it is opened and shows in no repr, error or log."""

    def __init__(self, model: str, base_url: str | None, max_bytes: int) -> None:
        """Raises `CredentialsError` without a key, `MissingExtraError` without google-genai."""
        self._key = _Secret(key_from_environment())
        self._model = model
        self._bounds = Bounds(max_bytes=max_bytes)
        genai, self._errors, self._types = (
            require(module, "gemini", "gemini")
            for module in ("google.genai", "google.genai.errors", "google.genai.types")
        )
        self._http = bounded_client(self._bounds)
        options = self._types.HttpOptions(base_url=base_url, httpx_client=self._http)
        self._client = genai.Client(vertexai=False, api_key=self._key.value, http_options=options)

    def close(self) -> None:
        self._http.close()

    def draw(
        self,
        prompt: str,
        png: bytes,
        aspect: str,
        size: str,
        seed: int,
        deadline_s: float,
        retries: int,
        bill: Bill,
    ) -> bytes:
        """An encoded picture. Asks at most `retries` times more, and never beyond `deadline_s` (monotonic seconds).

        `png`: the encoded picture. `aspect`: such as "16:9". `size`: "1K", "2K" or "4K". What it takes is put on the
        `bill`, also where it fails. Raises `RefusedError` where the service declines or answers in words alone,
        `CredentialsError`, `OverloadedError` over quota, else `BackendError`.
        """
        attempt = 0
        while True:
            attempt += 1
            bill.tries += 1
            try:
                response = self._once(prompt, png, aspect, size, seed, deadline_s)
            except _TransientError as passing:
                wait_s = max(passing.after_s, _FIRST_WAIT_S * 2 ** (attempt - 1))
                if attempt > retries or time.monotonic() + wait_s >= deadline_s:
                    raise passing.error from None
                time.sleep(wait_s)
            else:
                bill.add(response.usage_metadata)
                return self._picture(response)

    def _once(self, prompt: str, png: bytes, aspect: str, size: str, seed: int, deadline_s: float) -> Any:
        types = self._types
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise BackendError("gemini: no time was left to ask")
        self._bounds.deadline_s = deadline_s
        config = types.GenerateContentConfig(
            response_modalities=["TEXT", "IMAGE"],
            image_config=types.ImageConfig(aspect_ratio=aspect, image_size=size),
            seed=seed % 2**31,
            http_options=types.HttpOptions(timeout=max(1, int(left_s * 1000))),
        )
        contents = [types.Part.from_bytes(data=png, mime_type="image/png"), prompt]
        try:
            return self._client.models.generate_content(model=self._model, contents=contents, config=config)
        except self._errors.APIError as error:
            raise self._service_error(error) from None
        except VisionRouterError:
            raise
        except Exception as error:  # httpx's and pydantic's, which carry the request or the answer with them
            kind = type(error).__name__
            if "Timeout" in kind:
                raise BackendError(f"gemini: no answer within the time given ({kind})") from None
            if "Connect" in kind or "Protocol" in kind or "Read" in kind or "Write" in kind:
                raise _TransientError(
                    BackendError(f"gemini: the connection failed ({kind}); check the network")
                ) from None
            raise BackendError(
                f"gemini: an answer that cannot be read ({kind}: {self._say(error)})"
            ) from None

    def _service_error(self, error: Any) -> Exception:
        said = f"{error.code} {error.status or ''}: {self._say(error.message)}"
        if error.code in (401, 403) or "API key" in str(error.message):
            return CredentialsError(
                f"gemini: the key was not accepted ({said}); set {' or '.join(KEY_VARIABLES)}"
            )
        if error.code == 404:
            return BackendError(f"gemini: {said}; name another `model`")
        if error.code == 429:
            failed: BackendError = OverloadedError(f"gemini: over quota ({said}); wait, or raise the quota")
        else:
            failed = BackendError(f"gemini: {said}")
        return _TransientError(failed, _retry_after_s(error)) if error.code in _RETRIED else failed

    def _picture(self, response: Any) -> bytes:
        """The last picture of an answer that is no thought on the way."""
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason is not None:
            raise RefusedError(
                f"gemini refused the request ({_word(feedback.block_reason)}); ask another backend"
            )
        candidate = next(iter(response.candidates or ()), None)
        if candidate is None:
            raise BackendError("gemini: an answer without a candidate")
        finish = _word(candidate.finish_reason)
        if finish in _REFUSALS:
            raise RefusedError(f"gemini refused to draw ({finish}); ask another backend")
        parts = (candidate.content and candidate.content.parts) or ()
        pictures = [
            p.inline_data.data for p in parts if p.inline_data and p.inline_data.data and not p.thought
        ]
        if pictures:
            data: bytes = pictures[-1]
            return data
        words = " ".join(part.text for part in parts if part.text and not part.thought)
        if words:
            raise RefusedError(f"gemini answered in words and drew nothing: {self._say(words)!r}")
        raise BackendError(f"gemini drew nothing (finished by {finish or 'nothing said'})")

    def _say(self, text: object) -> str:
        """Foreign text on one short line, without the key."""
        return " ".join(str(text).replace(self._key.value, "[key]").split())[:200]


class _Secret:
    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "[key]"


class _TransientError(Exception):
    """A failure that may pass. `after_s`: how long the service asks to wait."""

    def __init__(self, error: BackendError, after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s


def key_from_environment() -> str:
    """Raises `CredentialsError` where there is none."""
    key = next((found for name in KEY_VARIABLES if (found := os.environ.get(name, "").strip())), None)
    if key is None:
        raise CredentialsError(f"gemini needs a key; set {' or '.join(KEY_VARIABLES)} in the environment")
    return key


def check_base_url(base_url: str | None) -> None:
    """Raise `ProfileError` for an address to which a key must not be sent."""
    if base_url is None:
        return
    parts = urlsplit(base_url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        parts.username
        or not parts.hostname
        or not (parts.scheme == "https" or (parts.scheme == "http" and is_here))
    ):
        raise ProfileError(
            "base_url: give an https address, or http on this machine, without a name or password in it"
        )


def _retry_after_s(error: Any) -> float:
    headers = getattr(error.response, "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:
        return 0.0


def _word(reason: Any) -> str:
    return str(getattr(reason, "value", reason) or "")
