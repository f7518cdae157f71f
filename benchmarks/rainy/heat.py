"""A heat map of systems by conditions as inline SVG: the darker, the more it costs; framed where routing loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

_CELL_W, _CELL_H = 13, 22
_LEFT, _TOP, _GAP = 150, 96, 5


@dataclass(frozen=True, slots=True)
class Column:
    """One condition; those of one `kind` stand together."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Spot:
    """`heat` from 0 to 1, what to say of it, and whether it is framed."""

    heat: float
    said: str
    framed: bool = False


def heat_map(
    rows: Sequence[str], columns: Sequence[Column], spots: Sequence[Sequence[Spot | None]], label: str
) -> str:
    """`spots` by row and column; None where there is no figure."""
    if not rows or not columns:
        return ""
    places, names, x = [], [], float(_LEFT)
    for kind, some in groupby(columns, key=lambda column: column.kind):
        members = list(some)
        middle = x + len(members) * _CELL_W / 2
        names.append(
            f'<text transform="translate({middle + 4:g} {_TOP - 8}) rotate(-50)">{escape(kind.replace("_", " "))}</text>'
        )
        places += [x + i * _CELL_W for i in range(len(members))]
        x += len(members) * _CELL_W + _GAP
    body = []
    for r, (row, found) in enumerate(zip(rows, spots, strict=True)):
        y = _TOP + r * _CELL_H
        body.append(f'<text class="end" x="{_LEFT - 8}" y="{y + 15}">{escape(row)}</text>')
        body += [
            _cell(left, y, f"{row}, {column.name}", spot)
            for left, column, spot in zip(places, columns, found, strict=True)
        ]
    width, height = x + 70, _TOP + len(rows) * _CELL_H + 6
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<svg viewBox="0 0 {width:g} {height}" role="img" aria-label="{escape(label)}" '
        f'style="min-width:{width:g}px">{"".join(names)}{"".join(body)}</svg></div>'
    )


def _cell(x: float, y: float, where: str, spot: Spot | None) -> str:
    if spot is None:
        return ""
    frame = ";stroke:var(--ink);stroke-width:2" if spot.framed else ""
    return (
        f'<rect x="{x + 1:g}" y="{y + 1}" width="{_CELL_W - 2}" height="{_CELL_H - 2}" '
        f'style="fill:var(--bad);fill-opacity:{0.05 + 0.95 * spot.heat:.2f}{frame}">'
        f"<title>{escape(where)}: {escape(spot.said)}</title></rect>"
    )
