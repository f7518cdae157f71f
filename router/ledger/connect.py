"""From a path or a URL to an engine, with what each database needs to be safe and quick."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from visionrouter.schema.errors import LedgerError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine


def open_engine(where: str | Path, *, writing: bool) -> Engine:
    """SQLite for a path, PostgreSQL for a `postgresql://` URL. Nothing is connected yet.

    Raises `LedgerError` for another kind of URL, or a path that leads nowhere.
    """
    require_sqlalchemy()
    from sqlalchemy import create_engine, event

    url = _url(where, writing)
    try:
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() == "postgresql")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; pip install 'visionrouter[ledger]'"
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite if writing else _prepare_sqlite_reader)
        event.listen(engine, "begin", _begin_immediate if writing else _begin)
    return engine


def require_sqlalchemy() -> None:
    """Raises `MissingExtraError` where it is not installed."""
    if find_spec("sqlalchemy") is None:
        raise MissingExtraError("sqlalchemy is not installed; pip install 'visionrouter[ledger]'")


def shown(where: str | Path) -> str:
    """The ledger's name for messages: a URL without its password."""
    if "://" not in str(where):
        return str(where)
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(str(where)).render_as_string(hide_password=True)
    except ArgumentError:
        return f"{str(where).partition('://')[0]}://..."


def _url(where: str | Path, writing: bool) -> URL:
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    text = str(where)
    if "://" not in text:
        path = Path(text)
        if path.is_dir():
            raise LedgerError(f"{text}: is a folder; name a file, for example {text}/ledger.db")
        if not writing and not path.is_file():
            raise LedgerError(f"{text}: no ledger is here; check the path")
        if writing and not path.absolute().parent.is_dir():
            raise LedgerError(f"{text}: its folder does not exist; make it first")
        mode = {} if writing else {"mode": "ro", "uri": "true"}
        name = str(path.absolute())
        return URL.create("sqlite", database=name if writing else f"file:{quote(name)}", query=mode)
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise LedgerError(f"{shown(text)}: is not a database URL") from error
    if url.get_backend_name() != "postgresql":
        raise LedgerError(
            f"{shown(text)}: a ledger is a SQLite file (give its path) or postgresql://user@host/name"
        )
    return url.set(drivername="postgresql+psycopg")


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_sqlite_reader(connection: Any, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout=5000").close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN")
