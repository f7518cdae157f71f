"""Weights trained by this package's own commands: a safetensors file and, beside it, the card that says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.backends.specialist.embedded import FOLDER, WeightFile, WeightSet
from visionrouter.backends.specialist.familiarity import PREFIX, Familiarity
from visionrouter.schema.errors import WeightsError

USUAL_SIDE = 256
"""Side in pixels of the pictures where a card does not say."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A card read: the weights it vouches for, the side in pixels of the pictures they were trained on, and the
    network's classes in order (none for one without words)."""

    weights: WeightSet
    side: int
    classes: tuple[str, ...]

    @classmethod
    def read(cls, name: str, folder: str | Path | None = None) -> Trained:
        """The card NAME.json of `folder` (default: the package's). Raises `WeightsError`."""
        place = FOLDER if folder is None else Path(folder)
        path = place / f"{name}.json"
        try:
            card = json.loads(path.read_text())
            file = WeightFile(f"{name}.safetensors", card["sha256"], card["bytes"])
            return cls(
                WeightSet((file,), place), card.get("side", USUAL_SIDE), tuple(card.get("classes", ()))
            )
        except FileNotFoundError as error:
            raise WeightsError(
                f"{path}: no such card; reinstall the package or give the right folder"
            ) from error
        except (ValueError, KeyError) as error:
            raise WeightsError(
                f"{path}: not a card of trained weights ({error!r}); write it anew by training"
            ) from error

    def fill(self, build: Callable[[], Any], device: str = "cpu") -> Any:
        """A network built and given these weights in float32, ready to answer on `device`.

        Leaves the global random state as it was. Raises `WeightsError` unless digest and shapes are right.
        """
        import torch
        from safetensors.torch import load_file

        (path,) = self.weights.verified()
        state = {
            k: v.float() if v.is_floating_point() else v
            for k, v in load_file(path).items()
            if not k.startswith(PREFIX)
        }
        with torch.random.fork_rng(devices=[]):
            network = build()
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"{path}: not weights of this network ({error}); train it anew") from error
        return network.to(device).eval()

    def familiarity(self) -> Familiarity | None:
        """What the weights' file says of its training pictures; None where it says nothing. Raises `WeightsError`."""
        (path,) = self.weights.verified()
        return Familiarity.read(path)
