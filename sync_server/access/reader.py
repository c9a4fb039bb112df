"""A database as one account reads it, whose sight its grants make.

What it sees is the storage's business (`Database.within`). Here belongs what must be known of the
account: the sequences that it is given bear its seal, and the departures that it is told are
remembered before it is told them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from sync_server.access.accounts import Account
from sync_server.access.departures import Departures
from sync_server.access.permissions import replicates_whole
from sync_server.access.scope import Scope
from sync_server.access.scopes import Scopes
from sync_server.access.sealing import Seal, Seals
from sync_server.storage.base import ChangesPage, Database, DatabaseInfo, DocumentStore
from sync_server.storage.delegating import DelegatingDatabase


class ReadingParts(Protocol):
    """The parts of the service that reading uses."""

    @property
    def store(self) -> DocumentStore: ...
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
    scope, seal = parts.scopes.of(account, name), parts.seals.of(account.name, name)
    return Reader(whole, scope, account.name, seal, parts.departures)


class Reader(DelegatingDatabase):
    """`database` is the whole; `scope` what the account sees of it."""

    def __init__(
        self, database: Database, scope: Scope, account: str, seal: Seal, departures: Departures
    ) -> None:
        inner = (
            database if scope.areas is None else database.within(scope.areas, scope.may_have_seen)
        )
        super().__init__(inner)
        self._account = account
        self._seal = seal
        self._departures = departures

    def update_seq(self) -> str:
        return self._seal.put(self.inner.update_seq())

    def info(self) -> DatabaseInfo:
        found = self.inner.info()
        return replace(found, update_seq=self._seal.put(found.update_seq))

    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        page = self.inner.changes(
            self._seal.take(since), limit=limit, descending=descending, doc_ids=doc_ids
        )
        self._departures.note(self.name, self._account, page.rows)
        rows = [row._replace(seq=self._seal.put(row.seq)) for row in page.rows]
        return ChangesPage(rows, self._seal.put(page.last_seq), page.pending)

    def wait(self, since: str, timeout: float) -> bool:
        return self.inner.wait(self._seal.take(since), timeout)
