"""A folder of nano weights: diffusers' layout, `vocabulary.json`, `familiarity.safetensors` and `digests.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visionrouter.backends.weights import combined_digest, sha256_of, verify
from visionrouter.schema.errors import WeightsError

EMBEDDED = Path(__file__).with_name("weights")
_DIGESTS = "digests.json"


@dataclass(frozen=True, slots=True)
class WeightsFolder:
    """What can be known of the weights without reading them."""

    path: Path = EMBEDDED

    @property
    def is_present(self) -> bool:
        """Whether there is a sealed folder at `path`."""
        return (self.path / _DIGESTS).is_file()

    def digests(self) -> dict[str, str]:
        """Relative file name to hex sha256, as recorded. Raises `WeightsError`."""
        return {str(name): str(digest) for name, digest in self.read_json(_DIGESTS).items()}

    @property
    def digest(self) -> str:
        """One sha256 for all files, as recorded. Raises `WeightsError`."""
        return combined_digest(self.digests())

    @property
    def size(self) -> int:
        """Bytes of all files; those that are missing count nothing."""
        paths = (self.path / name for name in self.digests())
        return sum(path.stat().st_size for path in paths if path.is_file())

    def verify(self) -> None:
        """Hash every file. Raises `WeightsError` where one is missing or differs by a byte."""
        verify(self.path, self.digests())

    def seal(self) -> None:
        """Record the digests of the files as they are now."""
        files = sorted(
            p for p in self.path.rglob("*") if p.is_file() and p.name not in (_DIGESTS, ".gitignore")
        )
        digests = {p.relative_to(self.path).as_posix(): sha256_of(p) for p in files}
        (self.path / _DIGESTS).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")

    def read_json(self, name: str) -> dict[str, Any]:
        """An object from a JSON file of the folder. Raises `WeightsError`."""
        path = self.path / name
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise WeightsError(
                f"{path}: weights are missing ({error.strerror}); reinstall the package or give the right folder"
            ) from error
        except ValueError as error:
            raise WeightsError(f"{path}: is not JSON ({error}); reinstall the package") from error
        if not isinstance(value, dict):
            raise WeightsError(f"{path}: is not a JSON object; reinstall the package")
        return value
