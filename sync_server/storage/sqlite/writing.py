"""Storing revisions: one batch, one transaction, one fsync.

The documents of the batch are read together, the trees are changed in memory, and everything is
written together: a hundred small documents cost a few statements.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from conflict.revision import generation
from conflict.revision_tree import Graft, Node, RevisionTree
from sync_server.errors import Conflict, NotFound, SyncError
from sync_server.storage.base import AttachmentInfo, Origin, Revisions, RevisionWrite, WriteResult
from sync_server.storage.sqlite import attachments, records
from sync_server.storage.sqlite.records import Document
from sync_server.storage.sqlite.tally import Tally

NEW = 0
"""The sequence of a document that has not been stored yet."""


class Batch:
    """Writes within one transaction; `save` must be called before it commits."""

    def __init__(self, connection: sqlite3.Connection, doc_ids: Sequence[str]) -> None:
        self.connection = connection
        row = connection.execute(
            "SELECT update_seq, doc_count, deleted_count, last_document, last_body, revs_limit,"
            " dropped, EXISTS (SELECT 1 FROM purged) FROM state"
        ).fetchone()
        (
            self.seq,
            self.doc_count,
            self.deleted_count,
            self._last_document,
            self._last_body,
            self.revs_limit,
            dropped,
            self._has_purged,
        ) = row
        if dropped:
            raise NotFound("Database does not exist.")
        self._documents = records.find_many(connection, list(dict.fromkeys(doc_ids)))
        self._was_deleted: dict[int, bool] = {}
        self._touched: dict[str, Document] = {}
        self._tally = Tally()
        self._bodies: list[tuple[Any, ...]] = []
        self._superseded: list[tuple[int, int, int]] = []
        self._dropped_bodies: list[tuple[int]] = []

    # -- one revision ------------------------------------------------------------

    def replicate(self, write: RevisionWrite, origin: Origin) -> WriteResult:
        """Graft a revision that was made elsewhere (`new_edits=false`)."""
        revisions = write.revisions
        if revisions is None:
            raise ValueError("a replicated revision names itself")
        rev = revisions.rev
        document = self._document(write)
        if rev in document.tree or (self._has_purged and self._is_purged(write.doc_id, rev)):
            known = WriteResult(write.doc_id, rev, changed=False)
            if rev in document.tree:
                self._lengthen(document, revisions)
            return known
        ids = revisions.ids
        parent = f"{revisions.start - 1}-{ids[1]}" if len(ids) > 1 else None
        try:
            infos = self._attachments(document, write, revisions.start, revisions)
        except SyncError as error:
            return WriteResult(write.doc_id, None, error)
        return self._store(document, write, revisions, parent, infos, origin)

    def edit(self, write: RevisionWrite, origin: Origin) -> WriteResult:
        """Make a new revision on the leaf that the client saw (`new_edits=true`)."""
        document = self._document(write)
        try:
            parent = self._parent(document, write)
            number = generation(parent) + 1 if parent else 1
            above = records.revisions_of(document.tree, parent) if parent else None
            infos = self._attachments(document, write, number, above)
        except SyncError as error:
            return WriteResult(write.doc_id, None, error)
        rev_hash = self._new_hash(write, parent, infos)
        revisions = Revisions(number, [rev_hash, *(above.ids if above else ())])
        if revisions.rev in document.tree:
            return WriteResult(write.doc_id, None, Conflict())
        return self._store(document, write, revisions, parent, infos, origin)

    def _parent(self, document: Document, write: RevisionWrite) -> str | None:
        tree = document.tree
        if write.revisions is None:
            if not tree.nodes:
                return None
            winner = tree.winner()
            if tree.nodes[winner].deleted:
                return winner  # a document that comes back continues its tombstone
            raise Conflict
        parent = write.revisions.rev
        if parent not in tree or not tree.is_leaf(parent):
            raise Conflict
        return parent

    def _attachments(
        self,
        document: Document,
        write: RevisionWrite,
        number: int,
        revisions: Revisions | None,
    ) -> dict[str, AttachmentInfo]:
        if not write.attachments:
            return {}
        parent = next(
            (rev for rev in (revisions.revs() if revisions else ()) if rev in document.tree), None
        )
        infos, contents = {}, {}
        for name, sent in write.attachments.items():
            if sent.data is None:
                infos[name] = attachments.resolve_stub(
                    self.connection, document.tree, parent, name, sent
                )
            else:
                info = attachments.describe(sent, number)
                infos[name] = info
                contents[info.digest] = sent.data
        attachments.save(self.connection, document.number, contents)
        return infos

    @staticmethod
    def _new_hash(
        write: RevisionWrite, parent: str | None, infos: dict[str, AttachmentInfo]
    ) -> str:
        """The same edit of the same revision has the same id on every peer that uses this."""
        named = sorted((name, info.content_type, info.digest) for name, info in infos.items())
        seed = orjson.dumps([write.deleted, parent, named])
        return hashlib.md5(seed + write.body, usedforsecurity=False).hexdigest()

    # -- trees -------------------------------------------------------------------

    def _document(self, write: RevisionWrite) -> Document:
        document = self._documents.get(write.doc_id)
        if document is None:
            self._last_document += 1
            document = Document(self._last_document, write.doc_id, "", NEW, "", b"")
            self._documents[write.doc_id] = document
        return document

    def _store(
        self,
        document: Document,
        write: RevisionWrite,
        revisions: Revisions,
        parent: str | None,
        infos: dict[str, AttachmentInfo],
        origin: Origin,
    ) -> WriteResult:
        tree = document.tree
        self._touch(document, write.area)
        self._last_body += 1
        self._bodies.append(
            (
                self._last_body,
                write.body,
                records.dump_attachments(infos),
                origin.account,
                origin.device,
                origin.received_at,
            )
        )
        start, ids = revisions
        done = tree.graft(start, ids, deleted=write.deleted, body=self._last_body)
        if done is Graft.EXTENDED and parent is not None:
            above = tree.nodes[parent]
            if above.body is not None:
                self._superseded.append((self.seq, above.body, document.number))
        self._drop(tree.stem(self.revs_limit))
        return WriteResult(write.doc_id, revisions.rev)

    def _lengthen(self, document: Document, revisions: Revisions) -> None:
        """A known revision may come with ancestors that were not known."""
        before = len(document.tree)
        document.tree.graft(revisions.start, revisions.ids)
        document.tree.stem(self.revs_limit)
        if len(document.tree) != before:
            self._touch(document)

    def _touch(self, document: Document, area: str | None = None) -> None:
        """Give the document the next sequence; the one it had is nobody's from now on."""
        if document.id not in self._touched:
            self._touched[document.id] = document
            if document.seq != NEW:
                self._was_deleted[document.number] = self._is_deleted(document.tree)
        if document.seq != NEW:
            self._tally.remove(document.area, document.seq)
        if area is not None:
            document.area = area
        self.seq += 1
        document.seq = self.seq
        self._tally.add(document.area, self.seq)

    def _drop(self, nodes: Sequence[Node]) -> None:
        self._dropped_bodies += [(node.body,) for node in nodes if node.body is not None]

    def _is_purged(self, doc_id: str, rev: str) -> bool:
        return bool(
            self.connection.execute(
                "SELECT 1 FROM purged WHERE id = ? AND rev = ?", (doc_id, rev)
            ).fetchone()
        )

    @staticmethod
    def _is_deleted(tree: RevisionTree) -> bool:
        return tree.nodes[tree.winner()].deleted

    # -- the end -----------------------------------------------------------------

    def purge(self, doc_id: str, revs: Sequence[str]) -> list[str]:
        """Forget leaves; answers those that were there."""
        document = self._documents.get(doc_id)
        if document is None:
            return []
        tree, done = document.tree, []
        for rev in revs:
            if rev in tree and tree.is_leaf(rev):
                self._touch(document)
                self._drop(tree.purge(rev))
                done.append(rev)
        return done

    def save(self) -> None:
        """Write what the batch changed."""
        connection = self.connection
        rows = [self._row(document) for document in self._touched.values() if document.tree.nodes]
        gone = [document for document in self._touched.values() if not document.tree.nodes]
        for document in gone:
            self._remove(document)
        # The rows' old sequences leave the unique index before the new ones enter it.
        connection.executemany(
            "INSERT INTO document (number, id, area, seq, rev, deleted, body, live, leaves, tree)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET"
            " area = excluded.area, seq = excluded.seq, rev = excluded.rev,"
            " deleted = excluded.deleted, body = excluded.body, live = excluded.live,"
            " leaves = excluded.leaves, tree = excluded.tree",
            rows,
        )
        connection.executemany("INSERT INTO body VALUES (?, ?, ?, ?, ?, ?)", self._bodies)
        connection.executemany(
            "INSERT OR IGNORE INTO superseded VALUES (?, ?, ?)", self._superseded
        )
        connection.executemany("DELETE FROM body WHERE number = ?", self._dropped_bodies)
        self._tally.save(connection)
        connection.execute(
            "UPDATE state SET update_seq = ?, doc_count = ?, deleted_count = ?,"
            " last_document = ?, last_body = ?",
            (
                self.seq,
                self.doc_count,
                self.deleted_count,
                self._last_document,
                self._last_body,
            ),
        )

    def _row(self, document: Document) -> tuple[Any, ...]:
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
        )

    def _recount(self, document: Document, deleted: bool | None) -> None:
        """Keep the counts; `deleted` None: the document is gone."""
        before = self._was_deleted.get(document.number)
        if before is not None:
            self.deleted_count -= before
            self.doc_count -= not before
        if deleted is not None:
            self.deleted_count += deleted
            self.doc_count += not deleted

    def _remove(self, document: Document) -> None:
        self._recount(document, None)
        self._tally.remove(document.area, document.seq)
        for table, column in (("document", "number"), ("attachment", "document")):
            self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (document.number,))
