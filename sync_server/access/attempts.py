"""Rows of attempts to sign in, per bucket: how many failures count, and until when none is taken.

What `throttle.py` decides is kept here, in transactions of its own. Times in milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, select, text, tuple_, update

from sync_server.access.device_tables import attempts

FIRST_WAIT_SECONDS = 30.0
KEPT_MS = 7 * 86_400_000
"""Longer than any count takes to be forgotten."""

Key = tuple[str, str]
Rows = Mapping[Key, Row[Any]]


class Limit(NamedTuple):
    """How many failures are free, and after how long one is forgotten."""

    free: int
    forget_seconds: float

    def left(self, level: float, seconds: float) -> float:
        """What still counts of a level, so many seconds later."""
        return max(0.0, level - seconds / self.forget_seconds)

    def wait(self, level: float) -> float:
        """Seconds until the next attempt, once so many failures count."""
        over = level - self.free
        if over <= 0:
            return 0.0
        return min(
            self.forget_seconds, math.ldexp(FIRST_WAIT_SECONDS, min(math.ceil(over) - 1, 64))
        )


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where failures are counted: a name (hashed), an address, or both."""

    name: str
    address: str
    limit: Limit

    @property
    def key(self) -> Key:
        return self.name, self.address

    @property
    def row(self) -> ColumnElement[bool]:
        return (attempts.c.name_sha256 == self.name) & (attempts.c.address == self.address)


class Counted(NamedTuple):
    """A failure that was counted beforehand."""

    bucket: Bucket
    blocked_until: int


def read(connection: Connection, buckets: Sequence[Bucket], *, lock: bool = False) -> Rows:
    """By key; a bucket without failures may have no row."""
    columns = (attempts.c.name_sha256, attempts.c.address)
    query = (
        select(attempts)
        .where(tuple_(*columns).in_([bucket.key for bucket in buckets]))
        .order_by(*columns)
    )
    found = connection.execute(query.with_for_update() if lock else query)
    return {(row.name_sha256, row.address): row for row in found}


def make_rows(connection: Connection, buckets: Sequence[Bucket], now: int) -> None:
    """Rows to lock, where there are none yet. Those that say nothing any more go."""
    connection.execute(delete(attempts).where(attempts.c.keep_until < now))
    connection.execute(
        text(
            "INSERT INTO attempts (name_sha256, address, level, counted_at, blocked_until,"
            " known_until, keep_until) VALUES (:name, :address, 0, :now, 0, 0, :now)"
            " ON CONFLICT (name_sha256, address) DO NOTHING"
        ),
        [{"name": bucket.name, "address": bucket.address, "now": now} for bucket in buckets],
    )


def count(connection: Connection, bucket: Bucket, row: Row[Any], now: int) -> Counted:
    """One failure more."""
    limit = bucket.limit
    level = limit.left(row.level, max(0, now - row.counted_at) / 1000) + 1.0
    until = now + int(limit.wait(level) * 1000)
    connection.execute(
        update(attempts)
        .where(bucket.row)
        .values(
            level=level,
            counted_at=now,
            blocked_until=until,
            keep_until=max(row.known_until, now + KEPT_MS),
        )
    )
    return Counted(bucket, until)


def take_back(connection: Connection, counted: Sequence[Counted]) -> None:
    """One failure less; the wait goes too, unless somebody else has failed meanwhile."""
    for bucket, until in counted:
        row = update(attempts).where(bucket.row)
        connection.execute(row.values(level=attempts.c.level - 1.0))
        connection.execute(row.where(attempts.c.blocked_until == until).values(blocked_until=0))


def make_known(connection: Connection, bucket: Bucket, until: int) -> None:
    """This name has signed in from this address."""
    connection.execute(
        update(attempts).where(bucket.row).values(known_until=until, keep_until=until)
    )


def clear(connection: Connection, name: str) -> None:
    """Forget the failures of a name (hashed), wherever they came from."""
    connection.execute(
        update(attempts).where(attempts.c.name_sha256 == name).values(level=0.0, blocked_until=0)
    )
