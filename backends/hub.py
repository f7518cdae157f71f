"""Weights by hub id or local path: found where they lie, fetched only by the command that is asked to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from visionrouter.backends.licences import UNKNOWN, known
from visionrouter.backends.weights import combined_digest, sha256_of
from visionrouter.schema.errors import FetchError, MissingExtraError, WeightsError

WEIGHT_SUFFIXES = (".safetensors", ".onnx", ".pt", ".pth", ".bin", ".ckpt")
"""Endings of files that hold weights."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_hashed: dict[tuple[str, int, int], str] = {}


def resolve(
    source: str,
    *,
    revision: str | None = None,
    patterns: Sequence[str] | None = None,
    extra: str | None = None,
) -> Path:
    """Where the weights of `source` lie: a local path as it is, or a hub id's snapshot in the local cache.

    `patterns`: the files of the repository that are meant, all by default. `extra`: the pip extra that installs the
    hub's client. Never downloads. Raises `WeightsError` that says what to do, `MissingExtraError` without the client.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path
    if not is_hub_id(source):
        raise WeightsError(f"{source}: no such file or folder, nor a hub id like 'owner/name'")
    hub = _client(extra)
    try:
        found = hub.snapshot_download(
            source,
            revision=revision,
            allow_patterns=None if patterns is None else list(patterns),
            local_files_only=True,
        )
    except hub.errors.LocalEntryNotFoundError as error:
        is_partial = getattr(error, "snapshot_path", None) is not None
        raise WeightsError(_not_here(source, is_partial, hub)) from error
    return Path(found)


def is_hub_id(source: str) -> bool:
    """Whether `source` has the form of a hub id, `owner/name`."""
    return _HUB_ID.fullmatch(source) is not None


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The weight files under a folder in the hub's layout, sorted; the file itself where `folder` is one."""
    if folder.is_file():
        return (folder,)
    return tuple(
        sorted(
            p
            for p in folder.rglob("*")
            if p.suffix in WEIGHT_SUFFIXES and p.is_file() and _is_seen(p, folder)
        )
    )


def size(folder: Path) -> int:
    """Bytes of the weight files under `folder`."""
    return sum(file.stat().st_size for file in weight_files(folder))


def digest(folder: Path) -> str | None:
    """One sha256 over the weight files under `folder`, by their relative names; None where there is none.

    Each file is hashed once while its size and time of change stay. The hub's cache keeps a large file under its
    sha256, which is taken for it: tens of gigabytes need no second reading.
    """
    files = weight_files(folder)
    root = folder.parent if folder.is_file() else folder
    return combined_digest({f.relative_to(root).as_posix(): _sha256(f) for f in files}) if files else None


@dataclass(frozen=True, slots=True)
class Listing:
    """What the hub says of a repository: the files to fetch and their bytes, the licence it states, the commit."""

    source: str
    revision: str
    files: tuple[str, ...]
    bytes: int
    licence: str


def look_up(source: str, *, revision: str | None = None, patterns: Sequence[str] | None = None) -> Listing:
    """Ask the hub what a fetch would bring. Raises `FetchError` where it cannot be asked or does not have it."""
    hub = _client(None)
    _require_online(source)
    try:
        info = hub.HfApi().model_info(source, revision=revision, files_metadata=True, timeout=20)
    except Exception as error:
        raise _refused(source, error, hub) from error
    wanted = [f for f in info.siblings or [] if patterns is None or _fits(f.rfilename, patterns)]
    stated = (info.card_data or {}).get("license") or UNKNOWN
    return Listing(
        source, info.sha, tuple(f.rfilename for f in wanted), sum(f.size or 0 for f in wanted), str(stated)
    )


def fetch(source: str, *, revision: str | None = None, patterns: Sequence[str] | None = None) -> Path:
    """Download a repository's files into the hub's cache, with the client's own progress bar on stderr.

    For the command that a user gives, never for a backend. Raises `FetchError`.
    """
    hub = _client(None)
    _require_online(source)
    try:
        found = hub.snapshot_download(
            source, revision=revision, allow_patterns=None if patterns is None else list(patterns)
        )
    except Exception as error:
        raise _refused(source, error, hub) from error
    return Path(found)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, f"{p}*" if p.endswith("/") else p) for p in patterns)


def _is_seen(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _sha256(file: Path) -> str:
    blob = file.resolve()
    if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
        return blob.name
    stat = blob.stat()
    key = (str(blob), stat.st_size, stat.st_mtime_ns)
    if key not in _hashed:
        _hashed[key] = sha256_of(blob)
    return _hashed[key]


def _client(extra: str | None) -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        what = f"'visionrouter[{extra}]'" if extra else "huggingface_hub"
        raise MissingExtraError(
            f"hub ids need huggingface_hub; pip install {what}, or give a local path"
        ) from error
    return huggingface_hub


def _not_here(source: str, is_partial: bool, hub: Any) -> str:
    said = f"{source}: " + ("only a part of it was fetched" if is_partial else "not fetched")
    mends = [f"visionrouter fetch {source}"]
    if known(source).gated and not hub.get_token():
        mends.insert(0, f"accept its terms at {_page(source, hub)}, set HF_TOKEN")
    if switch := _offline_switch():
        mends.insert(0, f"unset {switch} (offline mode)")
    return f"{said}; {', then '.join(mends)}; or give the path of a local folder"


def _refused(source: str, error: Exception, hub: Any) -> FetchError:
    """What a failed exchange with the hub means to the user. No header or token of the exchange is repeated."""
    errors = hub.errors
    page = _page(source, hub)
    if isinstance(error, errors.GatedRepoError):
        mend = "wait for access or use another account's HF_TOKEN" if hub.get_token() else "set HF_TOKEN"
        return FetchError(f"{source}: is gated; accept its terms at {page}, then {mend}")
    if isinstance(error, errors.RevisionNotFoundError):
        return FetchError(f"{source}: has no such revision; see {page}/tree/main")
    if isinstance(error, errors.RepositoryNotFoundError):
        return FetchError(f"{source}: the hub has no such repository, or it is private (then set HF_TOKEN)")
    if isinstance(error, errors.HFValidationError):
        return FetchError(f"{source}: is no hub id; it is written 'owner/name'")
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"it answered {status}" if status else type(error).__name__
    return FetchError(
        f"{source}: the hub cannot be reached ({why}); check the network and try again, or fetch it on another "
        "machine and give the path of the folder"
    )


def _require_online(source: str) -> None:
    if switch := _offline_switch():
        raise FetchError(
            f"{source}: offline mode is on ({switch}); unset it to fetch, or give a local folder's path"
        )


def _offline_switch() -> str | None:
    return next(
        (name for name in _OFFLINE if os.environ.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}), None
    )


def _page(source: str, hub: Any) -> str:
    return f"{hub.constants.ENDPOINT}/{source}"
