"""Probes: evidence beyond what an answer brings with it, each bought with further questions or none.

A probe asks and reads; it never runs a model itself, so that the engine keeps the deadline, the queues and the breakers.
"""

from collections.abc import Mapping

from visionrouter.confidence.probes.consistency import Flip, Photometric, Seeds
from visionrouter.confidence.probes.geometry import Geometry
from visionrouter.confidence.probes.input_quality import InputQuality
from visionrouter.confidence.probes.presence import Presence
from visionrouter.confidence.probes.probe import Finding, Probe, Role
from visionrouter.confidence.probes.second_opinion import CrossCheck
from visionrouter.confidence.probes.votes import Votes
from visionrouter.schema.route import ProbeName

PROBES: Mapping[ProbeName, Probe] = {
    "input_quality": InputQuality(),
    "flip": Flip(),
    "photometric": Photometric(),
    "seeds": Seeds(),
    "geometry": Geometry(),
    "votes": Votes(),
    "presence": Presence(),
    "cross_check": CrossCheck(),
}
"""Every probe by the name a policy calls it."""

__all__ = ["PROBES", "Finding", "Probe", "Role"]
