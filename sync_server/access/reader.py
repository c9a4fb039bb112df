"""A database as one account reads it, whose sight its grants make.

What it sees is the storage's business (`Database.within`). Here belongs what must be known of the
account: the sequences that it is given bear its seal, and the departures that it is told are
remembered before it is told them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from sync_server.access.accounts import Account
from sync_server.access.departures import Departures
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.memory import Memory
from sync_server.access.permissions import replicates_whole
from sync_server.access.scopes import Scopes, now_ms
from sync_server.access.sealing import Seals
from sync_server.storage.base import (
    Change,
    ChangesPage,
    Database,
    DatabaseInfo,
    DocumentStore,
    MissingRevision,
    Revision,
)
from sync_server.storage.delegating import DelegatingDatabase
from sync_server.storage.departures import departure_of

Found = Revision | MissingRevision

FIRST_SYNC_MS = 900_000
"""How long ago a client that begins may have begun before: a first sync that was cut off before
it could note anything, and what it pushed in it.
"""


class ReadingParts(Protocol):
    """The parts of the service that reading uses."""

    @property
    def store(self) -> DocumentStore: ...
    @property
    def gazetteer(self) -> Gazetteer: ...
    @property
    def scopes(self) -> Scopes: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def departures(self) -> Departures: ...


def database_for(parts: ReadingParts, account: Account, name: str) -> Database:
    """The database as one of its members sees it now. Raises NotFound."""
    whole = parts.store.database(name)
    if replicates_whole(account, name):
        return whole
    return Reader(parts, whole, account)


class Reader(DelegatingDatabase):
    """`whole`: the database of which the account sees its part."""

    def __init__(self, parts: ReadingParts, whole: Database, account: Account) -> None:
        self._parts = parts
        self._whole = whole
        self._account = account.name
        self._scope = parts.scopes.of(account, whole.name)
        self._seal = parts.seals.of(account.name, whole.name)
        super().__init__(self._seen_since(0))

    def update_seq(self) -> str:
        return self._seal.put(self.inner.update_seq(), now_ms())

    def info(self) -> DatabaseInfo:
        found = self.inner.info()
        return replace(found, update_seq=self._seal.put(found.update_seq, now_ms()))

    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        seq, since_then = self._taken(since)
        now = now_ms()
        page = self._seen_since(since_then).changes(
            seq, limit=limit, descending=descending, doc_ids=doc_ids
        )
        if not page.rows and page.last_seq == seq and not self._memory(since_then).lately():
            # As if nobody had asked: a client whose sequence stays writes no checkpoint.
            return ChangesPage([], since, page.pending)
        self._parts.departures.note(self.name, self._account, page.rows)
        # Until all is told, what was in sight before must be borne in mind.
        last = since_then if page.pending else now
        rows = [row._replace(seq=self._seal.put(row.seq, since_then)) for row in page.rows]
        if rows:
            rows[-1] = rows[-1]._replace(seq=self._seal.put(page.rows[-1].seq, last))
        return ChangesPage(rows, self._seal.put(page.last_seq, last), page.pending)

    def open_revs(
        self, doc_id: str, revs: Sequence[str] | None, *, latest: bool = False
    ) -> list[Found]:
        found = self.inner.open_revs(doc_id, revs, latest=latest)
        self._note_served(found, latest)
        return found

    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Found]]:
        found = self.inner.bulk_get(requests, latest=latest)
        self._note_served([one for each in found for one in each], latest)
        return found

    def _note_served(self, found: Sequence[Found], latest: bool) -> None:
        """A departure may be served that no feed has told: the document has just gone."""
        gone = [one for one in found if latest and isinstance(one, Revision) and _is_departure(one)]
        rows = [Change("", one.doc_id, True, [one.rev], departed=True) for one in gone]
        self._parts.departures.note(self.name, self._account, rows)

    def wait(self, since: str, timeout: float) -> bool:
        seq, since_then = self._taken(since)
        return self._seen_since(since_then).wait(seq, timeout)

    def _taken(self, since: str) -> tuple[str, int]:
        """The sequence as storage gave it, and since when more may have been in sight."""
        seq, at = self._seal.take(since)
        return seq, now_ms() - FIRST_SYNC_MS if at is None else at

    def _seen_since(self, at: int) -> Database:
        """The database, with what the account may have been shown since a time."""
        if self._scope.areas is None:
            return self._whole
        return self._whole.within(self._scope.areas, self._memory(at))

    def _memory(self, at: int) -> Memory:
        return Memory(self._account, self._scope, self._parts.gazetteer, at, now_ms())


def _is_departure(revision: Revision) -> bool:
    if not revision.deleted or len(revision.revisions.ids) < 2:
        return False
    start, ids = revision.revisions
    return revision.rev == departure_of(revision.doc_id, f"{start - 1}-{ids[1]}")
