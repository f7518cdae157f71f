"""The same trip through another router: a backend picked, a mock answer given, nothing sent anywhere."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any


def litellm_router() -> Callable[[], object] | None:
    """One completion through LiteLLM's router with mock answers; None where litellm is not installed."""
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
    return lambda: router.completion(model="detector", messages=messages)
