"""Waking those who wait for a change, whichever process made it.

`PRAGMA data_version` changes on a connection when any other connection commits, in this process
or another, and costs a look at shared memory. While somebody waits, one thread per database and
process looks at it; nothing needs to be sent, so nothing can be lost or stay behind.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Collection

from sync_server.errors import NotFound
from sync_server.storage.sqlite import feed
from sync_server.storage.sqlite.connections import Connections

INTERVAL = 0.05
"""Seconds between looks: well within the 250 ms that the seam promises."""
LINGER = 100
"""Looks without anybody waiting, after which the thread ends."""


class _Waiter:
    __slots__ = ("areas", "event")

    def __init__(self, areas: Collection[str] | None) -> None:
        self.areas = None if areas is None else frozenset(areas)
        self.event = threading.Event()


class Watch:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()
        self._thread: threading.Thread | None = None
        self._looking = threading.Event()
        """Set once the thread has had its first look: what is committed from then on, it sees."""
        self._kick = threading.Event()

    def kick(self) -> None:
        """A commit of this process: look at once."""
        if self._process == os.getpid() and self._waiters:
            self._kick.set()

    def wait(
        self,
        timeout: float,
        areas: Collection[str] | None,
        has_changed: Callable[[sqlite3.Connection], bool],
    ) -> bool:
        """Until something changes in one of the areas (None: anywhere). `has_changed` looks
        whether it has already, once changes are watched for.
        """
        if self._process != os.getpid():
            self._forget()
        waiter = _Waiter(areas)
        looking = self._enter(waiter)
        try:
            looking.wait(timeout)
            with self._connections.read() as connection:
                changed = has_changed(connection)
            return changed or waiter.event.wait(timeout)
        finally:
            self._waiters.discard(waiter)

    def _enter(self, waiter: _Waiter) -> threading.Event:
        with self._lock:
            self._waiters.add(waiter)
            if self._thread is None:
                self._looking = threading.Event()
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            return self._looking

    def _run(self) -> None:
        try:
            connection = self._connections.open()
        except NotFound:
            self._end()
            return
        try:
            self._follow(connection)
        finally:
            connection.close()
            self._end()

    def _end(self) -> None:
        """Wake everybody: whoever still waits will find out why, or starts a new thread."""
        with self._lock:
            self._thread = None
            self._looking.set()
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.event.set()

    def _follow(self, connection: sqlite3.Connection) -> None:
        version, seen = self._look(connection)
        self._looking.set()
        idle = 0
        while idle < LINGER and self._connections.is_current():
            idle = 0 if self._waiters else idle + 1
            self._kick.wait(INTERVAL)
            self._kick.clear()
            latest = connection.execute("PRAGMA data_version").fetchone()[0]
            if latest != version:
                version, number = self._look(connection)
                self._wake(connection, seen)
                seen = number

    @staticmethod
    def _look(connection: sqlite3.Connection) -> tuple[int, int]:
        """The version first: a commit between the two is seen again, never missed."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return version, feed.position(connection)[0]

    def _wake(self, connection: sqlite3.Connection, seen: int) -> None:
        waiters = list(self._waiters)
        if not waiters:
            return
        areas = feed.changed_areas(connection, seen)
        if not areas:
            return
        for waiter in waiters:
            if waiter.areas is None or not waiter.areas.isdisjoint(areas):
                waiter.event.set()
