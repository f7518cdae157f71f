"""The JSON Schema: it names every key, and refuses others."""

import json

from visionrouter.policies import load_policy, policy_json_schema, preset_names


def resolve(schema, node):
    return schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def test_it_is_json_and_names_the_keys_as_yaml_writes_them():
    schema = policy_json_schema()
    json.dumps(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["required"] == ["schema_version", "name", "default"]
    route = schema["$defs"]["RouteModel"]
    assert list(route["properties"]) == [
        "try", "accept", "on_error", "otherwise", "attempt_timeout_ms", "reserve_ms", "reserve_share",
        "deadline_ms",
        "evidence", "check_with", "fallback", "uncertified", "merge", "hedge_after",
    ]  # fmt: skip
    assert route["required"] == ["try"]
    assert route["properties"]["otherwise"]["enum"] == ["abstain", "best_effort"]
    choice = route["properties"]["try"]["items"]["anyOf"]
    assert [resolve(schema, option)["type"] for option in choice] == ["string", "object"]


def test_every_object_of_it_refuses_unknown_keys():
    schema = policy_json_schema()
    objects = [schema, *(node for node in schema["$defs"].values() if node.get("type") == "object")]
    assert len(objects) > 7
    assert all(node["additionalProperties"] is False for node in objects)


def test_presets_use_no_key_that_it_lacks():
    schema = policy_json_schema()
    for name in preset_names():
        data = load_policy(name).canonical()
        assert set(data) <= set(schema["properties"])
        assert set(data["default"]["route"]) <= set(schema["$defs"]["RouteModel"]["properties"])
