"""Nano Banana Pro as a backend: the paper's prompts to a hosted model."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from PIL import Image as Pillow

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.generative.codecs.codes import Codes
from visionrouter.backends.generative.framing import Frame
from visionrouter.backends.generative.gemini.client import (
    Bill,
    GeminiClient,
    check_base_url,
    key_from_environment,
)
from visionrouter.backends.generative.instructed.answering import Job
from visionrouter.backends.generative.instructed.wording import Wording
from visionrouter.backends.tasks import check_task
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import (
    CredentialsError,
    ImageError,
    ProfileError,
    SchemaError,
    VisionRouterError,
)
from visionrouter.schema.image import ImageLimits, load_image
from visionrouter.schema.prediction import Prediction
from visionrouter.schema.request import Query

ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
"""Width : height of the pictures that the service draws."""
_LONG_SIDE = {"1K": 1024, "2K": 2048, "4K": 4096}
_ASPECT_OFF = 0.05
"""How far a drawing's aspect may be from the one asked for, before it cannot be laid over the picture."""
_SLACK = 4
"""Times the pixels asked for that a drawing may have."""


class Gemini(Backend):
    """Draws depth, normals and masks by instruction, at Google's.

    The picture is sent, so is the prompt; mind whose picture it is. `weights_digest` is None: what answers is known by
    its name alone, and may change behind it. The released model was not tuned on the paper's codes: `on_code_share` and
    the note `wrong_code:` tell when it drew a picture instead.

    Signals are those of the codes (see `InstructEditor`), and of the whole query `cost_usd`, `input_tokens`,
    `output_tokens` and `tries`; an error carries them as `spent`. A refusal, or an answer in words, is a `RefusedError`.
    """

    def __init__(
        self,
        *,
        model: str = "gemini-3-pro-image-preview",
        timeout_ms: float = 60_000,
        retries: int = 2,
        size: Literal["1K", "2K", "4K"] = "1K",
        votes: int = 1,
        wording: Mapping[str, str] | None = None,
        usd_per_million_input_tokens: float = 2.0,
        usd_per_million_output_tokens: float = 120.0,
        base_url: str | None = None,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """`timeout_ms` bounds one query with all its drawings, waits and `retries` (after 408, 429 and 5xx). `votes`: how
        often a semantic map is drawn, each time in other colours. Prices are the list's when this was written; give your
        own. `base_url`: another server that speaks the protocol. `max_bytes` of one answer. Raises `ProfileError`."""
        check_base_url(base_url)
        if size not in _LONG_SIDE:
            raise ProfileError(f"size is {size!r}; give {', '.join(_LONG_SIDE)}")
        if not (timeout_ms > 0 and math.isfinite(timeout_ms)) or retries < 0 or votes < 1:
            raise ProfileError(
                f"timeout_ms {timeout_ms}, retries {retries}, votes {votes}; give a positive number of milliseconds, 0 or "
                "more retries, 1 or more votes"
            )
        self._model = model
        self._timeout_s = timeout_ms / 1000
        self._retries = retries
        self._size: str = size
        self._votes = votes
        self._wording = Wording(wording)
        self._usd_per_token = (usd_per_million_input_tokens / 1e6, usd_per_million_output_tokens / 1e6)
        self._base_url = base_url
        self._max_bytes = max_bytes
        self._codes = Codes()
        self._client: GeminiClient | None = None
        self.spec = BackendSpec(
            name="gemini",
            kind="generative",
            tasks=self._wording.tasks,
            licence="proprietary",
            batch_limit=1,
            depth_unit="m",
            cost=100.0 * votes,
            extra="gemini",
            requires=("google.genai",),
            version=model,
        )

    def unavailable(self) -> str | None:
        if why := super().unavailable():
            return why
        try:
            key_from_environment()
        except CredentialsError as error:
            return str(error)
        return None

    def load(self) -> None:
        self._opened()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._answer(query) for query in queries]

    def _opened(self) -> GeminiClient:
        if self._client is None:
            self._client = GeminiClient(self._model, self._base_url, self._max_bytes)
        return self._client

    def _answer(self, query: Query) -> Prediction:
        check_task(self.spec, query)
        deadline_s = time.monotonic() + self._timeout_s
        client = self._opened()
        aspect, frame = fit(*query.image.size, _LONG_SIDE[self._size])
        png = _encode(frame.place(query.image.pixels))
        job = Job.of(query, frame, self._wording, self._votes)
        bill = Bill()
        try:
            drawn = [
                _decode(
                    client.draw(
                        ask.prompt, png, aspect, self._size, query.seed, deadline_s, self._retries, bill
                    ),
                    frame,
                )
                for ask in job.asks
            ]
        except VisionRouterError as error:
            error.spent = self._account(bill)
            raise
        return job.answer(drawn, self._codes, self._account(bill))

    def _account(self, bill: Bill) -> dict[str, float]:
        in_usd, out_usd = self._usd_per_token
        return {
            "cost_usd": bill.input_tokens * in_usd + bill.output_tokens * out_usd,
            "input_tokens": float(bill.input_tokens),
            "output_tokens": float(bill.output_tokens),
            "tries": float(bill.tries),
        }


def fit(width: int, height: int, long_side: int) -> tuple[str, Frame]:
    """The aspect nearest to an image's, and the image on a canvas of it."""
    aspect = min(ASPECTS, key=lambda word: abs(math.log(_ratio(word) * height / width)))
    ratio = _ratio(aspect)
    canvas = (long_side, round(long_side / ratio)) if ratio >= 1 else (round(long_side * ratio), long_side)
    return aspect, Frame.inside(width, height, *canvas)


def _ratio(aspect: str) -> float:
    across, down = aspect.split(":")
    return int(across) / int(down)


def _encode(canvas: U8) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(canvas).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _decode(data: bytes, frame: Frame) -> U8:
    """A drawing as uint8 of the canvas' size. Raises `SchemaError` where it is no whole picture, too large, or of
    another aspect than was asked for."""
    pixels = frame.canvas_width * frame.canvas_height
    try:
        drawing = load_image(data, ImageLimits(max_pixels=_SLACK * pixels)).pixels
    except ImageError as error:
        raise SchemaError(f"gemini drew what cannot be read: {error}") from error
    height, width = drawing.shape[:2]
    off = (width / height) / (frame.canvas_width / frame.canvas_height)
    if abs(math.log(off)) > _ASPECT_OFF:
        raise SchemaError(
            f"gemini drew {width}x{height} pixels where {frame.canvas_width}x{frame.canvas_height} were asked for; it "
            "cannot be laid over the picture"
        )
    # Nearest: a mixture of two colours of a code is a third, which means something else.
    size = (frame.canvas_width, frame.canvas_height)
    return np.asarray(Pillow.fromarray(drawing).resize(size, Pillow.Resampling.NEAREST))
