"""What is acknowledged is on disk: every connection waits for it at each commit.

A killed process loses nothing that the system has taken over, so no test that kills can see this.
"""

from __future__ import annotations

from pathlib import Path

from sync_server.sql import open_engine
from sync_server.storage.sqlite import open_store
from sync_server.storage.sqlite.connections import Connections

FULL = 2


def test_documents(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("notes")
    connections: Connections = store.database("notes").connections
    for use in (connections.read, connections.snapshot, connections.write):
        with use() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (FULL,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_accounts_and_the_ledger(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'service.db'}")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()
