"""Camera poses that no scene is drawn with: rolled far over, looking up or down."""

from __future__ import annotations

import math
from dataclasses import replace

from visionrouter.benchmarks.scenes.camera import matmul, rotation_x, rotation_z
from visionrouter.benchmarks.scenes.draw import Draw
from visionrouter.benchmarks.scenes.scene import Scenes

ROLL_DEG, PITCH_DEG = (25.0, 65.0), (8.0, 22.0)
_KEY = 0x711ED
"""Of the stream of random numbers, beside the scene's own."""


def tilted(scenes: Scenes) -> Scenes:
    """The same scenes from the same places, the camera rolled by 25 to 65 degrees to either side and pitched by another 8 to
    22 up or down, by the scene's seed. (Scenes are drawn with a roll of mostly below 6 degrees.)"""
    draw = Draw(scenes.seed).fork(_KEY)
    roll, pitch = (
        draw.sign(1)[:, 0] * draw.uniform(math.radians(low), math.radians(high), 1)[:, 0]
        for low, high in (ROLL_DEG, PITCH_DEG)
    )
    rotation = matmul(scenes.camera.rotation, matmul(rotation_x(pitch), rotation_z(roll)))
    return replace(scenes, camera=replace(scenes.camera, rotation=rotation))
