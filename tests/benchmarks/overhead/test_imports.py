"""The import benchmark runs what it names, in interpreters that have their bytecode."""

import pytest

from visionrouter.benchmarks.overhead import imports


def test_every_statement_runs_and_bare_is_the_least(capsys, monkeypatch):
    statements = {
        name: imports.STATEMENTS[name] for name in ("nothing", "import visionrouter", "visionrouter --help")
    }
    monkeypatch.setattr(imports, "STATEMENTS", statements)
    imports.main(["--repeats", "1"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[3:]]
    assert [" ".join(row[:-2]) for row in rows] == list(statements)
    assert float(rows[0][-1]) == 0
    assert float(rows[2][-2]) > float(rows[2][-1]) > 0


def test_a_statement_that_fails_is_no_figure(monkeypatch):
    monkeypatch.setattr(imports, "STATEMENTS", {"nothing": "raise SystemExit(3)"})
    with pytest.raises(Exception, match="exit status 3"):
        imports.milliseconds(1)
