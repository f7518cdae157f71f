"""Words → what is asked: `parse` an instruction, `canonical` its standard wording, `ground` a target on labels.

`visionrouter.instruction.selection.select` picks the detections that a target means.
"""

from visionrouter.instruction.canonical import canonical
from visionrouter.instruction.parser import parse

__all__ = ["canonical", "parse"]
