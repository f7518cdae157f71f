"""Every example of docs/experiments.md and docs/ledger.md that can run does; their tables name what there is."""

import inspect
import json
import re
from pathlib import Path

import pytest

from visionrouter.backends.fake import FakeBackend
from visionrouter.experiment.compare import Verdict
from visionrouter.experiment.pairs import read_rows
from visionrouter.experiment.policy_cases import ExpectModel, run_cases
from visionrouter.ledger import Ledger
from visionrouter.policies import load_policy, policy_json_schema
from visionrouter.router import Router
from visionrouter.schema.decision import VariantReason

DOCS = Path(__file__).parents[3] / "docs"
EXPERIMENTS, LEDGER = ((DOCS / name).read_text() for name in ("experiments.md", "ledger.md"))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def told(page):
    return set(re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)))


def test_the_policy_and_its_cases(tmp_path):
    policy, cases = blocks(EXPERIMENTS, "yaml")
    (tmp_path / "street.yaml").write_text(policy)
    (tmp_path / "street.cases.yaml").write_text(cases)
    assert load_policy(tmp_path / "street.yaml").experiment[0].shadow == 0.1
    assert [result.wrong for result in run_cases(tmp_path / "street.cases.yaml")] == [(), ()]


def test_the_rows(tmp_path):
    rows = [
        line for block in blocks(EXPERIMENTS, "json") for line in block.splitlines() if '"a": {"loss"' in line
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    assert [json.loads(line)["id"] for line in rows] == [row.id for row in read_rows(tmp_path / "rows.jsonl")]


@pytest.mark.parametrize("program", [*blocks(EXPERIMENTS, "python"), *blocks(LEDGER, "python")])
def test_the_programs_run(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos = Path(__file__).parents[3] / "examples"
    (tmp_path / "examples").symlink_to(photos)
    made = classmethod(lambda cls, _, policy="default", **options: cls([FakeBackend()], policy, **options))
    monkeypatch.setattr(Router, "from_profile", made)
    exec(compile(program, "docs", "exec"), {})
    assert (tmp_path / "decisions.db").exists()


def test_the_tables_name_every_key_reason_verdict_and_option():
    schema = policy_json_schema()["$defs"]["ExperimentModel"]["properties"]
    assert set(schema) - {"description"} <= told(EXPERIMENTS)
    assert set(VariantReason) | set(Verdict) | set(ExpectModel.model_fields) <= told(EXPERIMENTS)
    options = set(inspect.signature(Ledger).parameters) - {"where", "block_ms", "image_side"}
    assert options <= told(LEDGER)
