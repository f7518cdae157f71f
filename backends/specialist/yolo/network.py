"""YOLO networks: built from a yaml and filled from safetensors, or unpickled by consent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from visionrouter.backends.libraries import require
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.errors import WeightsError

EXTRA = "ultralytics"
ARCHITECTURE = "model.yaml"
_CLASSES = {
    "detect": "DetectionModel",
    "segment": "SegmentationModel",
    "pose": "PoseModel",
    "obb": "OBBModel",
    "classify": "ClassificationModel",
}
HEADS = tuple(_CLASSES)
"""What a network's last layer gives."""
_WORDED = {"World": "yolo_world", "YOLOE": "yoloe"}


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network ready to answer: what its head gives, its classes in order, its device and precision."""

    model: Any
    head: str
    names: tuple[str, ...]
    device: Any
    dtype: Any

    @property
    def stride(self) -> int:
        return max(32, int(max(self.model.stride)))

    @property
    def joints(self) -> tuple[int, int]:
        """Joints a person has, and numbers a joint (x, y, and perhaps how visible it is)."""
        count, numbers = self.model.yaml["kpt_shape"]
        return int(count), int(numbers)


@contextmanager
def tasks(backend: str) -> Iterator[ModuleType]:
    """The library's networks. Importing it probes the network, sets variables and stops OpenCV's threads: here it is
    kept offline, installs nothing, and what it changed is put back."""
    cv2 = require("cv2", backend, EXTRA)
    threads, before = cv2.getNumThreads(), dict(os.environ)
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")
    try:
        yield require("ultralytics.nn.tasks", backend, EXTRA)
    finally:
        cv2.setNumThreads(threads)
        for key in set(os.environ) - set(before):
            del os.environ[key]
        os.environ.update(before)


def read_architecture(folder: Path) -> dict[str, Any]:
    """The `model.yaml` of a folder: the library's own with `names`, and `scale` where it knows several. Raises
    `WeightsError`."""
    import yaml

    path = folder / ARCHITECTURE
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder}: holds no {ARCHITECTURE}; make one of a .pt that you trust: python -m "
            f"visionrouter.backends.specialist.yolo.convert FILE.pt {folder}"
        ) from error
    except (OSError, yaml.YAMLError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); make it anew") from error
    if not isinstance(found, dict) or "head" not in found or not found.get("names"):
        raise WeightsError(f"{path}: is no YOLO architecture with names; make it anew")
    return found


def names_of(names: Any) -> tuple[str, ...]:
    """Class names in order, from a list or a mapping of numbers."""
    if isinstance(names, Mapping):
        return tuple(str(names[key]) for key in sorted(names, key=int))
    return tuple(str(name) for name in names)


def head_of(architecture: Mapping[str, Any]) -> str:
    """What an architecture's last layer gives. Raises `WeightsError` for a head that no task here asks for."""
    last = str(architecture["head"][-1][-2]).lower()
    for part, head in (
        ("segment", "segment"),
        ("pose", "pose"),
        ("obb", "obb"),
        ("classify", "classify"),
        ("detect", "detect"),
    ):
        if part in last and "semantic" not in last:
            return head
    raise WeightsError(f"the head {last} gives nothing that is asked for here; heads: {', '.join(HEADS)}")


def backend_of(architecture: Mapping[str, Any]) -> str:
    """The backend that runs an architecture: a network that takes words cannot answer without them."""
    last = str(architecture["head"][-1][-2])
    return next((backend for part, backend in _WORDED.items() if part in last), "yolo")


def from_safetensors(folder: Path, weights: Path, backend: str, device: Any, dtype: Any) -> Network:
    """A network of a folder's architecture and weights. Raises `WeightsError` where they do not fit."""
    architecture = read_architecture(folder)
    files = require("safetensors.torch", backend, EXTRA)
    torch = require("torch", backend, EXTRA)
    head, names = head_of(architecture), names_of(architecture["names"])
    kind, count = _CLASSES[head], len(names)
    match backend_of(architecture):
        case "yolo_world":
            kind, count = "WorldModel", architecture.get("nc", count)
        case "yoloe":
            kind = "YOLOESegModel" if head == "segment" else "YOLOEModel"
            count = architecture.get("nc", count)
    with tasks(backend) as library:
        with tell_broken(f"{weights}: not the weights of {folder / ARCHITECTURE}", "make both anew"):
            with torch.random.fork_rng(devices=[]):
                model = getattr(library, kind)(
                    {**architecture, "nc": count},
                    ch=architecture.get("channels", 3),
                    nc=count,
                    verbose=False,
                )
            model.load_state_dict(files.load_file(weights))
        return _ready(model, head, names, device, dtype)


def from_pickle(path: Path, backend: str, device: Any, dtype: Any) -> Network:
    """A network of a `.pt`, by the library's restricted reader, which makes its own classes and no others."""
    with tasks(backend) as library:
        with tell_broken(f"{path}: no YOLO checkpoint", "fetch it anew"):
            checkpoint, _ = library.torch_safe_load(str(path), safe_only=True)
            model = (checkpoint.get("ema") or checkpoint["model"]).float()
            head = head_of(model.yaml)
        return _ready(model, head, names_of(model.names), device, dtype)


def _ready(model: Any, head: str, names: tuple[str, ...], device: Any, dtype: Any) -> Network:
    model.eval()
    if hasattr(model, "fuse"):
        model = model.fuse(verbose=False)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return Network(model.to(device, dtype), head, names, device, dtype)
