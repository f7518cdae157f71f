"""The weights inside the package: where they lie, what they must hash to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visionrouter.backends.weights import combined_digest, verify

FOLDER = Path(__file__).with_name("weights")
ENCODER_WEIGHTS = FOLDER / "efficientnet_lite0_timm.safetensors"
"""ImageNet's: what the specialists trained here begin with."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A weight file of the package: its name, hex sha256 and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class WeightSet:
    """The files that one backend reads, and the folder they are read from."""

    files: tuple[WeightFile, ...]
    folder: Path = FOLDER

    @property
    def digest(self) -> str:
        """One sha256 for the set."""
        return combined_digest(self._digests)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def verified(self) -> tuple[Path, ...]:
        """Paths of the files, in order, after their digests were checked. Raises `WeightsError`."""
        verify(self.folder, self._digests)
        return tuple(self.folder / file.name for file in self.files)

    @property
    def _digests(self) -> dict[str, str]:
        return {file.name: file.sha256 for file in self.files}
