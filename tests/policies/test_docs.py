"""Every example of docs/policies.md runs as written."""

import re
from pathlib import Path

import pytest

from visionrouter.policies import compile_policy, load_policy, policy_json_schema, preset_names
from visionrouter.policies.expression import compile_expression
from visionrouter.policies.inputs import FIELDS, VALUES

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_policy_and_the_python_run(tmp_path, monkeypatch):
    (street,) = blocks("yaml")
    (tmp_path / "street.yaml").write_text(street)
    monkeypatch.chdir(tmp_path)
    assert compile_policy(load_policy("street.yaml")).name == "street"
    programs = blocks("python")
    assert len(programs) == 2
    for program in programs:
        exec(compile(program, "docs/policies.md", "exec"), {})


@pytest.mark.parametrize("condition", "".join(blocks("cel")).splitlines())
def test_the_conditions_compile(condition):
    compile_expression(condition)


def test_the_tables_tell_every_preset_key_field_and_value():
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    told = set(re.findall(r"`([^`]+)`", prose))
    assert set(preset_names()) <= told
    assert set(policy_json_schema()["$defs"]["RouteModel"]["properties"]) <= told
    assert {f"{root}.{name}" for root, fields in FIELDS.items() for name in fields} <= told
    assert {str(value) for path in ("request.task", "request.criticality") for value in VALUES[path]} <= told


def test_no_block_goes_untested():
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"yaml", "cel", "python"}
