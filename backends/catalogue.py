"""All registered backends as one table of the docs.

python -m visionrouter.backends.catalogue > docs/backends.md
"""

from __future__ import annotations

import inspect
import sys

from visionrouter.backends.base import Backend, BackendSpec
from visionrouter.backends.licences import TABLE
from visionrouter.backends.registry import create, names
from visionrouter.schema.errors import WeightsError

TESTED_WITH = {
    "cv2": "opencv 5.0",
    "depth_anything_3": "depth-anything-3 0.1.1",
    "diffusers": "diffusers 0.42",
    "google.genai": "google-genai",
    "onnxruntime": "onnxruntime",
    "open_clip": "open-clip 3.3",
    "segment_anything": "segment-anything 1.0",
    "segmentation_models_pytorch": "segmentation-models-pytorch 0.6",
    "timm": "timm 1.0.31",
    "torch": "torch 2.14",
    "transformers": "transformers 5.24",
    "ultralytics": "ultralytics 8.4",
}
"""Releases that the tests last ran with, by the module that a backend requires."""
_HOSTED = {"gemini"}
_MADE_OF = {
    "cutout": {"detector": "nanodet", "segmenter": "grabcut"},
    "pieces": {"segmenter": "scene_unet"},
    "sharpened": {"referrer": "cutout", "segmenter": "grabcut"},
}
_NOTES = (
    "- `marigold` takes Marigold's depth, normals (`draws: normals`) and intrinsics (`draws: intrinsics`), their LCM variants",
    "  and E2E-FT. Intrinsics are those that the weights' `target_properties` name, made linear where these say `srgb`:",
    "  albedo, roughness and metallicity of `marigold-iid-appearance`, albedo, shading and residual of `marigold-iid-lighting`.",
    "  The appearance weights' training code encodes roughness and metallicity by a power of 1/2.2, of which its",
    "  `target_properties` say nothing: try them on a known material before relying on their numbers.",
    "  Lotus is refused, with the reason: diffusers does not have its pipeline, and code from a repository is not run; E2E-FT",
    "  draws in one step too.",
    "- `yolo` with a head of oriented boxes gives the tight upright box of each thing, and the note `angle:I:DEG`: thing I",
    "  is turned clockwise by so many degrees.",
    "- `timm_hub` takes any model that was saved in timm's layout. Its `embed(images)` gives a vector of unit length for each",
    "  image, also of a checkpoint without classes. No task asks for vectors: they are neither right nor wrong, so nothing",
    "  could vouch for them. They are evidence: with `usual:` (measured on your own pictures by `python -m",
    "  visionrouter.backends.specialist.usual`) each answer has the signal `familiarity`, above 1 for a picture unlike yours,",
    "  and a limit on it refuses the answer as `out_of_domain`.",
    "- `gemini`: what an answer cost is among its signals (`cost_usd`, `input_tokens`, `output_tokens`, `tries`), what a",
    "  refusal or another failure cost is in the attempt's `spent`.",
    "- A library, weights, memory, a token or a precision that is missing ends in a typed error that names it and the mend:",
    "  `visionrouter backends` tells it before anything is loaded, the decision's attempt afterwards.",
)
_GIVEN = {
    "instruct_editor": {"source": "timbrooks/instruct-pix2pix"},
    "marigold": {"source": "prs-eth/marigold-depth-v1-1"},
    "unet": {"source": "your/checkpoint"},
}


def rows() -> list[tuple[str, ...]]:
    """One row a backend: name, kind, tasks, usual weights, licence, input, where it runs, unit, batch, tested with."""
    return [_row(name) for name in names()]


def document() -> str:
    """The page."""
    head = (
        "backend", "kind", "tasks", "usual weights", "licence", "input", "runs on", "depth unit", "batch", "tested with",
    )  # fmt: skip
    lines = [
        "# Backends",
        "",
        "Generated from the registry by `python -m visionrouter.backends.catalogue > docs/backends.md`.",
        "",
        "`use:` in a profile takes the name. What stands here holds for a backend's usual weights; others, named by",
        "`source:` (a hub id or a path), can change tasks, input and unit, and bring their own licence. Normals are always",
        "+x right, +y up, +z towards the viewer. Nothing is downloaded unless `visionrouter fetch` is asked to.",
        "",
        "`yoloe` takes the text encoder that its network was trained with: YOLOE-11's is the usual one, YOLOE-26 needs",
        "`text_source: timm/MobileCLIP2-B-OpenCLIP`. The same encoders as TorchScript (`mobileclip_blt.ts`,",
        "`mobileclip2_b.ts`) are programs that run as they are read, and are refused.",
        "",
        *_table(head, rows()),
        "",
        *_NOTES,
        "",
        "## Licences of weights",
        "",
        "The weights' own licence decides. For ids that no pattern fits, and for paths, it is `unknown` unless a profile",
        "states it with `licence:`; a policy may refuse `unknown`. The first pattern that fits counts.",
        "",
        *_table(("hub id", "licence", "stated in"), [(f"`{k.pattern}`", k.licence, k.note) for k in TABLE]),
    ]
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *body)]


def _row(name: str) -> tuple[str, ...]:
    try:
        backend = _made(name)
    except WeightsError:
        return (f"`{name}`", "", "", "yours: trained on the proving ground by its own command", *("",) * 6)
    spec = backend.spec
    return (
        f"`{name}`",
        spec.kind,
        "<br>".join(sorted(spec.tasks)) + (" (box or point needed)" if spec.needs_prompts else ""),
        "<br>".join(f"`{weights.source}`" for weights in backend.sources()) or _embedded(spec),
        spec.licence,
        "the checkpoint's" if backend.sources() else _size(spec),
        "hosted"
        if name in _HOSTED
        else "CPU, CUDA, MPS"
        if "device" in inspect.signature(type(backend)).parameters
        else "CPU",
        spec.depth_unit or "",
        str(spec.batch_limit),
        ", ".join(TESTED_WITH[module] for module in spec.requires if module in TESTED_WITH),
    )


def _embedded(spec: BackendSpec) -> str:
    return f"in the package, {spec.weights_bytes / 1e6:.1f} MB" if spec.weights_bytes else "none"


def _size(spec: BackendSpec) -> str:
    return f"{spec.input_size[0]}x{spec.input_size[1]}" if spec.input_size else "any"


def _made(name: str) -> Backend:
    """A backend at its defaults."""
    parts = {role: _made(use) for role, use in _MADE_OF.get(name, {}).items()}
    return create(name, params=_GIVEN.get(name), parts=parts)


if __name__ == "__main__":
    sys.stdout.write(document())
