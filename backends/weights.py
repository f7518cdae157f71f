"""Weight files: the digest that must hold before one is read, and what is said of those that cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from visionrouter.backends.memory import ran_out
from visionrouter.schema.errors import VisionRouterError, WeightsError


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


@contextmanager
def tell_broken(what: str, mend: str) -> Iterator[None]:
    """Turn what a library raises on files that it cannot use into `WeightsError`: `what`, why, and the `mend`.

    Errors of ours, a library that is missing and memory that runs out are none of the files' doing: they pass.
    """
    try:
        yield
    except (VisionRouterError, ImportError):
        raise
    except Exception as error:
        if ran_out(error):
            raise
        raise WeightsError(f"{what} ({_why(error)}); {mend}") from error


def _why(error: Exception) -> str:
    """The line that says most: torch lists under a heading what does not fit."""
    lines = str(error).strip().splitlines() or ["no detail"]
    line = lines[1] if lines[0].endswith(":") and len(lines) > 1 else lines[0]
    return f"{type(error).__name__}: {line.strip()[:200]}"
