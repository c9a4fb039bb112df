"""A database as one sees it who may see some areas: everything else looks as if it were not there.

Each operation looks up the areas of the documents it is asked for in the same snapshot, by their
ids, so it costs a query per batch. A revision by which the reader lost a document (see
`storage/departures.py`) is served as the tombstone that the feed promised.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO

from sync_server.errors import NotFound
from sync_server.storage.base import (
    AllDocsPage,
    AllDocsRow,
    AreaCount,
    AttachmentInfo,
    ChangesPage,
    DatabaseInfo,
    DocumentState,
    Formerly,
    MissingRevision,
    Revision,
    RevisionStatus,
    RevsDiff,
)
from sync_server.storage.delegating import DelegatingDatabase
from sync_server.storage.sqlite import (
    departing,
    feed,
    reading,
    records,
    scoped_feed,
    sequences,
)
from sync_server.storage.sqlite.departing import Found
from sync_server.storage.sqlite.scopes import Scope
from sync_server.storage.sqlite.sequences import Position

if TYPE_CHECKING:
    from sync_server.storage.sqlite.database import SQLiteDatabase


class ScopedView(DelegatingDatabase):
    """Obtain it from `Database.within`. Writing, local documents, upkeep are those of the whole."""

    def __init__(
        self, whole: SQLiteDatabase, areas: Sequence[str], formerly: Formerly | None
    ) -> None:
        super().__init__(whole)
        self.areas = tuple(sorted(set(areas)))
        self._whole = whole
        self._connections = whole.connections
        self._scope = Scope.of(self.areas)
        self._sight = self._scope, formerly

    def within(self, areas: Sequence[str], formerly: Formerly | None = None) -> ScopedView:
        return ScopedView(self._whole, sorted(self._scope.areas.intersection(areas)), formerly)

    # -- documents -------------------------------------------------------------

    def get(self, doc_id: str, rev: str | None = None) -> Revision:
        with self._connections.snapshot() as connection:
            if not self._hidden(connection, [doc_id]):
                try:
                    return reading.get(connection, doc_id, rev)
                except NotFound:
                    if rev is None:
                        raise
            missing = [MissingRevision(doc_id, rev)] if rev else []
            found = departing.with_departures(connection, missing, *self._sight)
        if not found or not isinstance(found[0], Revision):
            raise NotFound("missing")
        return found[0]

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
        with self._connections.snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                named = [(doc_id, rev) for rev in revs or ()]
                unseen = departing.unseen(connection, named, latest, self._sight[1])
                found: list[Found] = list(itertools.chain(*unseen.values()))
            else:
                found = reading.open_revs(connection, doc_id, revs, latest)
            return departing.with_departures(connection, found, *self._sight)

    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Found]]:
        with self._connections.snapshot() as connection:
            found = reading.bulk_get(connection, requests, latest, self._scope.areas)
            if not any(isinstance(one, MissingRevision) for one in itertools.chain(*found)):
                return found
            hidden = self._hidden(connection, [doc_id for doc_id, _ in requests])
            named = [(doc_id, rev) for doc_id, rev in requests if rev and doc_id in hidden]
            unseen = departing.unseen(connection, named, latest, self._sight[1])
            found = [
                unseen.get((doc_id, rev or ""), rows) if doc_id in hidden else rows
                for (doc_id, rev), rows in zip(requests, found, strict=True)
            ]
            flat = iter(
                departing.with_departures(connection, list(itertools.chain(*found)), *self._sight)
            )
        return [list(itertools.islice(flat, len(each))) for each in found]

    def winners(self, doc_ids: Sequence[str]) -> list[Revision | None]:
        with self._connections.snapshot() as connection:
            hidden = self._hidden(connection, doc_ids)
            found = reading.winners(connection, doc_ids)
        return [
            None if doc_id in hidden else winner
            for doc_id, winner in zip(doc_ids, found, strict=True)
        ]

    def revs_info(self, doc_id: str, rev: str) -> list[RevisionStatus]:
        with self._connections.snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                raise NotFound("missing")
            return reading.revs_info(connection, doc_id, rev)

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        """Of what is out of sight everything is missing, unless the reader may have had it."""
        with self._connections.snapshot() as connection:
            hidden = self._hidden(connection, list(revs))
            held = departing.held(connection, sorted(hidden), self._sight[1])
            asked = {one: revs[one] for one in revs if one not in hidden or one in held}
            found = reading.revs_diff(connection, asked)
        for doc_id in hidden:
            if doc_id not in held:
                found[doc_id] = RevsDiff(list(dict.fromkeys(revs[doc_id])), [])
            elif doc_id in found:
                found[doc_id] = RevsDiff(found[doc_id].missing, [])
        return {doc_id: found[doc_id] for doc_id in revs if doc_id in found}

    def conflicted(self, after: str = "", limit: int = 100) -> list[str]:
        with self._connections.snapshot() as connection:
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
        with self._connections.snapshot() as connection:
            if descending:
                return self._descending(connection, since, limit, doc_ids)
            if doc_ids is not None:
                rows = scoped_feed.named(connection, since, *self._sight, doc_ids)
                page = rows if limit is None else rows[:limit]
                return self._page(connection, since, page, len(rows) - len(page))
            return scoped_feed.changes(connection, since, limit, *self._sight, self._intern)

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

    def wait(self, since: str, timeout: float) -> bool:
        return self._whole.watch.wait(
            timeout,
            self._scope.areas,
            lambda connection: scoped_feed.has_changed(connection, since, *self._sight),
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
        with self._connections.snapshot() as connection:
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

    # -- attachments -----------------------------------------------------------

    def attachment(
        self, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        with self._connections.snapshot() as connection:
            if self._hidden(connection, [doc_id]):
                raise NotFound("missing")
            return self._whole.attachment_in(connection, doc_id, rev, name)

    # -- upkeep ----------------------------------------------------------------

    def info(self) -> DatabaseInfo:
        """What the scope holds; the size of the whole is nobody's business."""
        self._intern(self._scope)
        with self._connections.snapshot() as connection:
            present, deleted = reading.counts_of_areas(connection, self.areas)
            latest, epoch, instance = connection.execute(
                "SELECT update_seq, epoch, instance FROM state"
            ).fetchone()
        return DatabaseInfo(
            name=self.name,
            doc_count=present,
            doc_del_count=deleted,
            update_seq=sequences.scoped_token(Position(latest, self._scope.name), epoch),
            purge_seq=sequences.token(0, epoch),
            instance_start_time=instance,
            file_size=0,
            active_size=0,
            external_size=0,
            compact_running=self._whole.is_compacting,
        )

    def counts(self, areas: Sequence[str]) -> dict[str, AreaCount]:
        return self._whole.counts(sorted(self._scope.areas.intersection(areas)))

    # -- inside ----------------------------------------------------------------

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
