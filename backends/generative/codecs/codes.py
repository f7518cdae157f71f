"""The codes that one model draws its answers in."""

from __future__ import annotations

from dataclasses import dataclass, field

from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.grayscale import GrayDepthCode
from visionrouter.backends.generative.codecs.instances import InstanceCode
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.codecs.normals import NormalCode


@dataclass(frozen=True, slots=True)
class Codes:
    """One code a task; palettes are in the prompt. `pose`: None where the model draws no joints."""

    depth: DepthCode | GrayDepthCode = field(default_factory=DepthCode)
    normals: NormalCode = field(default_factory=NormalCode)
    instances: InstanceCode = field(default_factory=InstanceCode)
    pose: KeypointCode | None = None
