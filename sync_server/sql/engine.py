"""Opening the service's database, and bringing its tables up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

_BUSY_MILLISECONDS = 10_000
_UPGRADE_TURN = 7140511


def open_engine(url: str) -> Engine:
    """An engine for `url`; the folder of an SQLite file is made where it is missing.

    SQLite runs in WAL mode with `synchronous=FULL`: what is committed is on disk. A transaction
    takes the write lock when it begins, unless the connection has the execution option
    `read_only=True`. Errors do not show what a statement was given: hashes would get into logs.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url,
            poolclass=QueuePool,
            connect_args={"check_same_thread": False},
            hide_parameters=True,
        )
    else:
        engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Any) -> None:
    # A transaction that reads first and writes later would fail with "database is locked" when
    # another writer came between; taking the write lock at once makes it wait instead.
    if connection.get_execution_options().get("read_only"):
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def take_turns(connection: Connection, number: int) -> None:
    """Within a transaction: wait until no other one that takes turns under this number is open.

    SQLite's write transactions take turns anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing. Safe to call by several processes at once."""
    # Alembic is heavy and needed once per start: whoever only reads does not load it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        take_turns(connection, _UPGRADE_TURN)
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
