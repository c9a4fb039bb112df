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
    doc_ids: Iterable[str] | None,
) -> ChangesPage:
    latest, epoch = position(connection)
    after = sequences.number_of(since, epoch)
    if after >= latest and not descending:
        return ChangesPage([], sequences.token(latest, epoch), 0)
    rows, pending = rows_after(connection, after, limit, descending, None, doc_ids)
    last = rows[-1][0] if rows else after
    if not pending and not descending:
        last = latest
    changes = [change(row, f"{row[0]}-{epoch}") for row in rows]
    return ChangesPage(changes, sequences.token(last, epoch), pending)


def rows_after(
    connection: sqlite3.Connection,
    after: int,
    limit: int | None,
    descending: bool,
    areas: Sequence[str] | None,
    doc_ids: Iterable[str] | None,
) -> tuple[list[Any], int]:
    """Rows for `change`, and how many more there are. `areas`: None for all."""
    if doc_ids is not None:
        return _of_documents(connection, after, limit, descending, areas, doc_ids)
    if areas is not None:
        return _of_areas(connection, after, limit, descending, areas)
    return _of_all(connection, after, limit, descending)


def change(row: Sequence[Any], seq: str) -> Change:
    _, doc_id, rev, deleted, leaves = row
    revs = (rev,) if leaves is None else orjson.loads(leaves)
    return Change(seq, doc_id, deleted == 1, revs)


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
        return rows, tally.count_of_areas(connection, after, areas) - len(rows)
    return rows, tally.count_of_areas(connection, rows[-1][0] if rows else after, areas)


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
    """Areas in which something changed, or which something left, after a sequence."""
    rows = connection.execute(
        "SELECT area FROM document WHERE seq > :after"
        " UNION SELECT area FROM move WHERE seq > :after",
        {"after": after},
    )
    return {area for (area,) in rows}


def has_changed(connection: sqlite3.Connection, since: str) -> bool:
    """Whether a page after `since` would hold anything."""
    latest, epoch = position(connection)
    return sequences.number_of(since, epoch) < latest
