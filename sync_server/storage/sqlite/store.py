"""The embedded engine: a folder with one SQLite file per database."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote, unquote

from sync_server.errors import FileExists, IllegalDatabaseName, NotFound
from sync_server.storage.base import DocumentStore
from sync_server.storage.sqlite.database import SQLiteDatabase
from sync_server.storage.sqlite.schema import migrate

_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]{0,127}\Z")
SUFFIX = ".couch.sqlite3"


def open_store(path: Path) -> SQLiteStore:
    """The store in a folder, which is made where it is missing."""
    path.mkdir(parents=True, exist_ok=True)
    return SQLiteStore(path)


class SQLiteStore(DocumentStore):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.uuid = _uuid(path / "uuid")
        self._open: dict[str, SQLiteDatabase] = {}

    def create(self, name: str) -> None:
        target = self._file(name)
        if target.exists():
            raise FileExists
        draft = self.path / f"draft-{secrets.token_hex(8)}"
        try:
            _initialise(draft)
            os.link(draft, target)
        except FileExistsError:
            raise FileExists from None
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(self.path)

    def delete(self, name: str) -> None:
        database = self.database(name)
        database.drop()
        target = self._file(name)
        target.unlink(missing_ok=True)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        self._open.pop(name, None)
        _sync_folder(self.path)

    def database(self, name: str) -> SQLiteDatabase:
        database = self._open.get(name)
        if database is not None and database.connections.is_current():
            return database
        self._open.pop(name, None)
        path = self._file(name)
        if not path.exists():
            raise NotFound("Database does not exist.")
        return self._open.setdefault(name, SQLiteDatabase(name, path))

    def names(self) -> list[str]:
        found = (entry.name for entry in os.scandir(self.path) if entry.name.endswith(SUFFIX))
        return sorted(unquote(name.removesuffix(SUFFIX)) for name in found)

    def close(self) -> None:
        """Close connections; the store stays usable and opens new ones (after a fork, say)."""
        for database in list(self._open.values()):
            database.connections.close()

    def _file(self, name: str) -> Path:
        if not _NAME.match(name):
            raise IllegalDatabaseName
        return self.path / (quote(name, safe="") + SUFFIX)


def _initialise(path: Path) -> None:
    """A new, empty database file in WAL mode; closing it leaves this one file."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.executescript("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA synchronous = FULL;")
        migrate(connection)
        connection.execute(
            "INSERT INTO state (only, epoch, instance) VALUES (1, ?, ?)",
            (secrets.token_hex(4), str(time.time_ns() // 1000)),
        )
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _uuid(path: Path) -> str:
    """The store's own id, made once; of two processes that start at once, one makes it."""
    draft = path.with_name(f"draft-{secrets.token_hex(8)}")
    if not path.exists():
        draft.write_text(secrets.token_hex(16))
        with open(draft) as file:
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    return path.read_text().strip()


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
