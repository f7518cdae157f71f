"""The command line, called as a shell would: its exit code, what it printed, and what it told the user."""

import sys

from visionrouter.cli.main import main


def command_line(monkeypatch, capsys, *command):
    """A function that runs `visionrouter COMMAND ...` here. A traceback is never what a user sees."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["visionrouter", *command, *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run
