"""How many documents stand after a given sequence, without counting them.

The changes feed answers `pending` on every page. Counting rows would cost what the database
holds; so each transaction keeps the number of documents per range of 2^8 and of 2^16 sequences,
for the database and for each area. A count is then at most 255 index entries, 255 small ranges
and the large ranges above.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection

SMALL, LARGE = 8, 16
EVERYWHERE = "*"
"""Stands for all areas; an area's own code holds digits only."""


class Tally:
    """Changes to the counts within one transaction."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: Counter[tuple[str, int]] = Counter()
        """By area and small range."""

    def add(self, area: str, seq: int) -> None:
        self._changes[area, seq >> SMALL] += 1

    def remove(self, area: str, seq: int) -> None:
        self._changes[area, seq >> SMALL] -= 1

    def _rows(self) -> Counter[tuple[str, int, int]]:
        rows: Counter[tuple[str, int, int]] = Counter()
        for (area, small), step in self._changes.items():
            large = small >> (LARGE - SMALL)
            for where in (EVERYWHERE, area):
                rows[where, SMALL, small] += step
                rows[where, LARGE, large] += step
        return rows

    def save(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (area, level, range)"
            " DO UPDATE SET documents = documents + excluded.documents",
            [(*key, step) for key, step in self._rows().items() if step],
        )


def count_of_areas(connection: sqlite3.Connection, seq: int, areas: Collection[str]) -> int:
    """As `count_after`, for several areas together."""
    next_small, next_large = (seq >> SMALL) + 1, (seq >> LARGE) + 1
    marks = ",".join("?" * len(areas))
    (count,) = connection.execute(
        "SELECT (SELECT count(*) FROM document"
        f"    WHERE area IN ({marks}) AND seq > ? AND seq < ?)"
        " + (SELECT ifnull(sum(documents), 0) FROM tally"
        f"    WHERE area IN ({marks}) AND level = ? AND range >= ? AND range < ?)"
        " + (SELECT ifnull(sum(documents), 0) FROM tally"
        f"    WHERE area IN ({marks}) AND level = ? AND range >= ?)",
        (
            *(*areas, seq, next_small << SMALL),
            *(*areas, SMALL, next_small, next_large << (LARGE - SMALL)),
            *(*areas, LARGE, next_large),
        ),
    ).fetchone()
    return int(count)


def count_after(connection: sqlite3.Connection, seq: int, area: str = EVERYWHERE) -> int:
    """Documents whose sequence is greater than `seq`, in one area or everywhere."""
    next_small = (seq >> SMALL) + 1
    next_large = (seq >> LARGE) + 1
    within = "" if area == EVERYWHERE else " AND area = :area"
    (count,) = connection.execute(
        f"SELECT (SELECT count(*) FROM document WHERE seq > :seq AND seq < :small_start{within})"
        " + (SELECT ifnull(sum(documents), 0) FROM tally"
        "    WHERE area = :area AND level = :small AND range >= :next_small AND range < :stop)"
        " + (SELECT ifnull(sum(documents), 0) FROM tally"
        "    WHERE area = :area AND level = :large AND range >= :next_large)",
        {
            "area": area,
            "seq": seq,
            "small_start": next_small << SMALL,
            "small": SMALL,
            "next_small": next_small,
            "stop": next_large << (LARGE - SMALL),
            "large": LARGE,
            "next_large": next_large,
        },
    ).fetchone()
    return int(count)
