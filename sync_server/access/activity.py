"""What tablets do, gathered in memory and written now and then.

A request only changes a few numbers in this process. Every device is written about once a
minute, several in one transaction, and all when the process ends; where it is killed, what it saw
since its last write is lost: at most a minute of counts, and no more than that.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from operator import itemgetter

from sqlalchemy import Engine

from sync_server.access.account_records import Account
from sync_server.access.devices import Acknowledgement
from sync_server.access.sightings import Sighting, save

WRITE_SECONDS = 60.0
"""A device is written no more often than this."""
LOOK_SECONDS = 5.0
"""How soon a device that was not seen for a while is written."""

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Account and device."""


class DeviceActivity:
    """Of this process. Requests that no device made are passed over."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[Key, Sighting] = {}
        self._written: dict[Key, float] = {}
        self._closed = threading.Event()
        self._writing_in = 0
        """The process whose thread writes now and then; 0 for none."""

    def seen(self, account: Account, user_agent: str = "", app_version: str = "") -> None:
        """The device made a request, or still listens to one that it made."""
        if not account.device:
            return
        with self._lock:
            seen = self._of(account)
            seen.user_agent = user_agent or seen.user_agent
            seen.app_version = app_version or seen.app_version

    def pushed(
        self,
        account: Account,
        *,
        documents: int,
        refused: int,
        conflicting: int,
        captured_at: int | None = None,
    ) -> None:
        """The device sent documents; `captured_at` is the newest time that they state."""
        if not account.device:
            return
        with self._lock:
            seen = self._of(account)
            seen.pushed += documents
            seen.refused += refused
            seen.conflicting += conflicting
            if captured_at is not None:
                seen.clock_skew_ms = captured_at - seen.at

    def acknowledged(self, account: Account, database: str, sequence: str, replicator: str) -> None:
        """The device keeps all of a database up to this sequence."""
        if not account.device:
            return
        with self._lock:
            seen = self._of(account)
            seen.acknowledged[database] = Acknowledgement(sequence, seen.at)
            seen.replicator = replicator

    def write(self, *, everything: bool = False) -> int:
        """Write the devices whose turn it is, or all; answers how many."""
        now = self._clock()
        with self._lock:
            due = [
                key
                for key in self._seen
                if everything or now - self._written.get(key, 0.0) >= WRITE_SECONDS
            ]
            taken = {key: self._seen.pop(key) for key in due}
            self._written.update(dict.fromkeys(due, now))
        if taken:
            with self._engine.begin() as connection:
                for (account, device), seen in sorted(taken.items(), key=itemgetter(0)):
                    save(connection, account, device, seen)
        return len(taken)

    def close(self) -> None:
        """Write what is left; nothing is gathered in the background any more."""
        self._closed.set()
        self._writing_in = 0
        self._try_to_write(everything=True)

    # -- inside ----------------------------------------------------------------

    def _of(self, account: Account) -> Sighting:
        if self._writing_in != os.getpid():
            self._start_writing()
        seen = self._seen.setdefault((account.name, account.device), Sighting())
        seen.at = int(self._clock() * 1000)
        return seen

    def _start_writing(self) -> None:
        """Begin a thread; one that was begun before a fork does not run in the child."""
        self._closed, self._writing_in = threading.Event(), os.getpid()
        threading.Thread(
            target=self._write_now_and_then, args=(self._closed,), name="activity", daemon=True
        ).start()

    def _write_now_and_then(self, closed: threading.Event) -> None:
        while not closed.wait(LOOK_SECONDS):
            self._try_to_write()

    def _try_to_write(self, *, everything: bool = False) -> None:
        try:
            self.write(everything=everything)
        except Exception:
            _log.exception("what tablets did could not be written")
