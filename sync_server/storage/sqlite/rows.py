"""Rows that a transaction has changed, gathered while it runs and written together at its end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from conflict.revision_tree import Node
from sync_server.errors import NotFound
from sync_server.storage.base import NO_ATTACHMENTS, AttachmentInfo, Origin, RevisionWrite
from sync_server.storage.sqlite import records
from sync_server.storage.sqlite.records import NEW, Document
from sync_server.storage.sqlite.tally import Tally

Row = tuple[Any, ...]

_COLUMNS = "number, id, area, seq, rev, deleted, body, live, leaves, tree, entered, entered_at"
_AREA = _COLUMNS.split(", ").index("area")
_DELETED = _COLUMNS.split(", ").index("deleted")
_OF_A_DOCUMENT = (("document", "number"), ("attachment", "document"), ("move", "document"))


class Rows:
    """Documents, bodies and the database's counters as this transaction will leave them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Raises NotFound where the database has been dropped."""
        self._connection = connection
        self._last_document: int
        self._last_body: int
        (
            self.seq,
            self._last_document,
            self._last_body,
            self.revs_limit,
            dropped,
            self.has_purged,
        ) = connection.execute(
            "SELECT update_seq, last_document, last_body, revs_limit, dropped,"
            " EXISTS (SELECT 1 FROM purged) FROM state"
        ).fetchone()
        if dropped:
            raise NotFound("Database does not exist.")
        self._touched: dict[str, Document] = {}
        self._inserted: dict[str, Row] = {}
        """Of documents that one revision made: nearly all, in a tablet's first push."""
        self._before: dict[int, tuple[str, bool]] = {}
        """Area and whether deleted, of documents that were stored already."""
        self._areas: dict[str, list[int]] = {}
        """Changes to the numbers of present and of deleted documents, by area."""
        self._now = time.time_ns() // 1_000_000
        self._moves: list[tuple[str, int, int, int, int, int]] = []
        self._tally = Tally()
        self._bodies: list[Row] = []
        self._superseded: list[tuple[int, int, int]] = []
        self._dropped_bodies: list[tuple[int]] = []

    # -- gathering ---------------------------------------------------------------

    def new_number(self) -> int:
        self._last_document += 1
        return self._last_document

    def keep_body(
        self,
        write: RevisionWrite,
        origin: Origin,
        infos: Mapping[str, AttachmentInfo] = NO_ATTACHMENTS,
    ) -> int:
        """The number under which the body will be found."""
        number = self._last_body = self._last_body + 1
        attachments = records.dump_attachments(infos) if infos else None
        account, device, received_at = origin.account, origin.device, origin.received_at
        self._bodies.append((number, write.body, attachments, account, device, received_at))
        return number

    def kept_body(self, number: int) -> tuple[bytes, str | None] | None:
        """Content and attachments of a body that this transaction has not written yet."""
        first = self._bodies[0][0] if self._bodies else number + 1
        return self._bodies[number - first][1:3] if number >= first else None

    def insert(self, document: Document, deleted: bool, body: int) -> None:
        """A new document of one path, with its tree encoded already."""
        seq = document.seq = document.entered = self.seq = self.seq + 1
        self._tally.add(document.area, seq)
        identity = (document.number, document.id, document.area, seq, document.rev)
        document.entered_at = self._now
        row = (*identity, deleted, body, not deleted, None, document.encoded, seq, self._now)
        self._inserted[document.id] = row

    def touch(self, document: Document, area: str | None = None) -> None:
        """Give the document the next sequence; the one it had is nobody's from now on.

        To be called before its winner changes. `area`: where it belongs from now on.
        """
        if document.id not in self._touched:
            self._touched[document.id] = document
            is_stored = document.seq != NEW and self._inserted.pop(document.id, None) is None
            if is_stored:
                tree = document.tree
                deleted = tree.nodes[tree.winner()].deleted
                self._before[document.number] = (document.area, deleted)
        self.seq += 1
        if document.seq == NEW:
            document.entered, document.entered_at = self.seq, self._now
        else:
            self._tally.remove(document.area, document.seq)
        if area is not None and area != document.area:
            self._move(document, area)
        document.seq = self.seq
        self._tally.add(document.area, self.seq)

    def _move(self, document: Document, area: str) -> None:
        if document.seq != NEW:
            stay = (document.number, document.entered, document.entered_at, self._now)
            self._moves.append((document.area, self.seq, *stay))
        document.area = area
        document.entered, document.entered_at = self.seq, self._now

    def supersede(self, document: Document, body: int) -> None:
        """The body belongs to an inner revision from this sequence on."""
        self._superseded.append((self.seq, body, document.number))

    def drop(self, nodes: Sequence[Node]) -> None:
        """The bodies of these nodes are no longer needed."""
        self._dropped_bodies += [(node.body,) for node in nodes if node.body is not None]

    # -- writing -----------------------------------------------------------------

    def save(self) -> None:
        connection = self._connection
        self._save_documents()
        connection.executemany("INSERT INTO body VALUES (?, ?, ?, ?, ?, ?)", self._bodies)
        connection.executemany(
            "INSERT OR IGNORE INTO superseded VALUES (?, ?, ?)", self._superseded
        )
        connection.executemany("DELETE FROM body WHERE number = ?", self._dropped_bodies)
        connection.executemany(
            "INSERT INTO move (area, seq, document, entered, entered_at, left_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            self._moves,
        )
        self._tally.save(connection)
        self._save_counts()

    def _save_counts(self) -> None:
        self._connection.executemany(
            "INSERT INTO area VALUES (?, ?, ?) ON CONFLICT (area) DO UPDATE SET"
            " documents = documents + excluded.documents, deleted = deleted + excluded.deleted",
            [(area, *counts) for area, counts in self._areas.items() if any(counts)],
        )
        present, deleted = (
            sum(counts[place] for counts in self._areas.values()) for place in (0, 1)
        )
        self._connection.execute(
            "UPDATE state SET update_seq = ?, doc_count = doc_count + ?,"
            " deleted_count = deleted_count + ?, last_document = ?, last_body = ?",
            (self.seq, present, deleted, self._last_document, self._last_body),
        )

    def _save_documents(self) -> None:
        kept: list[Row] = []
        for document in self._touched.values():
            if document.tree.nodes:
                kept.append(self._row(document))
            else:
                self._remove(document)
        for row in self._inserted.values():
            self._count(row[_AREA], row[_DELETED], 1)
        self._connection.executemany(
            f"INSERT INTO document ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (number) DO UPDATE SET"
            " area = excluded.area, seq = excluded.seq, rev = excluded.rev,"
            " deleted = excluded.deleted, body = excluded.body, live = excluded.live,"
            " leaves = excluded.leaves, tree = excluded.tree, entered = excluded.entered,"
            " entered_at = excluded.entered_at",
            [*kept, *self._inserted.values()],
        )

    def _row(self, document: Document) -> Row:
        tree = document.tree
        nodes = tree.nodes
        leaves = tree.leaves()
        winner = nodes[leaves[0]]
        self._recount(document, winner.deleted)
        return (
            document.number,
            document.id,
            document.area,
            document.seq,
            leaves[0],
            winner.deleted,
            winner.body,
            sum(not nodes[leaf].deleted for leaf in leaves),
            orjson.dumps(leaves).decode() if len(leaves) > 1 else None,
            tree.encode(),
            document.entered,
            document.entered_at,
        )

    def _recount(self, document: Document, deleted: bool | None) -> None:
        """Keep the counts; `deleted` None: the document is gone."""
        before = self._before.get(document.number)
        if before is not None:
            self._count(*before, -1)
        if deleted is not None:
            self._count(document.area, deleted, 1)

    def _count(self, area: str, deleted: bool, step: int) -> None:
        counts = self._areas.get(area)
        if counts is None:
            counts = self._areas[area] = [0, 0]
        counts[deleted] += step

    def _remove(self, document: Document) -> None:
        self._recount(document, None)
        self._tally.remove(document.area, document.seq)
        for table, column in _OF_A_DOCUMENT:
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (document.number,))
