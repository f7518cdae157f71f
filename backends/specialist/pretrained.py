"""Models that transformers loads from a folder in the hub's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from visionrouter.backends.libraries import require
from visionrouter.backends.specialist.checkpoint import read_config
from visionrouter.backends.weights import tell_broken
from visionrouter.schema.arrays import U8
from visionrouter.schema.errors import BackendError, WeightsError

EXTRA = "transformers"
REQUIRES = ("transformers", "torch", "torchvision")


@dataclass(frozen=True, slots=True, eq=False)
class Pretrained:
    """A model ready to answer on `device` in `dtype`, and the processor that was saved with it."""

    model: Any
    processor: Any
    device: Any
    dtype: Any

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        device: Any,
        dtype: Any,
        *,
        model: str,
        processor: str = "AutoImageProcessor",
    ) -> Self:
        """Read a folder with the transformers classes of these names. No code of the folder runs, no pickle is read.

        Raises `WeightsError` where files are missing or damaged, or leave a weight of the model unset.
        """
        transformers = require("transformers", name, EXTRA)
        network = load_model(getattr(transformers, model), folder, name, dtype)
        with tell_broken(f"{name}: {folder} lacks what {processor} needs", "fetch it anew"):
            sees = getattr(transformers, processor).from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        return cls(network.to(device), sees, device, dtype)

    def see(self, pixels: U8, **more: Any) -> Any:
        """The processor's tensors for one image, uint8 (H, W, 3), on the model's device and in its precision."""
        seen = self.processor(
            images=[pixels.copy()],
            input_data_format="channels_last",
            return_tensors="pt",
            device=self.device,
            **more,
        )
        return seen.to(self.device, self.dtype)

    def run(self, seen: Sequence[Any], **more: Any) -> Any:
        """The model's output for images whose tensors have one shape."""
        import torch

        batch = {key: torch.cat([one[key] for one in seen]) for key in seen[0]}
        return self.model(**batch, **more)


def load_model(model_class: Any, folder: Path, name: str, dtype: Any) -> Any:
    """A model of a transformers class with a folder's weights, in `dtype` (None: that they were saved in).

    Raises `WeightsError` where they are missing or damaged, or leave a weight of the model unset.
    """
    logging = require("transformers", name, EXTRA).utils.logging
    broken = tell_broken(f"{name}: {folder} does not load as {model_class.__name__}", "fetch it anew")
    with broken, _no_progress_bar(logging):
        network, report = model_class.from_pretrained(
            folder,
            dtype=dtype or "auto",
            use_safetensors=True,
            output_loading_info=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    if unset := sorted(report["missing_keys"]):
        raise WeightsError(
            f"{name}: {folder} lacks {len(unset)} weights of {model_class.__name__}, {unset[0]} among them; it is "
            "another model's checkpoint or was cut short, fetch the right one"
        )
    return network.eval()


def check_family(folder: Path, name: str, families: Sequence[str]) -> dict[str, Any]:
    """The folder's configuration. Raises `WeightsError` where its model is of none of these `families`."""
    config = read_config(folder)
    found = config.get("model_type")
    if found not in families:
        raise WeightsError(
            f"{name}: {folder} holds {f'a {found} model' if found else 'no transformers model'}; it loads "
            f"{', '.join(families)}: name another source or another backend"
        )
    return config


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes of a configuration, in the order of their indices, in lower case and with spaces."""
    names = config.get("id2label") or {}
    return tuple(str(names[i]).replace("_", " ").lower() for i in sorted(names, key=int))


def fixed_size(folder: Path) -> tuple[int, int] | None:
    """(width, height) that the processor of a folder makes of every image; None where it keeps the aspect."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return None
    config = read_config(folder, path.name)
    size = config.get("size")
    if config.get("keep_aspect_ratio") or not isinstance(size, dict) or {"width", "height"} - set(size):
        return None
    return int(size["width"]), int(size["height"])


def finite(values: Any, name: str) -> Any:
    """`values`, a tensor. Raises `BackendError` where any is NaN or infinite, as half precision can make them."""
    if not values.isfinite().all():
        raise BackendError(f"{name} gave values that are not finite; run it with precision: float32")
    return values


@contextmanager
def _no_progress_bar(logging: ModuleType) -> Iterator[None]:
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
