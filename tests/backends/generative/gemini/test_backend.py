"""Gemini against a server on this machine: what it draws is read, what goes wrong is typed, the key is never told."""

import logging
import time
import traceback
from collections.abc import Iterator

import gemini_server as fake
import numpy as np
import pytest

from visionrouter.backends.fake import FakeBackend
from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.gemini.backend import ASPECTS, Gemini, fit
from visionrouter.backends.isolation import IsolatedBackend, IsolationLimits
from visionrouter.backends.registry import Recipe
from visionrouter.router import Router
from visionrouter.schema.decision import Outcome, Reason
from visionrouter.schema.errors import (
    BackendError,
    CredentialsError,
    OverloadedError,
    ProfileError,
    RefusedError,
    SchemaError,
)
from visionrouter.schema.image import load_image
from visionrouter.schema.payload import DepthMap, Segmentation
from visionrouter.schema.request import Query
from visionrouter.schema.result import Result
from visionrouter.schema.task import PaletteEntry, Task

PHOTO = load_image(np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8))
ROAD = PaletteEntry("road", (0, 0, 255), "blue")
SKY = PaletteEntry("sky", (255, 0, 0), "red")


@pytest.fixture
def server() -> Iterator[fake.GeminiServer]:
    with fake.serving() as made:
        yield made


def ask(server: fake.GeminiServer, query: Query, **params: object):
    with Gemini(base_url=server.url, **{"timeout_ms": 5000, **params}) as backend:
        return backend.predict([query])[0]


def ramp(canvas: np.ndarray, prompt: str) -> np.ndarray:
    """Metric depth from 1 m at the left to 9 m at the right."""
    height, width = canvas.shape[:2]
    depth_m = np.repeat(np.linspace(1, 9, width, dtype=np.float32)[None], height, axis=0)
    return DepthCode().encode(depth_m)


def halves(canvas: np.ndarray, prompt: str) -> np.ndarray:
    """Sky above, road below, in the colours that the prompt names."""
    words = prompt[prompt.index("{") :]
    drawing = np.zeros_like(canvas)
    half = len(canvas) // 2
    for label, rows in (("sky", slice(0, half)), ("road", slice(half, None))):
        colour = words.split(f'"{label}": "')[1].split('"')[0]
        from visionrouter.schema.palette import NAMED_COLOURS

        drawing[rows] = NAMED_COLOURS[colour]
    return drawing


def test_depth_in_metres_and_what_it_cost(server: fake.GeminiServer) -> None:
    server.replies = [fake.draws(ramp)]
    prediction = ask(server, Query(Task.DEPTH, PHOTO, seed=5))
    assert isinstance(prediction.payload, DepthMap)
    assert prediction.payload.unit == "m"
    assert prediction.payload.values.mean(0) == pytest.approx(np.linspace(1, 9, 160), abs=0.1)
    signals = prediction.evidence.signals
    assert signals["code_residual"] == 0
    assert signals["cost_usd"] == pytest.approx(PAID)
    assert (signals["input_tokens"], signals["output_tokens"], signals["tries"]) == (1000, 1120, 1)
    (sent,) = server.asked
    assert sent["path"].endswith("/models/gemini-3-pro-image-preview:generateContent")
    assert sent["key"] == fake.KEY
    config = sent["body"]["generationConfig"]
    assert config["seed"] == 5
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "1K"}


def test_classes_by_the_colours_of_the_prompt_and_votes(server: fake.GeminiServer) -> None:
    server.replies = [fake.draws(halves)]
    prediction = ask(server, Query(Task.SEMANTIC, PHOTO, palette=(SKY, ROAD)), votes=3)
    payload = prediction.payload
    assert isinstance(payload, Segmentation)
    assert payload.labels == ("sky", "road")
    assert payload.masks[0, :44].all()
    assert payload.masks[1, 46:].all()
    assert prediction.evidence.signals["vote_agreement"] == 1
    prompts = {fake.prompt_of(each["body"]) for each in server.asked}
    assert len(prompts) == 3
    assert prediction.evidence.signals["tries"] == 3


def test_the_service_recovers_within_the_time(server: fake.GeminiServer) -> None:
    server.replies = [fake.fails(429, "slow down", {"Retry-After": "0.1"}), fake.draws(ramp)]
    assert ask(server, Query(Task.DEPTH, PHOTO)).evidence.signals["tries"] == 2


def test_no_retry_is_begun_that_the_time_does_not_hold(server: fake.GeminiServer) -> None:
    server.replies = [fake.fails(429, "slow down", {"Retry-After": "60"})]
    began = time.monotonic()
    with pytest.raises(OverloadedError, match="quota"):
        ask(server, Query(Task.DEPTH, PHOTO), retries=5)
    assert time.monotonic() - began < 5
    assert len(server.asked) == 1


