"""The same trip through another router: a backend picked, a mock answer given, nothing sent anywhere."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True, slots=True)
class Peer:
    """One request, from a plain thread and from asyncio."""

    name: str
    ask: Callable[[], object]
    aask: Callable[[], Awaitable[object]]


def litellm_router() -> Peer | None:
    """Completions through LiteLLM's router with mock answers; None where litellm is not installed."""
    if find_spec("litellm") is None:
        return None
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch one otherwise
    litellm: Any = importlib.import_module("litellm")
    litellm.telemetry = False
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    deployment = {
        "model_name": "detector",
        "litellm_params": {"model": "openai/fake", "api_key": "none", "mock_response": "a dog at 1 2 30 40"},
    }
    router = litellm.Router(model_list=[deployment], num_retries=0)
    messages = [{"role": "user", "content": "find the dog"}]
    return Peer(
        f"litellm {version('litellm')} Router, mocked",
        lambda: router.completion(model="detector", messages=messages),
        lambda: router.acompletion(model="detector", messages=messages),
    )
