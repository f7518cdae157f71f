"""Labelled items for calibration, comparison and benchmarks: image, instruction, truth, tags."""

from visionrouter.benchmarks.labelled.item import Item, Source, Split

__all__ = ["Item", "Source", "Split"]
