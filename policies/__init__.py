"""Policies: YAML that says which backends answer a request, in which order, and when an answer is good enough.

The models and the YAML reader are imported when the first policy is loaded.
"""

from typing import TYPE_CHECKING, Any

from visionrouter.policies.assign import UNASSIGNED, Assignment
from visionrouter.policies.licences import Licences
from visionrouter.policies.load import PolicySource, load_policy, preset_names
from visionrouter.policies.resolve import BackendInfo, Resolved, resolve
from visionrouter.policies.schema import policy_json_schema
from visionrouter.policies.select import (
    CompiledPolicy,
    Explanation,
    RuleTrace,
    Selected,
    Step,
    compile_policy,
)
from visionrouter.policies.validate import Finding, check_against

if TYPE_CHECKING:
    from visionrouter.policies.model import Policy

__all__ = [
    "UNASSIGNED",
    "Assignment",
    "BackendInfo",
    "CompiledPolicy",
    "Explanation",
    "Finding",
    "Licences",
    "Policy",
    "PolicySource",
    "Resolved",
    "RuleTrace",
    "Selected",
    "Step",
    "check_against",
    "compile_policy",
    "load_policy",
    "policy_json_schema",
    "preset_names",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name == "Policy":
        from visionrouter.policies.model import Policy

        return Policy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
