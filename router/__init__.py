"""Route vision requests between a generative backbone and specialists, by confidence and by policy.

What is here is imported when it is first asked for: reading one part, or the command line's help, does not cost the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionrouter.policies import CompiledPolicy, load_policy
    from visionrouter.router import Router
    from visionrouter.schema.decision import Decision, Outcome, Reason
    from visionrouter.schema.errors import VisionRouterError
    from visionrouter.schema.image import Image, ImageLimits
    from visionrouter.schema.request import Request
    from visionrouter.schema.result import Result
    from visionrouter.schema.task import Instruction, Operation, Task

_HOMES = {
    "CompiledPolicy": "policies",
    "Decision": "schema.decision",
    "Image": "schema.image",
    "ImageLimits": "schema.image",
    "Instruction": "schema.task",
    "Operation": "schema.task",
    "Outcome": "schema.decision",
    "Reason": "schema.decision",
    "Request": "schema.request",
    "Result": "schema.result",
    "Router": "router",
    "Task": "schema.task",
    "VisionRouterError": "schema.errors",
    "load_policy": "policies",
}

__all__ = [
    "CompiledPolicy",
    "Decision",
    "Image",
    "ImageLimits",
    "Instruction",
    "Operation",
    "Outcome",
    "Reason",
    "Request",
    "Result",
    "Router",
    "Task",
    "VisionRouterError",
    "load_policy",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
    return found


def __dir__() -> list[str]:
    return list(__all__)
