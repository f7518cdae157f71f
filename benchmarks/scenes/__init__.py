"""The proving ground: rendered scenes with exact ground truth, made by ray casting in torch.

    from visionrouter.benchmarks.scenes import damage, render, sample

    scenes = sample("mixed", range(64)).to("cuda")     # parameters; a scene depends on (world, seed, ood) alone
    views = render(scenes, 256, 256)                   # Views: rgb, depth_m, normals, instance, semantic, objects
    foggy = damage(views.rgb, views.depth_m, "fog", severity=3, seed=1)

Worlds are named in WORLDS ("mixed" draws one for each seed), classes in CLASSES (STUFF, then THINGS), colours in
COLOUR_NAMES, joints in KEYPOINTS. With `ood=True` scenes hold classes (HELD_OUT), textures and scales that
ordinary ones never show. Shapes, units and frames are documented at the fields of `Views` and `Objects`.
"""

from visionrouter.benchmarks.scenes.damage import DAMAGES, SEVERITIES, damage
from visionrouter.benchmarks.scenes.export import contact_sheet, render_to_folder, write
from visionrouter.benchmarks.scenes.render import render
from visionrouter.benchmarks.scenes.scene import Camera, Objects, Scenes, Views, concatenate
from visionrouter.benchmarks.scenes.sequences import Clip, optical_flow, render_clip
from visionrouter.benchmarks.scenes.tilted import tilted
from visionrouter.benchmarks.scenes.truth import digest
from visionrouter.benchmarks.scenes.vocabulary import (
    CLASS_ID,
    CLASSES,
    COCO_THINGS,
    COLOUR_NAMES,
    COLOURS,
    HELD_OUT,
    KEYPOINTS,
    MAX_OBJECTS,
    SKELETON,
    STUFF,
    THINGS,
    WORLDS,
)
from visionrouter.benchmarks.scenes.worlds import sample

__all__ = [
    "CLASSES",
    "CLASS_ID",
    "COCO_THINGS",
    "COLOURS",
    "COLOUR_NAMES",
    "DAMAGES",
    "HELD_OUT",
    "KEYPOINTS",
    "MAX_OBJECTS",
    "SEVERITIES",
    "SKELETON",
    "STUFF",
    "THINGS",
    "WORLDS",
    "Camera",
    "Clip",
    "Objects",
    "Scenes",
    "Views",
    "concatenate",
    "contact_sheet",
    "damage",
    "digest",
    "optical_flow",
    "render",
    "render_clip",
    "render_to_folder",
    "sample",
    "tilted",
    "write",
]
