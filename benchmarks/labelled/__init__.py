"""Labelled items for calibration, comparison and benchmarks: image, instruction, truth, tags.

from visionrouter.benchmarks.labelled import open_source

source = open_source("town", "calibration")      # or "scenes", "coco:DIR", "depth:DIR"
for item in source.items(Task.DEPTH, 200, conditions=("clean", "fog3")):
    ...
"""

from visionrouter.benchmarks.labelled.item import Item, Source, Split
from visionrouter.benchmarks.labelled.opening import open_source

__all__ = ["Item", "Source", "Split", "open_source"]
