"""Compaction and purge."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from itertools import groupby

from conflict.branches import merged_into
from conflict.revision_tree import RevisionTree
from sync_server.storage.sqlite import attachments, records
from sync_server.storage.sqlite.connections import Connections

STEP = 500
"""Superseded bodies looked at in one transaction, so that writers get their turn. The other
requests of this process get theirs between two steps, by a sleep of no length.
"""

FREED_PAGES = 1000
"""Pages given back to the system in one transaction."""


def compact(connections: Connections, horizon: int) -> None:
    """Drop superseded bodies up to a sequence, but for those that a merge may need."""
    after = (-1, -1)
    while True:
        with connections.write() as connection:
            rows = connection.execute(
                "SELECT seq, body, document FROM superseded"
                " WHERE (seq, body) > (?, ?) AND seq <= ? ORDER BY seq, body LIMIT ?",
                (*after, horizon, STEP),
            ).fetchall()
            for document, group in groupby(sorted(rows, key=lambda row: int(row[2])), _document):
                _compact_document(connection, document, [(seq, body) for seq, body, _ in group])
        if len(rows) < STEP:
            break
        after = rows[-1][:2]
        time.sleep(0)
    _give_pages_back(connections)
    with connections.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _give_pages_back(connections: Connections) -> None:
    """Shorten the file by its free pages, some at a time: each step moves others into the log."""
    before = 0
    while True:
        with connections.write() as connection:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            if free in (0, before):
                return
            for _ in range(min(free, FREED_PAGES)):
                # Without a number, too, the sqlite3 module takes one step of it: a page.
                connection.execute("PRAGMA incremental_vacuum(1)")
        before = free
        time.sleep(0)


def _document(row: Sequence[int]) -> int:
    return row[2]


def _compact_document(
    connection: sqlite3.Connection, number: int, superseded: Iterable[tuple[int, int]]
) -> None:
    row = connection.execute("SELECT tree FROM document WHERE number = ?", (number,)).fetchone()
    if row is None:  # purged since
        connection.executemany("DELETE FROM superseded WHERE (seq, body) = (?, ?)", superseded)
        return
    tree = RevisionTree.decode(row[0])
    keep = bases(connection, tree)
    by_body = {node.body: rev for rev, node in tree.nodes.items() if node.body is not None}
    for seq, body in superseded:
        rev = by_body.get(body)
        if rev in keep:
            continue  # looked at again by the next compaction
        connection.execute("DELETE FROM superseded WHERE (seq, body) = (?, ?)", (seq, body))
        connection.execute("DELETE FROM body WHERE number = ?", (body,))
        if rev is not None:
            tree.nodes[rev].body = None
    connection.execute("UPDATE document SET tree = ? WHERE number = ?", (tree.encode(), number))
    _drop_attachments(connection, number, tree)


def bases(connection: sqlite3.Connection, tree: RevisionTree) -> set[str]:
    """Revisions that keep their bodies: the leaves, and where branches part that are not settled.

    Each of these forks may be the base. A tablet that went on from a branch that was merged
    already is merged against the revision that it went on from, which is no common ancestor.
    """
    keep = set(tree.leaves())
    if _is_disputed(connection, tree):
        keep |= tree.forks()
    return keep


def _is_disputed(connection: sqlite3.Connection, tree: RevisionTree) -> bool:
    live = tree.live_leaves()
    tombstones = [tree.nodes[rev].body for rev in tree.leaves() if tree.nodes[rev].deleted]
    if len(live) > 1 or not live:
        return bool(live)
    return any(
        merged_into(records.load_body(connection, body)[0]) is None
        for body in tombstones
        if body is not None
    )


def _drop_attachments(connection: sqlite3.Connection, number: int, tree: RevisionTree) -> None:
    kept = [node.body for node in tree.nodes.values() if node.body is not None]
    texts = [
        text
        for chunk, marks in records.chunks(kept)
        for (text,) in connection.execute(
            f"SELECT attachments FROM body WHERE number IN ({marks})", chunk
        )
    ]
    attachments.drop_unused(connection, number, records.digests(texts))
