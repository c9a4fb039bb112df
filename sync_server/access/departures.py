"""Which documents an account was told to forget.

When a document goes out of an account's sight its tablets are told a departure (see
`storage/departures.py`). That is remembered here before it is told: a document that comes back
into sight unchanged must be renewed, because the tablets' tombstones would hide it for ever (see
`intake/regrant.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)

from sync_server.access.tables import metadata
from sync_server.storage.base import Change

departures = Table(
    "departures",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("database", String(300), nullable=False),
    Column("account", String(200), nullable=False),
    Column("document", String(1100), nullable=False),
    # The revision by which the document was lost.
    Column("revision", String(200), nullable=False),
)

_IDS = 500
"""Documents that one query asks about."""


class Told(NamedTuple):
    """A departure that an account was told; later ones have higher numbers."""

    number: int
    document: str
    revision: str


class Departures:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def note(self, database: str, account: str, changes: Iterable[Change]) -> None:
        """Remember those of the changes that are departures; on disk when this returns."""
        gone = {change.doc_id: change.leaves for change in changes if change.departed}
        if not gone:
            return
        known = self.told(database, account, list(gone))
        rows = [
            {"database": database, "account": account, "document": doc_id, "revision": rev}
            for doc_id, revs in gone.items()
            for rev in revs
            if rev not in known.get(doc_id, ())
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(insert(departures), rows)

    def told(self, database: str, account: str, doc_ids: Sequence[str]) -> dict[str, set[str]]:
        """Of these documents, the departures that the account was told."""
        found: dict[str, set[str]] = {}
        with self._reading.begin() as connection:
            for doc_id, revision in _of_documents(connection, database, account, doc_ids):
                found.setdefault(doc_id, set()).add(revision)
        return found

    def readers(self) -> list[tuple[str, str]]:
        """(database, account) of those who were told any."""
        query = select(departures.c.database, departures.c.account).distinct()
        with self._reading.begin() as connection:
            return [(row.database, row.account) for row in connection.execute(query)]

    def page(self, database: str, account: str, after: int, limit: int) -> list[Told]:
        """What the account was told, in order, after a number."""
        query = (
            select(departures.c.number, departures.c.document, departures.c.revision)
            .where(departures.c.database == database, departures.c.account == account)
            .where(departures.c.number > after)
            .order_by(departures.c.number)
            .limit(limit)
        )
        with self._reading.begin() as connection:
            return [Told(*row) for row in connection.execute(query)]

    def latest(self) -> int:
        """The highest number there is."""
        with self._reading.begin() as connection:
            return connection.execute(select(func.max(departures.c.number))).scalar() or 0


def forget_database(connection: Connection, database: str) -> None:
    """The database is gone, and all that was told of it."""
    connection.execute(delete(departures).where(departures.c.database == database))


def _of_documents(
    connection: Connection, database: str, account: str, doc_ids: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for start in range(0, len(doc_ids), _IDS):
        chunk = doc_ids[start : start + _IDS]
        rows = connection.execute(
            select(departures.c.document, departures.c.revision)
            .where(departures.c.database == database, departures.c.account == account)
            .where(departures.c.document.in_(chunk))
        )
        yield from ((row.document, row.revision) for row in rows)
