"""Weight files: where they lie in the package, and the digest that must hold before one is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from visionrouter.schema.errors import WeightsError


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combined_digest(digests: Mapping[str, str]) -> str:
    """One sha256 for a set of files: over the sorted lines `<sha256>  <name>`."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def verify(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise `WeightsError` unless every named file of `folder` exists and has its digest."""
    for name, expected in digests.items():
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path}: weights are missing; reinstall the package or give the right folder")
        actual = sha256_of(path)
        if actual != expected:
            raise WeightsError(
                f"{path}: sha256 is {actual[:12]}..., expected {expected[:12]}...; the file was changed or cut, reinstall it"
            )
