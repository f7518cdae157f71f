"""What is seen from outside: metrics, traces and logs, each a sink of decisions. None is on unless it is given.

    Router.from_profile("nano", sinks=[Metrics(), Traces(), DecisionLog()])

Nothing here imports its library before it is made.
"""

from visionrouter.telemetry.logs import DecisionLog, JsonFormatter
from visionrouter.telemetry.metrics import Metrics
from visionrouter.telemetry.traces import Traces

__all__ = ["DecisionLog", "JsonFormatter", "Metrics", "Traces"]
