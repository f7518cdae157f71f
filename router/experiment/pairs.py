"""Results of two arms on the same images, as arrays: what a comparison reads, and how it is read from JSON lines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visionrouter.schema.errors import ExperimentError

F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SMALL, MEDIUM = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """One image under both arms, or under one where the data is not paired.

    `a` and `b`: metric to value; a metric that an arm has not is missing (an abstained answer has no loss). `cluster`:
    the scene, video or unit it belongs to, the unit of exchangeability. `weight`: one over the probability that it was
    looked at. `covariate`: known before either arm ran, the image's difficulty, say. `size`: share of the image that what is
    asked for takes.
    """

    id: str
    a: Mapping[str, float] | None
    b: Mapping[str, float] | None
    cluster: str = ""
    slices: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    covariate: float | None = None
    size: float | None = None

    @property
    def slice_tags(self) -> Mapping[str, str]:
        """Its slices, `size` (small, medium, large) among them where it is known."""
        return self.slices if self.size is None else {**self.slices, "size": size_kind(self.size)}


def size_kind(share: float) -> str:
    """Small is under 1 % of the image, medium under 10 %."""
    return "small" if share < SMALL else "medium" if share < MEDIUM else "large"


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Rows as columns, in the order they came. `cluster`: int64 (N,), codes from 0 in order of appearance. `values`:
    metric to float64 (2, N), NaN where an arm has none. `covariate`: float64 (N,) or None."""

    ids: tuple[str, ...]
    cluster: Ints
    values: Mapping[str, F64]
    weights: F64
    slices: Mapping[str, tuple[str, ...]]
    covariate: F64 | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1

    def of(self, metric: str) -> F64:
        """Values of a metric. Raises `ExperimentError` naming those there are."""
        if metric not in self.values:
            raise ExperimentError(
                f"the data has no metric {metric!r}; it has {', '.join(sorted(self.values)) or 'none'}"
            )
        return self.values[metric]

    def both(self, metric: str) -> Bools:
        """Bool (N,): where both arms have the metric."""
        found = self.of(metric)
        return np.asarray(~np.isnan(found[0]) & ~np.isnan(found[1]))

    def select(self, mask: Bools) -> Pairs:
        """The rows where `mask` holds."""
        _, cluster = np.unique(self.cluster[mask], return_inverse=True)
        return Pairs(
            tuple(i for i, keep in zip(self.ids, mask, strict=True) if keep),
            cluster.astype(np.int64),
            {name: values[:, mask] for name, values in self.values.items()},
            self.weights[mask],
            {k: tuple(x for x, keep in zip(v, mask, strict=True) if keep) for k, v in self.slices.items()},
            None if self.covariate is None else self.covariate[mask],
        )


def as_pairs(rows: Iterable[Row]) -> Pairs:
    """Columns of `rows`. Raises `ExperimentError` for none, an id that comes twice, or a value that is not finite."""
    given = list(rows)
    if not given:
        raise ExperimentError("there is nothing to compare: no row")
    seen: set[str] = set()
    for row in given:
        if row.id in seen:
            raise ExperimentError(
                f"the id {row.id!r} comes twice; a pair is one row, and repeats are a `cluster`"
            )
        seen.add(row.id)
        if not (row.weight > 0 and math.isfinite(row.weight)):
            raise ExperimentError(f"row {row.id!r}: the weight {row.weight} is not a positive number")
        if row.size is not None and not 0 <= row.size <= 1:
            raise ExperimentError(
                f"row {row.id!r}: the size {row.size} is no share of the image, from 0 to 1"
            )
    codes: dict[str, int] = {}
    cluster = np.array([codes.setdefault(row.cluster or row.id, len(codes)) for row in given], np.int64)
    metrics = sorted({name for row in given for arm in (row.a, row.b) if arm for name in arm})
    values = {name: np.full((2, len(given)), np.nan) for name in metrics}
    for i, row in enumerate(given):
        for side, arm in enumerate((row.a, row.b)):
            for name, value in (arm or {}).items():
                if not math.isfinite(value):
                    raise ExperimentError(f"row {row.id!r}: {name} is {value}; leave out what is not known")
                values[name][side, i] = value
    tags = [row.slice_tags for row in given]
    keys = sorted({key for some in tags for key in some})
    known = [row.covariate for row in given if row.covariate is not None]
    if known and len(known) < len(given):
        raise ExperimentError(f"{len(given) - len(known)} of {len(given)} rows lack the covariate")
    return Pairs(
        tuple(row.id for row in given),
        cluster,
        values,
        np.array([row.weight for row in given]),
        {key: tuple(some.get(key, "") for some in tags) for key in keys},
        np.array(known, np.float64) if known else None,
    )


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSON-lines file: `{"id", "a": {...}, "b": {...}}` and, where wanted, `cluster`, `slices`, `weight`,
    `covariate`, `size`. Raises `ExperimentError` naming the line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(line, f"{path}:{number}")
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def _row(line: str, place: str) -> Row:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise ExperimentError(f"{place}: is not valid JSON ({error})") from error
    if not isinstance(data, dict):
        raise ExperimentError(f"{place}: should be one JSON object a line")
    unknown = sorted(set(data) - {"id", "a", "b", "cluster", "slices", "weight", "covariate", "size"})
    if unknown:
        raise ExperimentError(f"{place}: {unknown[0]!r} is not a key here")
    if not isinstance(data.get("id"), str):
        raise ExperimentError(f"{place}: `id` should be text")
    try:
        return Row(
            data["id"],
            _metrics(data.get("a")),
            _metrics(data.get("b")),
            str(data.get("cluster") or ""),
            {str(k): str(v) for k, v in (data.get("slices") or {}).items()},
            float(data.get("weight", 1.0)),
            None if data.get("covariate") is None else float(data["covariate"]),
            None if data.get("size") is None else float(data["size"]),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise ExperimentError(f"{place}: cannot be read ({error})") from error


def _metrics(arm: Any) -> dict[str, float] | None:
    if arm is None:
        return None
    return {str(name): float(value) for name, value in arm.items() if value is not None}
