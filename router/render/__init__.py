"""Pictures of answers: the answer on the photo, how it came about, and which backend each pixel is from."""

from visionrouter.render.draw import overlay, source_overlay
from visionrouter.render.panels import side_by_side

__all__ = ["overlay", "side_by_side", "source_overlay"]
