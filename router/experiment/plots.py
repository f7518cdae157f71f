"""Three small plots as inline SVG, coloured by the page's style sheet so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 12, 44
_MOST_POINTS = 300
_NUMBER = 14.0
"""Height of a dot's number, and the least distance of two."""


@dataclass(frozen=True, slots=True)
class Line:
    """`style` is a class of the style sheet: `a`, `b` or `soft`."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point with a name, told by its number in the legend."""

    name: str
    x: float
    y: float
    style: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval, one line of `forest`."""

    name: str
    value: float
    low: float
    high: float
    faint: bool = False


def band(low: Sequence[float], high: Sequence[float], x_label: str, y_label: str, margin: float = 0.0) -> str:
    """An interval as it narrows, around the line of no difference and, where there is one, the margin."""
    xs = list(range(1, len(low) + 1))
    kept = _thinned(len(xs))
    late = len(low) // 10
    reach = max((abs(v) for v in (*low[late:], *high[late:])), default=1.0) or 1.0
    frame = _Frame(1, max(len(xs), 2), -reach, reach)
    top = [frame.at(xs[i], min(high[i], reach)) for i in kept]
    bottom = [frame.at(xs[i], max(low[i], -reach)) for i in reversed(kept)]
    margins = (
        f'<rect class="margin" x="{_LEFT}" width="{_WIDTH - _LEFT - _RIGHT}" y="{frame.y(min(margin, reach)):.1f}" '
        f'height="{frame.y(-min(margin, reach)) - frame.y(min(margin, reach)):.1f}"/>'
        if margin
        else ""
    )
    body = (
        f'{margins}{frame.axes(x_label, y_label)}<polygon class="band" points="{" ".join(top + bottom)}"/>'
        f'<line class="zero" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{frame.y(0):.1f}" y2="{frame.y(0):.1f}"/>'
    )
    end = f"from {low[-1]:.3g} to {high[-1]:.3g} at the end" if len(low) else "empty"
    return _svg(body, f"{y_label} by {x_label}: the interval narrows to {end}")


def lines(series: Sequence[Line], x_label: str, y_label: str, dots: Sequence[Dot] = ()) -> str:
    """Curves and named points on common axes, with a legend."""
    given = [(x, y) for s in series for x, y in zip(s.xs, s.ys, strict=True)] + [(d.x, d.y) for d in dots]
    points = [(x, y) for x, y in given if math.isfinite(x) and math.isfinite(y)]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    frame = _Frame(min(xs), max(xs), min(0.0, *ys), max(ys) or 1.0)
    body = frame.axes(x_label, y_label)
    for one in series:
        path = " ".join(frame.at(one.xs[i], one.ys[i]) for i in _thinned(len(one.xs)))
        body += f'<polyline class="{one.style}" points="{path}"/>'
    names = [f'<span><i class="{s.style}"></i>{escape(s.name)}</span>' for s in series]
    places = [(frame.x(dot.x), frame.y(dot.y)) for dot in dots]
    for number, (dot, (x, y)) in enumerate(zip(dots, places, strict=True), 1):
        body += f'<circle class="{dot.style}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{escape(dot.name)}</title></circle>'
        names.append(f'<span><i class="{dot.style}"></i>{number} {escape(dot.name)}</span>')
    for numbers in _clusters(places):
        x, y = places[numbers[0]]
        side, shift = ("end", -8) if x > _WIDTH * 0.85 else ("", 8)
        said = ", ".join(str(i + 1) for i in numbers)
        body += f'<text class="{side}" x="{x + shift:.1f}" y="{max(y - 4, _NUMBER):.1f}">{said}</text>'
    told = ", ".join([s.name for s in series] + [d.name for d in dots])
    picture = _svg(body, f"{y_label} by {x_label} of {told}")
    return f'{picture}<p class="legend">{"".join(names)}</p>'


def _clusters(places: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Indices of places, those whose numbers would lie on each other together."""
    clusters: list[list[int]] = []
    for i, place in enumerate(places):
        near = (c for c in clusters if math.dist(places[c[0]], place) < _NUMBER)
        found = next(near, None)
        if found is None:
            clusters.append([i])
        else:
            found.append(i)
    return clusters


def forest(rows: Sequence[Interval], label: str) -> str:
    """One line a row: a dot on its interval, and where no difference is."""
    known = [row for row in rows if math.isfinite(row.low) and math.isfinite(row.high)]
    if not known:
        return ""
    step, left = 28, 140
    reach = max(max(abs(row.low), abs(row.high)) for row in known) * 1.05 or 1.0
    height = step * len(known) + 44

    def x(value: float) -> float:
        return left + (value + reach) / (2 * reach) * (_WIDTH - left - _RIGHT)

    body = "".join(
        f'<line class="grid" x1="{x(t):.1f}" x2="{x(t):.1f}" y1="6" y2="{height - 40}"/>'
        f'<text class="middle" x="{x(t):.1f}" y="{height - 24}">{t:g}</text>'
        for t in _ticks(-reach, reach)
    )
    body += f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="6" y2="{height - 40}"/>'
    for i, row in enumerate(known):
        y = step * i + 20
        style = "soft" if row.faint else "b"
        name = row.name if len(row.name) <= 20 else row.name[:19] + "…"
        body += (
            f'<text class="end" x="{left - 10}" y="{y + 4}">{escape(name)}</text>'
            f'<line class="{style}" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="{style}" cx="{x(row.value):.1f}" cy="{y}" r="4.5"/>'
        )
    body += f'<text class="middle" x="{_WIDTH / 2:g}" y="{height - 6}">{escape(label)}</text>'
    return _svg(body, f"{label}: {len(known)} intervals, given in the table as well", height)


@dataclass(frozen=True, slots=True)
class _Frame:
    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x_low) / ((self.x_high - self.x_low) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / ((self.y_high - self.y_low) or 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def at(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"

    def axes(self, x_label: str, y_label: str) -> str:
        parts = [
            f'<line class="grid" x1="{self.x(t):.1f}" x2="{self.x(t):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="middle" x="{self.x(t):.1f}" y="{_HEIGHT - _BOTTOM + 16}">{t:g}</text>'
            for t in _ticks(self.x_low, self.x_high)
        ] + [
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{self.y(t):.1f}" y2="{self.y(t):.1f}"/>'
            f'<text class="end" x="{_LEFT - 6}" y="{self.y(t) + 4:.1f}">{t:g}</text>'
            for t in _ticks(self.y_low, self.y_high)
        ]
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        parts.append(
            f'<text class="middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{_HEIGHT - 8}">{escape(x_label)}</text>'
            f'<text class="middle" transform="translate(14 {middle:g}) rotate(-90)">{escape(y_label)}</text>'
        )
        return "".join(parts)


def _svg(body: str, label: str, height: int = _HEIGHT) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">{body}</svg>'


def _thinned(count: int) -> list[int]:
    """Indices that a plot needs: at most a few hundred, the last among them."""
    step = max(1, count // _MOST_POINTS)
    return sorted({*range(0, count, step), count - 1}) if count else []


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers from low to high."""
    if not high > low:
        return [low]
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]
