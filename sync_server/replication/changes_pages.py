"""Pages of the changes feed, filtered, and their rows as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sync_server.replication.all_docs import winners_json
from sync_server.replication.changes_query import ChangesQuery
from sync_server.replication.rendering import quoted
from sync_server.storage.base import Change, ChangesPage, Database

PAGE_ROWS = 5000
"""Rows read from storage at once; a feed of any length needs no more memory than that."""

PAGE_DOCUMENTS = 500
"""As PAGE_ROWS, where documents are read along with the rows."""

DOCUMENTS_AT_ONCE = 50
"""Documents that an answer holds at the same time, unless with contents of attachments."""


class Page(NamedTuple):
    """Rows that passed the filter; `last_seq` and `pending` count the others too."""

    rows: Sequence[Change]
    last_seq: str
    pending: int


def pages(database: Database, query: ChangesQuery, since: str, limit: int | None) -> Iterator[Page]:
    """What changed after `since`, at least one page, until nothing or none of `limit` is left."""
    if query.descending:
        # Storage reads back from the latest, so there is no place to go on from.
        size = limit if query.filter.keep is None else None
        yield _filtered(database, query, _read(database, query, since, size), limit)
        return
    while True:
        reads_documents = query.include_docs or query.filter.keep is not None
        size = PAGE_DOCUMENTS if reads_documents else PAGE_ROWS
        if limit is not None and query.filter.keep is None:
            size = min(size, limit)
        stored = _read(database, query, since, size)
        page = _filtered(database, query, stored, limit)
        yield page
        if limit is not None:
            limit -= len(page.rows)
        if limit == 0 or not stored.pending:
            return
        since = page.last_seq


def _read(database: Database, query: ChangesQuery, since: str, size: int | None) -> ChangesPage:
    return database.changes(
        since, limit=size, descending=query.descending, doc_ids=query.filter.doc_ids
    )


def _filtered(
    database: Database, query: ChangesQuery, stored: ChangesPage, limit: int | None
) -> Page:
    rows = stored.rows
    if query.filter.keep is not None and rows:
        keep = query.filter.keep
        rows = [row for some in _slices(rows, PAGE_DOCUMENTS) for row in keep(database, some)]
    if limit is None or len(rows) < limit or (limit and rows is stored.rows and len(rows) == limit):
        return Page(rows, stored.last_seq, stored.pending)
    return _cut(rows[:limit], stored, limit)


def _cut(rows: Sequence[Change], stored: ChangesPage, limit: int) -> Page:
    """The page ends at its last row, so that nothing behind it is passed over."""
    if not rows:
        return Page(rows, stored.last_seq, stored.pending + len(stored.rows))
    last = rows[-1].seq
    behind = next(i for i, row in enumerate(stored.rows) if row.seq == last)
    return Page(rows, last, stored.pending + len(stored.rows) - behind - 1)


def portions(query: ChangesQuery, page: Page) -> Iterator[Page]:
    """The page in parts whose documents may be held at the same time."""
    size = PAGE_ROWS
    if query.include_docs:
        size = 1 if query.view.wants_contents else DOCUMENTS_AT_ONCE
    rows = page.rows
    starts = range(0, len(rows), size)
    for start in starts[:-1]:
        some = rows[start : start + size]
        yield Page(some, some[-1].seq, page.pending + len(rows) - start - size)
    yield page._replace(rows=rows[starts[-1] :] if starts else rows)


def _slices(rows: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def rows_json(
    database: Database, query: ChangesQuery, rows: Sequence[Change], before: int = 0
) -> list[bytes]:
    """The rows as JSON. `before` rows of the same answer were rendered already."""
    interval = query.seq_interval
    last = len(rows) - 1
    heads = [
        _head(row, query.all_leaves, i == last or (before + i + 1) % interval == 0)
        for i, row in enumerate(rows)
    ]
    if not query.include_docs:
        return [b"%b}" % head for head in heads]
    documents = _documents(database, query, rows)
    return [b'%b,"doc":%b}' % pair for pair in zip(heads, documents, strict=True)]


def _documents(database: Database, query: ChangesQuery, rows: Sequence[Change]) -> list[bytes]:
    ids = [row.doc_id for row in rows if not row.departed]
    winners = iter(winners_json(database, ids, query.view, conflicts=query.conflicts))
    return [_tombstone(row) if row.departed else next(winners) for row in rows]


def _tombstone(row: Change) -> bytes:
    head = f'{{"_id":{quoted(row.doc_id)},"_rev":"{row.leaves[0]}","_deleted":true}}'
    return head.encode()


def _head(row: Change, all_leaves: bool, tells_seq: bool) -> bytes:
    revs = '"},{"rev":"'.join(row.leaves) if all_leaves else row.leaves[0]
    seq = f'"{row.seq}"' if tells_seq else "null"
    deleted = ',"deleted":true' if row.deleted else ""
    return (
        f'{{"seq":{seq},"id":{quoted(row.doc_id)},"changes":[{{"rev":"{revs}"}}]{deleted}'
    ).encode()
