"""Connections to one database file: many readers, one writer at a time across all processes."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sync_server.errors import NotFound, StorageFull, Unavailable
from sync_server.storage.sqlite.schema import migrate

CACHE_KIB = 16_384
KEPT_LOG_BYTES = 32 * 1024 * 1024
"""A log that one large batch has made longer is cut to this once it is emptied."""
MAPPED_BYTES = 2**31
"""Of a file, read in the kernel's own page cache instead of being copied from it: the documents of
one commune are scattered over a large file, and each is a page that no cache of ours would hold.
"""

WRITE_PATIENCE = 30.0
"""Seconds to wait for other processes' transactions before the client is told to come back."""

RECOVERY_PATIENCE = 10.0
"""Seconds a reader waits while another process recovers the log that a crash left behind."""

_WAIT_IN_SQLITE = f"PRAGMA busy_timeout = {int(RECOVERY_PATIENCE * 1000)}"

_inherited: list[object] = []
"""Connections of a parent process: kept from the garbage collector, because closing them in the
child would drop the parent's file locks."""

NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
"""A full disk is the first; a quota or a limit on the size of files is the second."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection on which a commit returns once it is on disk.

    The file is in WAL mode since it was made (see `store.py`).
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        timeout=RECOVERY_PATIENCE,
    )
    connection.executescript(
        f"""
        PRAGMA synchronous = FULL;
        PRAGMA cache_size = -{CACHE_KIB};
        PRAGMA temp_store = MEMORY;
        PRAGMA wal_autocheckpoint = 4000;
        PRAGMA journal_size_limit = {KEPT_LOG_BYTES};
        PRAGMA mmap_size = {MAPPED_BYTES};
        """
    )
    return connection


def patiently(attempt: Callable[[], object]) -> None:
    """Repeat `attempt` while another process holds the lock.

    Sleeping here rather than in SQLite lets other requests of this process go on meanwhile.
    Raises Unavailable after `WRITE_PATIENCE` seconds.
    """
    deadline = time.monotonic() + WRITE_PATIENCE
    pause = 0.0005
    while True:
        try:
            attempt()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise Unavailable from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)
        else:
            return


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Raises StorageFull where there is no room for what SQLite writes."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) in NO_ROOM:
            raise StorageFull from error
        raise


class Connections:
    """The connections of this process; opened as they are needed, kept for the next use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._idle: deque[sqlite3.Connection] = deque()
        self._write_lock = threading.Lock()
        self._file = 0

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            _inherited.append(self._idle)
            self._forget()

    def open(self) -> sqlite3.Connection:
        """A new connection. Raises NotFound where the database has been deleted."""
        try:
            connection = connect(self.path)
            patiently(lambda: migrate(connection))
            self._file = os.stat(self.path).st_ino
        except (sqlite3.OperationalError, FileNotFoundError) as error:
            if not self.path.exists():
                raise NotFound("Database does not exist.") from error
            raise
        return connection

    def is_current(self) -> bool:
        """Whether the file at the path is still the one these connections opened."""
        try:
            return self._file in (0, os.stat(self.path).st_ino)
        except FileNotFoundError:
            return False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; each statement sees one state of the database."""
        self._after_fork()
        connection = self._take()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def _take(self) -> sqlite3.Connection:
        """The one used last: the pages that it holds are the likeliest to be current, and where
        it was the last to write, all of them are.
        """
        try:
            return self._idle.pop()
        except IndexError:
            return self.open()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """As `read`, with all statements seeing the same state."""
        with self.read() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on disk when the block ends, undone where it raises."""
        self._after_fork()
        with full_disk_told(), self._write_lock, self.read() as connection:
            connection.execute("PRAGMA busy_timeout = 0")  # `patiently` waits instead
            try:
                patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                connection.execute(_WAIT_IN_SQLITE)

    def close(self) -> None:
        """Close what is idle; later uses open anew."""
        self._after_fork()
        while self._idle:
            self._idle.pop().close()
        self._file = 0
