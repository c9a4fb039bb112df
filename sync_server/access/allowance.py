"""How much a device has written: a warning in the log first, then a stop.

A tablet writes some hundred documents in its life. One that writes a hundred times as many has a
broken app, or is in wrong hands, and would fill the disk. It is told to come back later rather
than refused document by document: what it holds stays on it, unsent, until an admin has looked.
What it may write in one day is less, so that there is time to look.

Each process adds up what it stores and writes the sums down now and then, so a push costs no
second transaction. What a process that is killed had not written down is not counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    String,
    Table,
    case,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from sync_server.access import audit
from sync_server.access.accounts import Account
from sync_server.access.permissions import replicates_whole
from sync_server.access.tables import metadata
from sync_server.errors import NotFound, Unavailable

_log = logging.getLogger(__name__)

device_writes = Table(
    "device_writes",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("device", String(200), primary_key=True),
    Column("revisions", BigInteger, nullable=False),
    Column("day", Integer, nullable=False),
    Column("revisions_of_day", BigInteger, nullable=False),
)

UNWRITTEN_REVISIONS = 500
"""So many revisions of a device are added up before the sum is written down …"""
UNWRITTEN_SECONDS = 60.0
"""… or what there is, at its first write after so long."""

COME_BACK = 3600
DAY_SECONDS = 86_400

USED_UP = (
    "This tablet has sent as much as it may. What it holds is kept on it: do not delete the app, "
    "and tell the administrator. / ថេប្លេតនេះបានផ្ញើទិន្នន័យគ្រប់ចំនួនកំណត់ហើយ។ ទិន្នន័យនៅក្នុងថេប្លេតដដែល៖ "
    "សូមកុំលុបកម្មវិធី ហើយជូនដំណឹងដល់អ្នកគ្រប់គ្រង។"
)
DAY_USED_UP = (
    "This tablet has sent as much as it may in one day, and goes on tomorrow by itself. What it "
    "holds is kept on it: do not delete the app. If it is urgent, tell the administrator. / "
    "ថេប្លេតនេះបានផ្ញើទិន្នន័យគ្រប់ចំនួនកំណត់ក្នុងមួយថ្ងៃហើយ វានឹងបន្តដោយខ្លួនឯងនៅថ្ងៃស្អែក។ "
    "ទិន្នន័យនៅក្នុងថេប្លេតដដែល៖ សូមកុំលុបកម្មវិធី។ បើបន្ទាន់ សូមជូនដំណឹងដល់អ្នកគ្រប់គ្រង។"
)


class Written(NamedTuple):
    """Revisions that a device has written."""

    total: int = 0
    day: int = 0
    """The last day on which it wrote, in days since 1970 (UTC) …"""
    of_day: int = 0
    """… and how many it wrote then."""


@dataclass(slots=True)
class _Sum:
    written: Written
    """By all processes, when this one last looked."""
    at: float
    added: int = 0
    """By this process since."""
    is_warned: bool = False

    @property
    def total(self) -> int:
        return self.written.total + self.added

    def of_day(self, day: int) -> int:
        return self.added + (self.written.of_day if self.written.day == day else 0)


class Allowance:
    """What the devices have written, as one process knows it.

    Admins and replicators carry what others wrote, and are free.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        warning: int,
        most: int,
        most_per_day: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._warning = warning
        self._most = most
        self._most_per_day = most_per_day
        self._clock = clock
        self._lock = threading.Lock()
        self._writing_down = threading.Lock()
        self._sums: dict[tuple[str, str], _Sum] = {}

    def require(self, sender: Account, database: str) -> None:
        """Raises Unavailable where the device has written as much as it may."""
        if replicates_whole(sender, database) or self._refusal(sender) is None:
            return
        self._write_down(sender)
        if (refusal := self._refusal(sender)) is not None:
            raise Unavailable(refusal, retry_after=COME_BACK)

    def _refusal(self, sender: Account) -> str | None:
        known = self._sum(sender)
        if known.total >= self._most:
            return USED_UP
        return DAY_USED_UP if known.of_day(self._day()) >= self._most_per_day else None

    def add(self, sender: Account, database: str, revisions: int) -> None:
        """Of that many new revisions, which have been stored."""
        if not revisions or replicates_whole(sender, database):
            return
        known = self._sum(sender)
        with self._lock:
            known.added += revisions
        self._warn(sender, known)
        is_old = self._clock() - known.at >= UNWRITTEN_SECONDS
        if known.added >= UNWRITTEN_REVISIONS or is_old:
            self._write_down(sender)

    def renew(self, account: str, device: str, actor: str) -> int:
        """Count the device from nothing again; answers how much it had written.

        Raises NotFound for one that has written nothing.
        """
        with self._engine.begin() as connection:
            found = connection.execute(_row(select(device_writes.c.revisions), account, device))
            written: int | None = found.scalar()
            if written is None:
                raise NotFound(f"{account} has written nothing with a device named {device!r}.")
            connection.execute(_row(delete(device_writes), account, device))
            details = {"device": device, "revisions": written}
            audit.record(connection, actor, "device.allow", account, details=details)
        return written

    def written(self, account: str, device: str) -> Written:
        """As far as it is written down."""
        row = device_writes.c
        asked = select(row.revisions, row.day, row.revisions_of_day)
        with self._reading.begin() as connection:
            found = connection.execute(_row(asked, account, device)).first()
        return Written() if found is None else Written(*found)

    def _day(self) -> int:
        return int(self._clock() // DAY_SECONDS)

    def _sum(self, sender: Account) -> _Sum:
        key = (sender.name, sender.device)
        known = self._sums.get(key)
        if known is None:
            found = _Sum(self.written(*key), self._clock())
            known = self._sums.setdefault(key, found)
        return known

    def _warn(self, sender: Account, known: _Sum) -> None:
        if known.is_warned or known.total < self._warning:
            return
        known.is_warned = True
        told = (sender.device or "(none)", sender.name, known.total, self._most)
        _log.warning("device %s of %s has written %d revisions; at %d it is stopped", *told)

    def _write_down(self, sender: Account) -> None:
        known, day = self._sum(sender), self._day()
        with self._writing_down:
            with self._lock:
                # Nobody shall find it less while it is written down.
                known.written = Written(known.total, day, known.of_day(day))
                added, known.added = known.added, 0
            if added and not self._increase(sender.name, sender.device, added):
                self._insert(sender.name, sender.device, added)
            known.written = self.written(sender.name, sender.device)
            known.at = self._clock()

    def _increase(self, account: str, device: str, added: int) -> bool:
        with self._engine.begin() as connection:
            row, day = device_writes.c, self._day()
            more = update(device_writes).values(
                revisions=row.revisions + added,
                day=day,
                revisions_of_day=case((row.day == day, row.revisions_of_day + added), else_=added),
            )
            done = connection.execute(_row(more, account, device))
        return done.rowcount > 0

    def _insert(self, account: str, device: str, added: int) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    insert(device_writes).values(
                        account=account,
                        device=device,
                        revisions=added,
                        day=self._day(),
                        revisions_of_day=added,
                    )
                )
        except IntegrityError:  # Another process was first.
            self._increase(account, device, added)


def _row(statement: Any, account: str, device: str) -> Any:
    """The statement, of that device alone."""
    return statement.where(device_writes.c.account == account, device_writes.c.device == device)
