"""Route vision requests between a generative backbone and specialists, by confidence and by policy."""

from visionrouter.policies import CompiledPolicy, load_policy
from visionrouter.router import Router
from visionrouter.schema.decision import Decision, Outcome, Reason
from visionrouter.schema.errors import VisionRouterError
from visionrouter.schema.image import Image, ImageLimits
from visionrouter.schema.request import Request
from visionrouter.schema.result import Result
from visionrouter.schema.task import Instruction, Operation, Task

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
