"""Backends by name: the ones built in, and those third parties add through the `visionrouter.backends` entry points."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Self

from visionrouter.backends.base import Backend
from visionrouter.schema.errors import ProfileError

GROUP = "visionrouter.backends"

_BUILT_IN = {
    "cutout": "visionrouter.backends.specialist.cutout:Cutout",
    "d_fine": "visionrouter.backends.specialist.detr:DFine",
    "depth_anything": "visionrouter.backends.specialist.depth_estimation:DepthAnything",
    "depth_anything3": "visionrouter.backends.specialist.depth_anything3:DepthAnything3",
    "depth_pro": "visionrouter.backends.specialist.depth_estimation:DepthPro",
    "fake": "visionrouter.backends.fake:FakeBackend",
    "faulty": "visionrouter.backends.faulty:FaultyBackend",
    "gemini": "visionrouter.backends.generative.gemini.backend:Gemini",
    "grabcut": "visionrouter.backends.specialist.grabcut:GrabCut",
    "grounding_dino": "visionrouter.backends.specialist.open_vocabulary:GroundingDino",
    "instruct_editor": "visionrouter.backends.generative.editors.backend:InstructEditor",
    "marigold": "visionrouter.backends.generative.marigold.backend:Marigold",
    "movenet": "visionrouter.backends.specialist.movenet:MoveNet",
    "nano": "visionrouter.backends.generative.nano.backend:NanoBackend",
    "nanodet": "visionrouter.backends.specialist.nanodet:NanoDet",
    "owlv2": "visionrouter.backends.specialist.open_vocabulary:Owlv2",
    "pieces": "visionrouter.backends.specialist.pieces:Pieces",
    "rt_detr": "visionrouter.backends.specialist.detr:RTDetr",
    "sam": "visionrouter.backends.specialist.sam.segment_anything:Sam",
    "sam2": "visionrouter.backends.specialist.sam.visual:Sam2",
    "sam3": "visionrouter.backends.specialist.sam.concepts:Sam3",
    "sam3_tracker": "visionrouter.backends.specialist.sam.visual:Sam3Tracker",
    "sam_tiny": "visionrouter.backends.specialist.sam_tiny.backend:SamTiny",
    "scene_unet": "visionrouter.backends.specialist.unet.backend:SceneUNet",
    "scene_yolo": "visionrouter.backends.specialist.scene_yolo.backend:SceneYolo",
    "sharpened": "visionrouter.backends.specialist.sharpened:Sharpened",
    "timm": "visionrouter.backends.specialist.classifier:TimmClassifier",
    "timm_hub": "visionrouter.backends.specialist.timm_model:TimmHub",
    "unet": "visionrouter.backends.specialist.segmentation_model:UNet",
    "vitpose": "visionrouter.backends.specialist.vitpose:VitPose",
    "yolo": "visionrouter.backends.specialist.yolo.backend:Yolo",
    "yolo_world": "visionrouter.backends.specialist.yolo.world:YoloWorld",
    "yoloe": "visionrouter.backends.specialist.yolo.yoloe:YoloE",
    "zoedepth": "visionrouter.backends.specialist.depth_estimation:ZoeDepth",
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a backend, as plain data: what `create` takes, its `parts` being recipes too."""

    use: str
    name: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Recipe] = field(default_factory=dict)

    def make(self) -> Backend:
        """The backend, with parts of its own: a backend is called by one thread at a time."""
        parts = {role: part.make() for role, part in self.parts.items()}
        return create(self.use, name=self.name, params=self.params, parts=parts)

    def plain(self) -> dict[str, Any]:
        """As JSON writes it; `from_plain` reads it back."""
        parts = {role: part.plain() for role, part in self.parts.items()}
        return {"use": self.use, "name": self.name, "params": dict(self.params), "parts": parts}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        parts = {role: cls.from_plain(part) for role, part in plain["parts"].items()}
        return cls(plain["use"], plain["name"], plain["params"], parts)


def names() -> tuple[str, ...]:
    """Every name `create` takes, sorted."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def create(
    use: str,
    *,
    name: str | None = None,
    params: Mapping[str, Any] | None = None,
    parts: Mapping[str, Backend] | None = None,
) -> Backend:
    """Make a backend, without reading weights.

    `use` is a registered name, `name` what the instance is called (default: its own), `params` plain values and
    `parts` other backends for its constructor. Raises `ProfileError` naming the nearest name or the parameters taken.
    """
    backend_class = _find(use)
    arguments = {**(params or {}), **(parts or {})}
    taken = inspect.signature(backend_class).parameters
    unknown = sorted(set(arguments) - set(taken))
    if unknown:
        raise ProfileError(
            f"backend {use!r} takes no {', '.join(unknown)}; it takes {', '.join(taken) or 'nothing'}"
        )
    missing = [p.name for p in taken.values() if p.default is p.empty and p.name not in arguments]
    if missing:
        raise ProfileError(f"backend {use!r} needs {', '.join(missing)}; give it under `params` or `parts`")
    backend = backend_class(**arguments)
    if name is not None:
        backend.spec = replace(backend.spec, name=name)
    return backend


def _find(use: str) -> type[Backend]:
    if use in _BUILT_IN:
        module, _, attribute = _BUILT_IN[use].partition(":")
        found = getattr(import_module(module), attribute)
    else:
        point = next(iter(entry_points(group=GROUP, name=use)), None)
        if point is None:
            near = get_close_matches(use, names(), 1, 0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ProfileError(f"no backend is called {use!r}{hint} (known: {', '.join(names())})")
        found = point.load()
    if not (inspect.isclass(found) and issubclass(found, Backend)):
        raise ProfileError(f"entry point {use!r} is not a Backend subclass")
    return found
