"""Ledgers in SQLite and in a real PostgreSQL that the test run starts for itself."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy

from visionrouter.schema.decision import (
    Attempt,
    Decision,
    Outcome,
    Reason,
    VariantReason,
    Verdict,
    VerdictKind,
)
from visionrouter.schema.task import Task


def _binaries():
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


@pytest.fixture(scope="session")
def postgres():
    """URL of a running server."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    as_user = {}
    folder = Path(tempfile.mkdtemp(prefix="visionrouter-pg-"))
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            user = pwd.getpwnam(
                "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
            )
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user to run it as")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = folder / "data"
    server = None
    try:
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=False, capture_output=True, text=True, cwd=folder, **as_user,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip().splitlines()[-1]}")
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=log, stderr=log, cwd=folder, **as_user,
            )  # fmt: skip
        url = f"postgresql://tester@/postgres?host={folder}"
        engine = sqlalchemy.create_engine(url.replace("postgresql", "postgresql+psycopg"))
        for _ in range(200):
            try:
                engine.connect().close()
                break
            except sqlalchemy.exc.OperationalError:
                if server.poll() is not None:
                    pytest.skip(f"PostgreSQL does not start here: {(folder / 'log').read_text()[-300:]}")
                time.sleep(0.1)
        engine.dispose()
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: the data goes anyway
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres):
    """URL of an empty schema of its own: far quicker to make than a database."""
    name = f"ledger_{os.urandom(4).hex()}"
    engine = sqlalchemy.create_engine(postgres.replace("postgresql", "postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    return f"{postgres}&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path):
    """Where a ledger is to be: a path, or the URL of an empty database."""
    if request.param == "sqlite":
        return tmp_path / "ledger.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def decide():
    """Make a decision."""

    def make(number=0, **fields):
        attempt = Attempt(
            "nano", Task.DEPTH, Verdict(VerdictKind.ACCEPT, Reason.WITHIN_LIMITS), 0.5, 12.25 + number,
            signals={"score": 0.1 * (number % 10)}, licence="Apache-2.0", notes=("flip",),
        )  # fmt: skip
        given = {
            "request_id": f"{number:016x}",
            "task": Task.DEPTH,
            "instruction": f"depth map no. {number}, Zürich 東",
            "outcome": Outcome.ACCEPTED,
            "reason": Reason.WITHIN_LIMITS,
            "policy": "street",
            "policy_hash": "ab" * 32,
            "rule": "default",
            "attempts": (attempt,),
            "elapsed_ms": 13.0 + number,
            "tags": {"camera": f"cam-{number % 3}"},
            "experiment": "trial",
            "variant": "control" if number % 2 else "nano",
            "variant_reason": VariantReason.SPLIT,
            "unit": f"cam-{number % 3}",
        }
        return Decision(**{**given, **fields})

    return make
