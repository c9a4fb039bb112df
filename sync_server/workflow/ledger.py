"""The ledger: every step of every proposal, append-only, each row chained to the one before.

A row's hash covers its content and the hash of the row before, so a row that was changed,
removed or slipped in afterwards breaks the chain at its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import Connection, insert, select, text, update

from sync_server.workflow.tables import ledger

ORIGIN = "0" * 64
"""Stands for the hash before the first row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of a proposal. `at`: milliseconds since 1970; amounts in whole US cents."""

    database: str
    proposal: str
    revision: str
    from_state: str | None
    to_state: str
    actor: str
    at: int
    amount_cents: int | None = None
    reason: str | None = None


def append(connection: Connection, entry: Entry) -> None:
    """Add a row in the caller's transaction; appends wait for one another."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE ledger IN SHARE ROW EXCLUSIVE MODE"))
    previous = connection.execute(
        select(ledger.c.hash).order_by(ledger.c.number.desc()).limit(1)
    ).scalar()
    previous_hash = previous or ORIGIN
    connection.execute(
        insert(ledger).values(
            **asdict(entry),
            previous_hash=previous_hash,
            hash=_hash(entry, previous_hash),
            published=False,
        )
    )


def _hash(entry: Entry, previous_hash: str) -> str:
    content = orjson.dumps([previous_hash, asdict(entry)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


_ENTRY_COLUMNS = [ledger.c[name] for name in Entry.__dataclass_fields__]


def history(connection: Connection, database: str, proposal: str) -> list[Entry]:
    """A proposal's steps, oldest first."""
    rows = connection.execute(
        select(*_ENTRY_COLUMNS)
        .where(ledger.c.database == database, ledger.c.proposal == proposal)
        .order_by(ledger.c.number)
    )
    return [Entry(*row) for row in rows]


def verify(connection: Connection) -> int | None:
    """The number of the first row that does not follow from the one before, None if all do."""
    previous_hash = ORIGIN
    rows = connection.execution_options(yield_per=1000).execute(
        select(ledger.c.number, ledger.c.previous_hash, ledger.c.hash, *_ENTRY_COLUMNS).order_by(
            ledger.c.number
        )
    )
    for number, claimed, row_hash, *content in rows:
        if claimed != previous_hash or row_hash != _hash(Entry(*content), previous_hash):
            return int(number)
        previous_hash = row_hash
    return None


def unpublished(connection: Connection, database: str, limit: int) -> list[tuple[int, str]]:
    """Numbers and proposals of rows that no review document tells of yet."""
    rows = connection.execute(
        select(ledger.c.number, ledger.c.proposal)
        .where(ledger.c.published.is_(False), ledger.c.database == database)
        .order_by(ledger.c.number)
        .limit(limit)
    )
    return [(number, proposal) for number, proposal in rows]


def mark_published(connection: Connection, numbers: Sequence[int]) -> None:
    connection.execute(update(ledger).where(ledger.c.number.in_(numbers)).values(published=True))
