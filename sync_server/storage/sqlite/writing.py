"""Storing revisions: one batch, one transaction, one fsync.

The documents of the batch are read together, the trees are changed in memory, and everything is
written together: a hundred small documents cost a few statements.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from conflict.revision import generation
from conflict.revision_tree import Graft, RevisionTree
from sync_server.errors import Conflict, DocumentTooLarge, SyncError
from sync_server.storage.base import (
    NO_ATTACHMENTS,
    AttachmentInfo,
    LeafLimits,
    Origin,
    Revisions,
    RevisionWrite,
    WriteResult,
)
from sync_server.storage.departures import departed_from
from sync_server.storage.sqlite import attachments, records
from sync_server.storage.sqlite.records import NEW, Document
from sync_server.storage.sqlite.rows import Rows


class Batch:
    """Writes within one transaction; `save` must be called before it commits."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        doc_ids: Sequence[str],
        leaf_limits: LeafLimits | None = None,
    ) -> None:
        self.connection = connection
        self._leaf_limits = leaf_limits
        self._rows = Rows(connection)
        self._documents = records.find_many(connection, list(dict.fromkeys(doc_ids)))
        self.forgotten: list[tuple[str, str]] = []
        """Revisions that were purged, leaves and ancestors, each with its document's id."""

    # -- one revision ------------------------------------------------------------

    def replicate(self, write: RevisionWrite, origin: Origin) -> WriteResult:
        """Graft a revision that was made elsewhere (`new_edits=false`)."""
        revisions = write.revisions
        if revisions is None:
            raise ValueError("a replicated revision names itself")
        rev = revisions.rev
        if write.doc_id not in self._documents and not (self._rows.has_purged or write.attachments):
            self._insert(write, revisions, rev, origin)
            return WriteResult(write.doc_id, rev)
        document = self._document(write)
        if write.deleted and departed_from(write.doc_id, rev, document.tree):
            return WriteResult(write.doc_id, rev, changed=False)
        if rev in document.tree or (self._rows.has_purged and self._is_purged(write.doc_id, rev)):
            known = WriteResult(write.doc_id, rev, changed=False)
            if rev in document.tree:
                self._lengthen(document, revisions)
            return known
        try:
            self._check_leaves(document, write, revisions)
            infos = self._attachments(document, write, revisions.start, revisions)
        except SyncError as error:
            return WriteResult(write.doc_id, rev, error.with_traceback(None))
        return self._store(document, write, revisions, infos, origin)

    def _insert(self, write: RevisionWrite, revisions: Revisions, rev: str, origin: Origin) -> None:
        """Store a document of which nothing is known: its tree is this path, and is not made."""
        rows = self._rows
        body = rows.keep_body(write, origin)
        ids = revisions.ids[: rows.revs_limit]
        tree = RevisionTree.encode_path(revisions.start, ids, deleted=write.deleted, body=body)
        number = rows.new_number()
        document = Document(number, write.doc_id, write.first_area, NEW, rev, tree)
        rows.insert(document, write.deleted, body)
        self._documents[write.doc_id] = document

    def _check_leaves(self, document: Document, write: RevisionWrite, revisions: Revisions) -> None:
        """Raises DocumentTooLarge where a branch more would be one too many."""
        limits, tree = self._leaf_limits, document.tree
        if limits is None or len(tree) < min(limits):
            return
        known = next((rev for rev in revisions.revs() if rev in tree), None)
        if known is not None and tree.is_leaf(known):
            return
        live, leaves = len(tree.live_leaves()), len(tree.leaves())
        if leaves >= limits.all or (live >= limits.live and not write.deleted):
            raise DocumentTooLarge(
                f"Document {write.doc_id} has {live} revisions that contradict each other, and "
                f"{leaves} branches: it takes no more until they are settled.",
                "leaves",
            )

    def edit(self, write: RevisionWrite, origin: Origin) -> WriteResult:
        """Make a new revision on the leaf that the client saw (`new_edits=true`)."""
        document = self._document(write)
        try:
            parent = self._parent(document, write)
            number = generation(parent) + 1 if parent else 1
            above = records.revisions_of(document.tree, parent) if parent else None
            infos = self._attachments(document, write, number, above)
        except SyncError as error:
            return WriteResult(write.doc_id, None, error.with_traceback(None))
        rev_hash = self._new_hash(write, parent, infos)
        revisions = Revisions(number, [rev_hash, *(above.ids if above else ())])
        if revisions.rev in document.tree:
            return WriteResult(write.doc_id, None, Conflict())
        return self._store(document, write, revisions, infos, origin)

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
                info = attachments.resolve_stub(
                    self.connection, document.tree, sent.of or parent, name, sent
                )
                # New to this branch: whoever has only its older revisions must be sent it.
                infos[name] = replace(info, revpos=number) if sent.of else info
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
            number = self._rows.new_number()
            document = Document(number, write.doc_id, "", NEW, "", b"")
            self._documents[write.doc_id] = document
        return document

    def _store(
        self,
        document: Document,
        write: RevisionWrite,
        revisions: Revisions,
        infos: Mapping[str, AttachmentInfo],
        origin: Origin,
    ) -> WriteResult:
        is_new = document.seq == NEW
        moves = not is_new and write.area not in (None, document.area)
        self._rows.touch(document, write.first_area if is_new else write.area)
        done = self._graft(document, write, revisions, infos, origin)
        if moves:
            others = [leaf for leaf in document.tree.live_leaves() if leaf != revisions.rev]
            self._renew(document, others, origin)
        conflicting = (
            done is Graft.BRANCHED and not write.deleted and len(document.tree.live_leaves()) > 1
        )
        return WriteResult(write.doc_id, revisions.rev, conflicting=conflicting)

    def _graft(
        self,
        document: Document,
        write: RevisionWrite,
        revisions: Revisions,
        infos: Mapping[str, AttachmentInfo],
        origin: Origin,
    ) -> Graft:
        tree = document.tree
        body = self._rows.keep_body(write, origin, infos)
        start, ids = revisions
        done = tree.graft(start, ids, deleted=write.deleted, body=body)
        if done is Graft.EXTENDED:
            above = tree.nearest_body(revisions.rev)
            if above is not None:
                self._rows.supersede(document, above)
        self._rows.drop(tree.stem(self._rows.revs_limit))
        return done

    def _lengthen(self, document: Document, revisions: Revisions) -> None:
        """A known revision may come with ancestors that were not known."""
        before = len(document.tree)
        document.tree.graft(revisions.start, revisions.ids)
        document.tree.stem(self._rows.revs_limit)
        if len(document.tree) != before:
            self._rows.touch(document)

    def _is_purged(self, doc_id: str, rev: str) -> bool:
        return bool(
            self.connection.execute(
                "SELECT 1 FROM purged WHERE id = ? AND rev = ?", (doc_id, rev)
            ).fetchone()
        )

    # -- areas -------------------------------------------------------------------

    def relocate(self, doc_id: str, area: str, origin: Origin) -> bool:
        """Whether the document is there and was elsewhere."""
        document = self._documents.get(doc_id)
        if document is None or document.area == area:
            return False
        self._rows.touch(document, area)
        self._renew(document, document.tree.live_leaves(), origin)
        return True

    def renew(self, doc_id: str, origin: Origin) -> bool:
        """Whether there was a live leaf to go on from."""
        document = self._documents.get(doc_id)
        leaves = document.tree.live_leaves() if document else []
        if document is not None and leaves:
            self._rows.touch(document)
            self._renew(document, leaves, origin)
        return bool(leaves)

    def _renew(self, document: Document, leaves: Sequence[str], origin: Origin) -> None:
        """A revision of the same content on each of these leaves: readers for whom the document
        had gone keep the tombstones of its leaves, which only live children of the leaves beat.
        """
        for parent in leaves:
            above = records.revisions_of(document.tree, parent)
            body, infos = self._content(document, parent)
            seed = f"renewed\n{document.seq}\n{parent}".encode()
            digest = hashlib.md5(seed, usedforsecurity=False).hexdigest()
            revisions = Revisions(above.start + 1, [digest, *above.ids])
            write = RevisionWrite(document.id, revisions, body)
            self._graft(document, write, revisions, infos, origin)

    def _content(self, document: Document, rev: str) -> tuple[bytes, Mapping[str, AttachmentInfo]]:
        number = document.tree.nodes[rev].body
        if number is None:
            raise LookupError(f"{document.id} has no body at leaf {rev}")
        kept = self._rows.kept_body(number) or records.load_body(self.connection, number)
        return kept[0], records.load_attachments(kept[1]) if kept[1] else NO_ATTACHMENTS

    def purge(self, doc_id: str, revs: Sequence[str]) -> list[str]:
        """Forget leaves; answers those that were there."""
        document = self._documents.get(doc_id)
        if document is None:
            return []
        tree, done = document.tree, []
        for rev in revs:
            if rev in tree and tree.is_leaf(rev):
                path = tree.ancestry(rev)
                self._rows.touch(document)
                self._rows.drop(tree.purge(rev))
                self.forgotten += [(doc_id, each) for each in path if each not in tree]
                done.append(rev)
        return done

    def save(self) -> None:
        """Write what the batch changed."""
        self._rows.save()
