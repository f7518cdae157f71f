"""Small line charts as inline SVG, coloured by the page's own style sheet, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

_WIDTH, _HEIGHT = 440, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 44
_MAX_POINTS = 240


@dataclass(frozen=True, slots=True)
class Series:
    """`xs`, `ys` of one length. `style` names a class of the style sheet; points may have intervals (low, high)."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    style: Literal["main", "other", "guide", "mark"] = "main"
    points: bool = False
    intervals: Sequence[tuple[float, float]] = ()


def chart(series: Sequence[Series], x_label: str, y_label: str, y_top: float | None = None) -> str:
    """x from 0 to 1, y from 0 to `y_top` (None: what the data needs). Points beyond are left out with their interval."""
    top = y_top or _round_up(max((y for s in series for y in s.ys if math.isfinite(y)), default=1.0))
    frame = _Frame(top)
    body = [_axes(frame, x_label, y_label)]
    for one in series:
        shown = [
            (x, y, i)
            for i, (x, y) in enumerate(zip(one.xs, one.ys, strict=True))
            if math.isfinite(y) and y <= top * 1.0001
        ]
        if one.points:
            for x, y, i in shown:
                if one.intervals:
                    low, high = one.intervals[i]
                    body.append(
                        f'<line class="{one.style}" x1="{frame.x(x)}" x2="{frame.x(x)}" '
                        f'y1="{frame.y(max(low, 0))}" y2="{frame.y(min(high, top))}"/>'
                    )
                body.append(f'<circle class="{one.style}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="4"/>')
        elif shown:
            step = max(1, len(shown) // _MAX_POINTS)
            kept = [*shown[:-1:step], shown[-1]]
            path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y, _ in kept)
            body.append(f'<polyline class="{one.style}" points="{path}"/>')
    label = escape(f"{y_label} by {x_label}: {', '.join(s.name for s in series)}")
    picture = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    return f"{picture}{_legend(series)}"


def intervals(rows: Sequence[tuple[str, float, float, float]], low: float, high: float, label: str) -> str:
    """One line a row (name, value, low, high): a dot on its interval, from `low` to `high` of the axis."""
    line, left, right = 26, 168, 18
    height = line * len(rows) + 48
    width = _WIDTH

    def x(value: float) -> str:
        share = (min(max(value, low), high) - low) / (high - low)
        return f"{left + share * (width - left - right):.1f}"

    body = []
    for tick in _ticks(low, high):
        body.append(
            f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="4" y2="{height - 42}"/>'
            f'<text class="middle" x="{x(tick)}" y="{height - 26}">{tick:g}</text>'
        )
    for i, (name, value, least, most) in enumerate(rows):
        y = line * i + 18
        style = "main" if i == 0 else "other"
        body.append(f'<text class="end" x="{left - 10}" y="{y + 4}">{escape(_short(name))}</text>')
        if math.isfinite(value):
            body.append(
                f'<line class="{style}" x1="{x(least)}" x2="{x(most)}" y1="{y}" y2="{y}"/>'
                f'<circle class="{style}" cx="{x(value)}" cy="{y}" r="4"/>'
            )
    body.append(f'<text class="middle" x="{(left + width) / 2:g}" y="{height - 6}">{escape(label)}</text>')
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(body)}</svg>'
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    top: float

    def x(self, value: float) -> str:
        return f"{_LEFT + value * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{_HEIGHT - _BOTTOM - value / self.top * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _axes(frame: _Frame, x_label: str, y_label: str) -> str:
    parts = []
    for tick in _ticks(0, 1):
        parts.append(
            f'<line class="grid" x1="{frame.x(tick)}" x2="{frame.x(tick)}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="middle" x="{frame.x(tick)}" y="{_HEIGHT - _BOTTOM + 16}">{tick:g}</text>'
        )
    for tick in _ticks(0, frame.top):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{frame.y(tick)}" y2="{frame.y(tick)}"/>'
            f'<text class="end" x="{_LEFT - 6}" y="{float(frame.y(tick)) + 4:.1f}">{tick:g}</text>'
        )
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="middle" x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{_HEIGHT - 8}">{escape(x_label)}</text>'
        f'<text class="middle" transform="translate(12 {middle:g}) rotate(-90)">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _legend(series: Sequence[Series]) -> str:
    items = "".join(f'<span><i class="{s.style}"></i>{escape(s.name)}</span>' for s in series)
    return f'<p class="legend">{items}</p>'


def _ticks(low: float, high: float) -> list[float]:
    """Four to six round numbers between low and high."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(m * size for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * size >= value * 0.999)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
