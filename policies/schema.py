"""JSON Schema of a policy file, for editors and reviews."""

from __future__ import annotations

from typing import Any


def policy_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a policy. What it cannot say (conditions, unique names) `load_policy` checks."""
    from visionrouter.policies.model import Policy

    schema = Policy.model_json_schema(by_alias=True, mode="validation")
    schema["title"] = "visionrouter policy"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
