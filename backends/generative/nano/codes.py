"""The codes in which the nano backbone is tuned to draw."""

from __future__ import annotations

from visionrouter.backends.generative.codecs.depth import DepthCode
from visionrouter.backends.generative.codecs.instances import InstanceCode
from visionrouter.backends.generative.codecs.keypoints import KeypointCode
from visionrouter.backends.generative.codecs.normals import NormalCode

DEPTH = DepthCode()
NORMALS = NormalCode()
INSTANCES = InstanceCode()

JOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO-17 order; left and right are the person's own."""
EDGES = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
    (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
JOINT_COLOURS = (
    (255, 255, 255), (255, 0, 255), (0, 255, 0), (128, 0, 255), (128, 255, 0), (255, 0, 0), (0, 255, 255),
    (255, 255, 0), (0, 0, 255), (255, 128, 255), (128, 255, 128), (255, 128, 0), (0, 128, 255), (255, 0, 128),
    (0, 255, 128), (255, 128, 128), (128, 255, 255),
)  # fmt: skip
"""One a joint, half the cube's side or more apart. Each has a full channel: a disc drawn too dim keeps its hue and is
not taken for another joint."""
POSE = KeypointCode(JOINTS, JOINT_COLOURS, EDGES)
