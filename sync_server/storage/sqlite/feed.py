"""The changes feed: each document once, at its latest sequence.

A page is read from an index on the sequence, or, for areas, from one index range per area, merged
as they are read. What lies outside of the page is never touched.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from sync_server.storage.base import Change, ChangesPage
from sync_server.storage.sqlite import records, sequences, tally

_COLUMNS = "seq, id, rev, deleted, leaves"


def position(connection: sqlite3.Connection) -> tuple[int, str]:
    """The latest sequence number, and the epoch."""
    number, epoch = connection.execute("SELECT update_seq, epoch FROM state").fetchone()
    return number, epoch


def changes(
    connection: sqlite3.Connection,
    since: str,
    limit: int | None,
    descending: bool,
    areas: Sequence[str] | None,
    doc_ids: Iterable[str] | None,
) -> ChangesPage:
    latest, epoch = position(connection)
    after = sequences.number_of(since, epoch)
    if after >= latest and not descending:
        return ChangesPage([], sequences.token(latest, epoch), 0)
    if doc_ids is not None:
        rows, pending = _of_documents(connection, after, limit, descending, areas, doc_ids)
    elif areas is not None:
        rows, pending = _of_areas(connection, after, limit, descending, areas)
    else:
        rows, pending = _of_all(connection, after, limit, descending)
    last = rows[-1][0] if rows else after
    if not pending and not descending:
        last = latest
    return ChangesPage([_change(row, epoch) for row in rows], sequences.token(last, epoch), pending)


def _change(row: Sequence[Any], epoch: str) -> Change:
    seq, doc_id, rev, deleted, leaves = row
    revs = (rev,) if leaves is None else orjson.loads(leaves)
    return Change(f"{seq}-{epoch}", doc_id, deleted == 1, revs)


def _order(descending: bool) -> str:
    return "DESC" if descending else "ASC"


def _of_all(
    connection: sqlite3.Connection, after: int, limit: int | None, descending: bool
) -> tuple[list[Any], int]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM document WHERE seq > ? ORDER BY seq {_order(descending)} LIMIT ?",
        (after, -1 if limit is None else limit),
    ).fetchall()
    if limit is None or len(rows) < limit:
        return rows, 0
    if not descending:
        return rows, tally.count_after(connection, rows[-1][0] if rows else after)
    return rows, tally.count_after(connection, after) - len(rows)


def _of_areas(
    connection: sqlite3.Connection,
    after: int,
    limit: int | None,
    descending: bool,
    areas: Sequence[str],
) -> tuple[list[Any], int]:
    cursors = [
        connection.execute(
            f"SELECT {_COLUMNS} FROM document WHERE area = ? AND seq > ?"
            f" ORDER BY seq {_order(descending)}",
            (area, after),
        )
        for area in dict.fromkeys(areas)
    ]
    merged = heapq.merge(*cursors, key=lambda row: int(row[0]), reverse=descending)
    rows = list(itertools.islice(merged, limit))
    for cursor in cursors:
        cursor.close()
    if limit is None or len(rows) < limit:
        return rows, 0
    if descending:
        return rows, _count_of_areas(connection, after, areas) - len(rows)
    return rows, _count_of_areas(connection, rows[-1][0] if rows else after, areas)


def _count_of_areas(connection: sqlite3.Connection, after: int, areas: Sequence[str]) -> int:
    return sum(tally.count_after(connection, after, area) for area in dict.fromkeys(areas))


def _of_documents(
    connection: sqlite3.Connection,
    after: int,
    limit: int | None,
    descending: bool,
    areas: Sequence[str] | None,
    doc_ids: Iterable[str],
) -> tuple[list[Any], int]:
    within = None if areas is None else set(areas)
    found = [
        row[:5]
        for row in _named(connection, list(dict.fromkeys(doc_ids)))
        if row[0] > after and (within is None or row[5] in within)
    ]
    found.sort(key=lambda row: int(row[0]), reverse=descending)
    page = found if limit is None else found[:limit]
    return page, len(found) - len(page)


def _named(connection: sqlite3.Connection, doc_ids: Sequence[str]) -> Iterator[Any]:
    for chunk, marks in records.chunks(doc_ids):
        yield from connection.execute(
            f"SELECT {_COLUMNS}, area FROM document WHERE id IN ({marks})", chunk
        )


def changed_areas(connection: sqlite3.Connection, after: int) -> set[str]:
    """Areas in which something changed after a sequence."""
    rows = connection.execute("SELECT DISTINCT area FROM document WHERE seq > ?", (after,))
    return {area for (area,) in rows}


def has_changed(connection: sqlite3.Connection, since: str, areas: Sequence[str] | None) -> bool:
    """Whether a page after `since` would hold anything."""
    latest, epoch = position(connection)
    after = sequences.number_of(since, epoch)
    if after >= latest:
        return False
    if areas is None:
        return True
    return any(
        connection.execute(
            "SELECT 1 FROM document WHERE area = ? AND seq > ? LIMIT 1", (area, after)
        ).fetchone()
        for area in areas
    )