SAFETY = fake.says(fake.answer(finish="IMAGE_SAFETY"))
BLOCKED = fake.says({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})
WORDS = fake.says(fake.answer({"text": "I see a road."}))
NOTHING = fake.says(fake.answer(finish="NO_IMAGE"))
CUT_SHORT = fake.says(fake.answer(finish="MAX_TOKENS"))
WHOLE = fake.png(ramp(np.zeros((576, 1024, 3), np.uint8), ""))
TRUNCATED = fake.says(fake.answer(fake.picture(WHOLE[: len(WHOLE) // 2])))
SQUARE = fake.says(fake.answer(fake.picture(fake.png(np.zeros((64, 64, 3), np.uint8)))))
HUGE = fake.says(fake.answer(fake.picture(fake.png(np.zeros((1440, 2560, 3), np.uint8)))))
FLOOD = fake.says(fake.answer({"text": "x" * 300_000}))
PAID = 1000 * 2 / 1e6 + 1120 * 120 / 1e6
"""US dollars of one answer of the server's, at the list's prices."""
OUTCOMES = {
    "declined": (SAFETY, RefusedError, "IMAGE_SAFETY", Reason.REFUSED, PAID),
    "blocked": (BLOCKED, RefusedError, "PROHIBITED_CONTENT", Reason.REFUSED, 0),
    "words": (WORDS, RefusedError, "I see a road", Reason.REFUSED, PAID),
    "nothing": (NOTHING, BackendError, "NO_IMAGE", Reason.BACKEND_ERROR, PAID),
    "cut short": (CUT_SHORT, BackendError, "MAX_TOKENS", Reason.BACKEND_ERROR, PAID),
    "truncated": (TRUNCATED, SchemaError, "cannot be read", Reason.INVALID_OUTPUT, PAID),
    "other aspect": (SQUARE, SchemaError, "64x64", Reason.INVALID_OUTPUT, PAID),
    "too many pixels": (HUGE, SchemaError, "cannot be read", Reason.INVALID_OUTPUT, PAID),
    "too many bytes": (FLOOD, SchemaError, "200,000 bytes", Reason.INVALID_OUTPUT, 0),
    "500": (fake.fails(500, "broken"), BackendError, "500", Reason.BACKEND_ERROR, 0),
    "429": (fake.fails(429, f"{fake.KEY} is over"), OverloadedError, "quota", Reason.OVERLOADED, 0),
    "404": (fake.fails(404, "no such model"), BackendError, "name another", Reason.BACKEND_ERROR, 0),
    "403": (
        fake.fails(403, f"key {fake.KEY} denied"), CredentialsError, "GEMINI_API_KEY", Reason.NOT_LOADED, 0
    ),
    "bad key": (
        fake.fails(400, "API key not valid"), CredentialsError, "GEMINI_API_KEY", Reason.NOT_LOADED, 0
    ),
    "slow": (fake.sleeps(3), BackendError, "time given", Reason.BACKEND_ERROR, 0),
    "trickles": (fake.trickles, BackendError, "time given", Reason.BACKEND_ERROR, 0),
    "no json": (fake.says("what"), BackendError, "gemini", Reason.BACKEND_ERROR, 0),
}  # fmt: skip
"""What the server does: the error that it is, its words, its reason in a decision, and what it cost."""


@pytest.mark.parametrize("kind", OUTCOMES)
def test_what_goes_wrong_is_typed_in_time_and_tells_no_key(
    server: fake.GeminiServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply, error, words, _, paid = OUTCOMES[kind]
    server.replies = [reply]
    caplog.set_level(logging.DEBUG)
    began = time.monotonic()
    with pytest.raises(error, match=words) as raised:
        ask(server, Query(Task.DEPTH, PHOTO), retries=0, timeout_ms=1000, max_bytes=200_000)
    assert time.monotonic() - began < 3
    said = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert fake.KEY not in said
    assert raised.value.spent["cost_usd"] == pytest.approx(paid)


@pytest.mark.parametrize("kind", OUTCOMES)
def test_what_goes_wrong_is_in_the_decision_with_its_cost_and_the_next_answers(
    server: fake.GeminiServer, kind: str
) -> None:
    reply, error, words, reason, paid = OUTCOMES[kind]
    server.replies = [reply]
    limit_ms = 500 if kind in {"slow", "trickles"} else 20_000
    gemini = Gemini(base_url=server.url, retries=0, timeout_ms=limit_ms, max_bytes=200_000)
    with Router([gemini, FakeBackend()], policy="generative-first") as router:
        result = router.run(PHOTO, "depth map")
    assert result.sources == ("fake",)
    attempt = result.decision.attempts[0]
    assert attempt.backend == "gemini"
    assert attempt.verdict.reason is reason
    assert attempt.error is not None
    assert attempt.error.startswith(f"{error.__name__}: ")
    assert words in attempt.error
    assert attempt.signals == {}
    assert attempt.spent["cost_usd"] == pytest.approx(paid)
    assert attempt.spent["tries"] == 1
    assert Result.from_json(result.to_json()).decision.attempts[0].spent == attempt.spent
    assert fake.KEY not in result.to_json() + repr(result.decision)


def test_what_was_paid_before_a_refusal_is_counted_too(server: fake.GeminiServer) -> None:
    server.replies = [fake.draws(halves), fake.fails(503, "busy"), fake.draws(halves), SAFETY]
    with pytest.raises(RefusedError) as raised:
        ask(server, Query(Task.SEMANTIC, PHOTO, palette=(SKY, ROAD)), votes=3)
    assert raised.value.spent["cost_usd"] == pytest.approx(3 * PAID)
    assert raised.value.spent["tries"] == 4


def test_retries_are_counted(server: fake.GeminiServer) -> None:
    server.replies = [fake.fails(503, "busy")]
    with pytest.raises(BackendError, match="503"):
        ask(server, Query(Task.DEPTH, PHOTO), retries=1)
    assert len(server.asked) == 2


def test_a_refusal_and_its_cost_come_out_of_a_process_of_its_own(server: fake.GeminiServer) -> None:
    server.replies = [SAFETY]
    recipe = Recipe("gemini", params={"base_url": server.url})
    with (
        IsolatedBackend(recipe, IsolationLimits()) as backend,
        pytest.raises(RefusedError, match="IMAGE_SAFETY") as raised,
    ):
        backend.predict([Query(Task.DEPTH, PHOTO)])
    assert raised.value.spent["cost_usd"] == pytest.approx(PAID)


def test_a_refusal_that_nobody_makes_up_for_fails_the_request(server: fake.GeminiServer) -> None:
    server.replies = [SAFETY]
    with Router([Gemini(base_url=server.url)], policy="generative-first") as router:
        result = router.run(PHOTO, "depth map")
    assert result.outcome is Outcome.FAILED
    (attempt,) = result.decision.attempts
    assert attempt.verdict.reason is Reason.REFUSED
    assert attempt.licence == "proprietary"


WORDS_OF = {
    Task.DEPTH: "depth map",
    Task.NORMALS: "surface normals",
    Task.SEMANTIC: "segment sky in blue, road gray",
    Task.REFERRING: "segment the leftmost car",
    Task.INSTANCE: "segment each car",
}


@pytest.mark.parametrize("task", WORDS_OF)
def test_every_task_through_the_router(server: fake.GeminiServer, task: Task) -> None:
    """What is drawn here is the picture itself; it is answered, and found to be on no code."""
    server.replies = [fake.draws(lambda canvas, prompt: canvas)]
    with Router([Gemini(base_url=server.url)]) as router:
        result = router.run(PHOTO, WORDS_OF[task])
    assert result.decision.task is task
    (attempt,) = result.decision.attempts
    assert attempt.error is None
    assert attempt.signals["cost_usd"] > 0
    assert attempt.signals["on_code_share"] < 0.9


def test_a_key_is_taken_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    backend = Gemini()
    assert "GEMINI_API_KEY" in str(backend.unavailable())
    with pytest.raises(CredentialsError, match="GEMINI_API_KEY"):
        backend.load()
    monkeypatch.setenv("GOOGLE_API_KEY", fake.KEY)
    assert backend.unavailable() is None
    backend.load()
    assert fake.KEY not in repr(vars(backend)) + repr(vars(backend._client))
    backend.close()


def test_a_key_is_not_sent_in_the_clear() -> None:
    for address in ("http://example.com", "ftp://127.0.0.1", "https://me:secret@example.com", "nonsense"):
        with pytest.raises(ProfileError, match="base_url") as raised:
            Gemini(base_url=address)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (640, 480), (3000, 400), (500, 501)])
def test_any_picture_fits_the_nearest_aspect(size: tuple[int, int]) -> None:
    aspect, frame = fit(*size, 1024)
    assert aspect in ASPECTS
    assert max(frame.canvas_width, frame.canvas_height) == 1024
    placed = frame.place(np.zeros((size[1], size[0], 3), np.uint8))
    assert placed.shape == (frame.canvas_height, frame.canvas_width, 3)
