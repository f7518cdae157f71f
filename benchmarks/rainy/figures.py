"""Figures in words: the same in the Markdown and on the page. What is not defined is a dash."""

from __future__ import annotations

from visionrouter.benchmarks.rainy.document import Estimate


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def interval(estimate: Estimate | None, *, share: bool = False) -> str:
    """A value and its interval, as numbers or as shares in percent."""
    shown = percent if share else number
    if estimate is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return shown(estimate.value)
    return f"{shown(estimate.value)} [{shown(estimate.low)}, {shown(estimate.high)}]"
