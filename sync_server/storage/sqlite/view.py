"""A database as one sees it who may see some areas: everything else looks as if it were not there.

Each operation looks up the areas of the documents it is asked for in the same snapshot, by their
ids, so it costs a query per batch. A revision by which the reader lost a document (see
`storage/departures.py`) is served as the tombstone that the feed promised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from sync_server.errors import NotFound
from sync_server.storage.base import (
    NO_ATTACHMENTS,
    AllDocsPage,
    AllDocsRow,
    AreaCount,
    AttachmentInfo,
    ChangesPage,
    Database,
    DatabaseInfo,
    DocumentState,
    LocalDocument,
    MissingRevision,
    Origin,
    Revision,
    Revisions,
    RevisionStatus,
    RevisionWrite,
    RevsDiff,
    WriteResult,
)
from sync_server.storage.departures import departed_from
from sync_server.storage.sqlite import feed, reading, records, scoped_feed, sequences
from sync_server.storage.sqlite.scopes import Scope
from sync_server.storage.sqlite.sequences import Position

if TYPE_CHECKING:
    from sync_server.storage.sqlite.database import SQLiteDatabase

Found = Revision | MissingRevision


class ScopedView(Database):
    """Obtain it from `Database.within`."""

    def __init__(self, whole: SQLiteDatabase, areas: Sequence[str]) -> None:
        self.name = whole.name
        self.areas = tuple(sorted(set(areas)))
        self._whole = whole
        self._connections = whole.connections
        self._scope = Scope.of(self.areas)

    def within(self, areas: Sequence[str]) -> ScopedView:
        return ScopedView(self._whole, sorted(self._scope.areas.intersection(areas)))

    # -- documents -------------------------------------------------------------

    def bulk_docs(
        self,
        writes: Sequence[RevisionWrite],
        *,
        new_edits: bool,
        origin: Origin,
        whole: bool = False,
    ) -> list[WriteResult]:
        """As in the whole database: who may write what is decided above the seam."""
        return self._whole.bulk_docs(writes, new_edits=new_edits, origin=origin, whole=whole)

    def get(self, doc_id: str, rev: str | None = None) -> Revision:
        with self._snapshot() as connection:
            if not self._hidden(connection, [doc_id]):
                try:
                    return reading.get(connection, doc_id, rev)
                except NotFound:
                    if rev is None:
                        raise
            found = None if rev is None else _departure(connection, doc_id, rev)
        if found is None:
            raise NotFound("missing")
        return found

    def state(self, doc_id: str) -> DocumentState:
        (state,) = self.states([doc_id])
        if state is None:
            raise NotFound("missing")
        return state

    def states(self, doc_ids: Sequence[str]) -> list[DocumentState | None]:
        states = self._whole.states(doc_ids)
        return [state if state and state.area in self._scope.areas else None for state in states]

    def open_revs(
        self, doc_id: str, revs: Sequence[str] | None, *, latest: bool = False
    ) -> list[Found]:
        with self._snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                found: list[Found] = [MissingRevision(doc_id, rev) for rev in revs or ()]
            else:
                found = reading.open_revs(connection, doc_id, revs, latest)
            return _with_departures(connection, found)

    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Found]]:
        with self._snapshot() as connection:
            hidden = self._hidden(connection, [doc_id for doc_id, _ in requests])
            asked = [request for request in requests if request[0] not in hidden]
            found = iter(reading.bulk_get(connection, asked, latest))
            return [
                _with_departures(
                    connection, _missing(doc_id, rev) if doc_id in hidden else next(found)
                )
                for doc_id, rev in requests
            ]

    def winners(self, doc_ids: Sequence[str]) -> list[Revision | None]:
        with self._snapshot() as connection:
            hidden = self._hidden(connection, doc_ids)
            found = reading.winners(connection, doc_ids)
        return [
            None if doc_id in hidden else winner
            for doc_id, winner in zip(doc_ids, found, strict=True)
        ]

    def revs_info(self, doc_id: str, rev: str) -> list[RevisionStatus]:
        with self._snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                raise NotFound("missing")
            return reading.revs_info(connection, doc_id, rev)

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        """What is out of sight is missing, but for departures: those come back from nobody."""
        with self._snapshot() as connection:
            hidden = self._hidden(connection, list(revs))
            seen = {doc_id: named for doc_id, named in revs.items() if doc_id not in hidden}
            found = reading.revs_diff(connection, seen)
            documents = records.find_many(connection, sorted(hidden))
            for doc_id in hidden:
                tree = documents[doc_id].tree
                missing = [rev for rev in revs[doc_id] if departed_from(doc_id, rev, tree) is None]
                if missing:
                    found[doc_id] = RevsDiff(missing, [])
        return {doc_id: found[doc_id] for doc_id in revs if doc_id in found}

    def conflicted(self, after: str = "", limit: int = 100) -> list[str]:
        with self._snapshot() as connection:
            marks = ",".join("?" * len(self.areas))
            rows = connection.execute(
                f"SELECT id FROM document WHERE live > 1 AND id > ? AND area IN ({marks})"
                " ORDER BY id LIMIT ?",
                (after, *self.areas, limit),
            ).fetchall()
        return [doc_id for (doc_id,) in rows]

    # -- feeds -----------------------------------------------------------------

    def update_seq(self) -> str:
        self._intern(self._scope)
        with self._connections.read() as connection:
            latest, epoch = feed.position(connection)
        return sequences.scoped_token(Position(latest, self._scope.name), epoch)

    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        self._intern(self._scope)
        with self._snapshot() as connection:
            if descending:
                return self._descending(connection, since, limit, doc_ids)
            if doc_ids is not None:
                rows = scoped_feed.named(connection, since, self._scope, doc_ids)
                page = rows if limit is None else rows[:limit]
                return self._page(connection, since, page, len(rows) - len(page))
            return scoped_feed.changes(connection, since, limit, self._scope, self._intern)

    def _descending(
        self,
        connection: sqlite3.Connection,
        since: str,
        limit: int | None,
        doc_ids: Iterable[str] | None,
    ) -> ChangesPage:
        """From the latest back: a look at what is there, from which nobody goes on."""
        _, epoch = feed.position(connection)
        after = sequences.read(since, epoch).number
        rows, pending = feed.rows_after(connection, after, limit, True, self.areas, doc_ids)
        changes = [
            feed.change(row, sequences.scoped_token(Position(row[0], self._scope.name), epoch))
            for row in rows
        ]
        return self._page(connection, since, changes, pending)

    def _page(
        self, connection: sqlite3.Connection, since: str, rows: Sequence[Any], pending: int
    ) -> ChangesPage:
        if rows and pending:
            return ChangesPage(rows, rows[-1].seq, pending)
        latest, epoch = feed.position(connection)
        ahead = sequences.scoped_token(Position(latest, self._scope.name), epoch)
        return ChangesPage(rows, since if pending else ahead, pending)

    def gave(self, sequence: str) -> bool:
        return self._whole.gave(sequence)

    def wait(self, since: str, timeout: float) -> bool:
        return self._whole.watch.wait(
            timeout,
            self._scope.areas,
            lambda connection: scoped_feed.has_changed(connection, since, self._scope),
        )

    def all_docs(
        self,
        *,
        keys: Sequence[str] | None = None,
        startkey: str | None = None,
        endkey: str | None = None,
        inclusive_end: bool = True,
        descending: bool = False,
        limit: int | None = None,
        skip: int = 0,
    ) -> AllDocsPage:
        """A range costs what the scope holds, which is what one tablet holds."""
        rows: Sequence[AllDocsRow | None]
        with self._snapshot() as connection:
            if keys is not None:
                ordered = list(reversed(keys)) if descending else list(keys)
                wanted = ordered[skip : None if limit is None else skip + limit]
                hidden = self._hidden(connection, wanted)
                found = reading.all_docs_of(connection, wanted)
                rows = [
                    None if key in hidden else row for key, row in zip(wanted, found, strict=True)
                ]
            else:
                rows = reading.all_docs_of_areas(
                    connection, self.areas, startkey, endkey, inclusive_end, descending
                )
                rows = rows[skip : None if limit is None else skip + limit]
            total, _ = reading.counts_of_areas(connection, self.areas)
        return AllDocsPage(total, rows)

    # -- local documents -------------------------------------------------------

    def get_local(self, owner: str, doc_id: str) -> LocalDocument:
        return self._whole.get_local(owner, doc_id)

    def put_local(self, owner: str, doc_id: str, rev: str | None, body: bytes) -> str:
        return self._whole.put_local(owner, doc_id, rev, body)

    def delete_local(self, owner: str, doc_id: str) -> None:
        self._whole.delete_local(owner, doc_id)

    def local_docs(self, owner: str) -> list[LocalDocument]:
        return self._whole.local_docs(owner)

    # -- attachments -----------------------------------------------------------

    def attachment(
        self, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        with self._snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                raise NotFound("missing")
            return self._whole.attachment_in(connection, doc_id, rev, name)

    # -- upkeep ----------------------------------------------------------------

    def info(self) -> DatabaseInfo:
        """What the scope holds; the size of the whole is nobody's business."""
        whole = self._whole.info()
        with self._snapshot() as connection:
            present, deleted = reading.counts_of_areas(connection, self.areas)
        return DatabaseInfo(
            name=whole.name,
            doc_count=present,
            doc_del_count=deleted,
            update_seq=self.update_seq(),
            purge_seq=whole.purge_seq,
            instance_start_time=whole.instance_start_time,
            file_size=0,
            active_size=0,
            external_size=0,
            compact_running=whole.compact_running,
        )

    def revs_limit(self) -> int:
        return self._whole.revs_limit()

    def set_revs_limit(self, limit: int) -> None:
        self._whole.set_revs_limit(limit)

    def security(self) -> dict[str, Any]:
        return self._whole.security()

    def set_security(self, security: Mapping[str, Any]) -> None:
        self._whole.set_security(security)

    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return self._whole.purge(revs)

    def counts(self, areas: Sequence[str]) -> dict[str, AreaCount]:
        return self._whole.counts(sorted(self._scope.areas.intersection(areas)))

    def relocate(self, areas: Mapping[str, str], *, origin: Origin) -> int:
        return self._whole.relocate(areas, origin=origin)

    def renew(self, doc_ids: Sequence[str], *, origin: Origin) -> int:
        return self._whole.renew(doc_ids, origin=origin)

    def acknowledged(self, active_since: int) -> str:
        return self._whole.acknowledged(active_since)

    def compact(self, horizon: str | None = None) -> None:
        self._whole.compact(horizon)

    def flush(self) -> None:
        self._whole.flush()

    # -- inside ----------------------------------------------------------------

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        with self._connections.snapshot() as connection:
            yield connection

    def _hidden(self, connection: sqlite3.Connection, doc_ids: Sequence[str]) -> set[str]:
        """Of these documents, those that are there and out of sight."""
        hidden: set[str] = set()
        for chunk, marks in records.chunks(list(dict.fromkeys(doc_ids))):
            rows = connection.execute(f"SELECT id, area FROM document WHERE id IN ({marks})", chunk)
            hidden.update(doc_id for doc_id, area in rows if area not in self._scope.areas)
        return hidden

    def _intern(self, scope: Scope) -> None:
        if scope.name in self._whole.scopes:
            return
        with self._connections.read() as connection:
            known = scope.is_interned(connection)
        if not known:
            with self._connections.write() as connection:
                scope.intern(connection)
        self._whole.scopes.add(scope.name)


def _missing(doc_id: str, rev: str | None) -> list[Found]:
    return [] if rev is None else [MissingRevision(doc_id, rev)]


def _with_departures(connection: sqlite3.Connection, found: Sequence[Found]) -> list[Found]:
    """What was not found may be a revision by which the reader lost the document."""
    return [
        one if isinstance(one, Revision) else _departure(connection, one.doc_id, one.rev) or one
        for one in found
    ]


def _departure(connection: sqlite3.Connection, doc_id: str, rev: str) -> Revision | None:
    document = records.find(connection, doc_id)
    leaf = None if document is None else departed_from(doc_id, rev, document.tree)
    if document is None or leaf is None:
        return None
    above = records.revisions_of(document.tree, leaf)
    revisions = Revisions(above.start + 1, [rev.partition("-")[2], *above.ids])
    return Revision(doc_id, rev, True, b"{}", revisions, NO_ATTACHMENTS, Origin())
