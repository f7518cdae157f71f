"""Array contracts (shape, dtype, finiteness) and the JSON form of each kind of array."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import numpy as np
import numpy.typing as npt

from visionrouter.schema.errors import SchemaError
from visionrouter.schema.forms import JsonForm

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

_MAX_BYTES = 1 << 30
"""The most a document's arrays may unpack to, each."""


def fail(owner: str, field: str, message: str) -> NoReturn:
    """Raise the `SchemaError` of one field of one payload."""
    raise SchemaError(f"{owner}.{field}: {message}")


def check(
    array: object,
    owner: str,
    field: str,
    dtype: type[np.generic],
    shape: tuple[int | None, ...],
    *,
    finite: bool = True,
) -> None:
    """Raise `SchemaError` unless `array` has exactly this dtype and shape (None: any length) and, if asked, no NaN/Inf."""
    if not isinstance(array, np.ndarray):
        fail(owner, field, f"expected a numpy array, got {type(array).__name__}")
    if array.dtype != dtype:
        fail(
            owner,
            field,
            f"expected {np.dtype(dtype).name}, got {array.dtype}; convert with .astype(np.{np.dtype(dtype).name})",
        )
    actual = array.shape
    if len(actual) != len(shape) or any(
        want is not None and want != got for want, got in zip(shape, actual, strict=True)
    ):
        wanted = "(" + ", ".join("N" if s is None else str(s) for s in shape) + ")"
        fail(owner, field, f"expected shape {wanted}, got {actual}")
    if finite and array.dtype.kind == "f" and array.size and not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        fail(owner, field, f"{bad} of {array.size} values are NaN or infinite")


def _rle_encode(masks: Bool) -> dict[str, Any]:
    from pycocotools import mask as coco

    size = [int(masks.shape[1]), int(masks.shape[2])]
    stack = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    encoded: Any = coco.encode(stack) if masks.shape[0] else []
    return {"size": size, "counts": [rle["counts"].decode("ascii") for rle in encoded]}


def _rle_decode(value: object) -> Bool:
    if isinstance(value, np.ndarray):
        return value
    from pycocotools import mask as coco

    if not isinstance(value, dict) or "size" not in value or "counts" not in value:
        raise ValueError('masks are {"size": [height, width], "counts": ["<COCO RLE>", ...]}')
    height, width = (int(v) for v in value["size"])
    if height < 0 or width < 0 or height * width * len(value["counts"]) > _MAX_BYTES:
        raise ValueError(
            f"{len(value['counts'])} masks of {height} x {width} are negative or over {_MAX_BYTES} bytes"
        )
    if not value["counts"]:
        return np.zeros((0, height, width), np.bool_)
    stack = coco.decode([{"size": [height, width], "counts": c.encode("ascii")} for c in value["counts"]])
    return np.ascontiguousarray(stack.transpose(2, 0, 1)).astype(np.bool_)


def _npz_encode(array: npt.NDArray[Any]) -> dict[str, str]:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values=array)
    return {"npz": base64.b64encode(buffer.getvalue()).decode("ascii")}


def _npz_decode(value: object) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, dict) or set(value) != {"npz"} or not isinstance(value["npz"], str):
        raise ValueError('dense maps are {"npz": "<base64 of a numpy .npz holding `values`>"}')
    import zipfile

    raw = base64.b64decode(value["npz"], validate=True)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
            raise ValueError(f"the npz unpacks to more than {_MAX_BYTES} bytes")
    with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
        values: npt.NDArray[Any] = archive["values"]
    return values


def _rows(dtype: type[np.generic], *tail: int) -> Callable[[object], npt.NDArray[Any]]:
    def decode(value: object) -> npt.NDArray[Any]:
        if isinstance(value, np.ndarray):
            return value
        return np.asarray(value, dtype).reshape(-1, *tail)

    return decode


def _to_list(array: npt.NDArray[Any]) -> object:
    return array.tolist()


def _list_of(items: dict[str, Any], **more: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_numbers = _list_of({"type": "number"})


def _matrix(columns: int) -> dict[str, Any]:
    return _list_of({**_numbers, "minItems": columns, "maxItems": columns})


Scores = Annotated[F32, JsonForm(_rows(np.float32), _to_list, _numbers)]
"""float32 (N,), a JSON list of numbers."""
Boxes = Annotated[F32, JsonForm(_rows(np.float32, 4), _to_list, _matrix(4))]
"""float32 (N, 4), a JSON list of [x1, y1, x2, y2]."""
Points = Annotated[F32, JsonForm(_rows(np.float32, 2), _to_list, _matrix(2))]
"""float32 (N, 2), a JSON list of [x, y]."""
Indices = Annotated[U8, JsonForm(_rows(np.uint8), _to_list, _list_of({"type": "integer"}))]
"""uint8 (N,), a JSON list of integers."""


def _keypoints(value: object) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    array = np.asarray(value, np.float32)
    return array if array.ndim == 3 else np.zeros((0, 0, 2), np.float32)


Keypoints = Annotated[F32, JsonForm(_keypoints, _to_list, _list_of(_matrix(2)))]
"""float32 (N, K, 2), a JSON list of people, each a list of [x, y]."""


def _grid(value: object) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    array = np.asarray(value, np.float32)
    return array if array.ndim == 2 else np.zeros((0, 0), np.float32)


Grid = Annotated[F32, JsonForm(_grid, _to_list, _list_of(_numbers))]
"""float32 (N, K), a JSON list of lists of numbers."""

_rle_schema = {
    "type": "object",
    "description": "N masks of one size as compressed COCO RLE",
    "properties": {
        "size": _list_of({"type": "integer"}, minItems=2, maxItems=2),
        "counts": _list_of({"type": "string"}),
    },
    "required": ["size", "counts"],
}
Masks = Annotated[Bool, JsonForm(_rle_decode, _rle_encode, _rle_schema)]
"""bool (N, H, W), compressed COCO RLE in JSON."""

_dense_schema = {
    "type": "object",
    "description": "base64 of a compressed numpy .npz with one array `values`",
    "properties": {"npz": {"type": "string", "contentEncoding": "base64"}},
    "required": ["npz"],
}
Dense = Annotated[F32, JsonForm(_npz_decode, _npz_encode, _dense_schema)]
"""float32 dense map, exact npz in JSON."""
DenseU8 = Annotated[U8, JsonForm(_npz_decode, _npz_encode, _dense_schema)]
"""uint8 dense map, exact npz in JSON."""


class Record:
    """Equality of frozen dataclasses that hold arrays: same type, same fields, NaN equal to NaN."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        fields = self.__dataclass_fields__  # type: ignore[attr-defined]
        return all(_same(getattr(self, n), getattr(other, n)) for n, f in fields.items() if f.compare)


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
            return False
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return a == b
