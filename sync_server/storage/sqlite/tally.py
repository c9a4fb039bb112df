"""How many documents stand after a given sequence, without counting them.

The changes feed answers `pending` on every page. Counting rows would cost what the database
holds; so each transaction keeps the number of documents per range of 2^8 and of 2^16 sequences,
and a count is at most 255 index entries, 255 small ranges and the large ranges above.
"""

from __future__ import annotations

import sqlite3
from collections import Counter

SMALL, LARGE = 8, 16


class Tally:
    """Changes to the counts within one transaction."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: Counter[tuple[int, int]] = Counter()

    def add(self, seq: int) -> None:
        self._count(seq, 1)

    def remove(self, seq: int) -> None:
        self._count(seq, -1)

    def _count(self, seq: int, step: int) -> None:
        self._changes[SMALL, seq >> SMALL] += step
        self._changes[LARGE, seq >> LARGE] += step

    def save(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (level, range)"
            " DO UPDATE SET documents = documents + excluded.documents",
            [(level, part, step) for (level, part), step in self._changes.items() if step],
        )


def count_after(connection: sqlite3.Connection, seq: int) -> int:
    """Documents whose sequence is greater than `seq`."""
    next_small = (seq >> SMALL) + 1
    next_large = (seq >> LARGE) + 1
    (count,) = connection.execute(
        "SELECT (SELECT count(*) FROM document WHERE seq > ? AND seq < ?)"
        " + (SELECT ifnull(sum(documents), 0) FROM tally"
        "    WHERE level = ? AND range >= ? AND range < ?)"
        " + (SELECT ifnull(sum(documents), 0) FROM tally WHERE level = ? AND range >= ?)",
        (
            seq,
            next_small << SMALL,
            SMALL,
            next_small,
            next_large << (LARGE - SMALL),
            LARGE,
            next_large,
        ),
    ).fetchone()
    return int(count)


def count_before(connection: sqlite3.Connection, seq: int) -> int:
    """Documents whose sequence is less than `seq`."""
    return count_after(connection, -1) - count_after(connection, seq - 1)
