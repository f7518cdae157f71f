"""Names: worlds, classes, colours, keypoints. Indices into these tuples are what the tensors hold."""

from __future__ import annotations

WORLDS = ("street", "room", "table", "landscape")

STUFF = (
    "sky", "grass", "road", "pavement", "floor", "wall", "ceiling", "water", "sand", "dirt", "snow",
    "mountain", "tabletop",
)  # fmt: skip

COCO_THINGS = (
    "person", "bicycle", "car", "motorcycle", "bus", "truck", "boat", "traffic light", "fire hydrant",
    "stop sign", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "suitcase", "sports ball", "bottle",
    "wine glass", "cup", "bowl", "banana", "apple", "orange", "chair", "couch", "potted plant", "bed",
    "dining table", "tv", "laptop", "keyboard", "refrigerator", "book", "clock", "vase", "teddy bear",
)  # fmt: skip
"""Thing classes named as in COCO, so that they agree with specialists trained on real photos."""

OWN_THINGS = ("tree", "bush", "building", "cone", "crate", "fence", "rock", "lamp", "street light", "cabinet")
HELD_OUT = ("elephant", "giraffe", "airplane", "umbrella", "barrel", "windmill", "snowman", "toy rocket")
"""Thing classes that appear only where `ood=True`."""

THINGS = COCO_THINGS + OWN_THINGS + HELD_OUT
CLASSES = STUFF + THINGS
CLASS_ID = {name: i for i, name in enumerate(CLASSES)}

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.78, 0.08, 0.08),
    "green": (0.10, 0.55, 0.16),
    "blue": (0.10, 0.24, 0.78),
    "yellow": (0.93, 0.82, 0.12),
    "orange": (0.93, 0.47, 0.07),
    "purple": (0.47, 0.15, 0.62),
    "pink": (0.94, 0.52, 0.70),
    "brown": (0.40, 0.24, 0.12),
    "white": (0.93, 0.93, 0.93),
    "black": (0.06, 0.06, 0.06),
    "gray": (0.50, 0.50, 0.50),
}
"""The eleven basic colour terms as sRGB in [0, 1]. An object's colour is one of these with jitter."""
COLOUR_NAMES = tuple(COLOURS)

KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
)  # fmt: skip
"""COCO-17 order; left and right are the person's own."""
SKELETON = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
    (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
"""Limbs as pairs of zero-based keypoint indices."""

MAX_OBJECTS = 40
"""Object slots of a scene (K). Unused slots have class -1."""
