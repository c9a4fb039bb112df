"""The embedded engine: a folder with one SQLite file per database."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from sync_server.errors import FileExists, IllegalDatabaseName, NotFound
from sync_server.storage.base import DocumentStore
from sync_server.storage.sqlite.connections import full_disk_told
from sync_server.storage.sqlite.database import SQLiteDatabase
from sync_server.storage.sqlite.schema import migrate

_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]{0,127}\Z")
SUFFIX = ".couch.sqlite3"
MAX_FILE_NAME = 220
"""Bytes of a file's name before its suffixes; file systems take 255 with them."""

_COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file and finds again by its name alone."""


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
        with self._turn():
            if target.exists():
                raise FileExists
            draft = self.path / "draft"
            for path in (draft, target):
                _remove(path)  # what a crash or a full disk has left behind
            _sync_folder(self.path)
            with full_disk_told():
                _initialise(draft)
            os.rename(draft, target)
            _sync_folder(self.path)

    def delete(self, name: str) -> None:
        database = self.database(name)
        database.drop()
        target = self._file(name)
        with self._turn():
            if not database.connections.is_current():
                return  # somebody else was first, and it may have been made again since
            target.unlink(missing_ok=True)
            _sync_folder(self.path)
            _remove(target)
        self._open.pop(name, None)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process or greenlet at a time: a log that belongs to no file would be taken for
        that of a file of the same name, so nobody may make one while another tidies up.
        """
        with open(self.path / "files.lock", "a") as lock:
            while not _has_locked(lock.fileno()):
                time.sleep(0.01)
            yield

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
        encoded = quote(name, safe="")
        if len(encoded) > MAX_FILE_NAME:
            raise IllegalDatabaseName("The database's name is too long.")
        return self.path / (encoded + SUFFIX)


def _has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(path: Path) -> None:
    for suffix in ("", *_COMPANIONS):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


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
        for folder in list(path.parents)[:3]:  # the folders may be new themselves
            _sync_folder(folder)
    return path.read_text().strip()


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
