"""Values that a policy did not take, kept beside the revision that the merge made.

Compaction drops the bodies of the revisions that had them; here they stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, insert, select

from conflict.canonical import canonical
from sync_server.cases.tables import one_writer, overrides


@dataclass(frozen=True, slots=True)
class NotTaken:
    """What the merge of `leaves` into `rev` did not take."""

    document: str
    rev: str
    leaves: Sequence[str]
    values: Sequence[Mapping[str, Any]]
    """`field`, `rev`, `account`, `value`, `chosen`; where one of the last two is not there, the
    field was not there."""

    @property
    def key(self) -> tuple[str, str, str]:
        seen = hashlib.md5(canonical(sorted(self.leaves)), usedforsecurity=False).hexdigest()
        return self.document, self.rev, seen


def keep(sql: Engine, database: str, rows: Sequence[NotTaken], now: int) -> None:
    """Merging the same again keeps what was kept."""
    with sql.begin() as connection:
        one_writer(connection, overrides)
        known = _known(connection, database, [row.document for row in rows])
        fresh = {row.key: row for row in rows if row.key not in known}
        if fresh:
            connection.execute(
                insert(overrides), [_row(database, row, now) for row in fresh.values()]
            )


def _row(database: str, row: NotTaken, now: int) -> dict[str, Any]:
    document, rev, seen = row.key
    return {
        "database": database,
        "document": document,
        "rev": rev,
        "seen": seen,
        "at": now,
        "overrides": orjson.dumps(row.values).decode(),
    }


def _known(
    connection: Connection, database: str, documents: Sequence[str]
) -> set[tuple[str, str, str]]:
    query = select(overrides.c.document, overrides.c.rev, overrides.c.seen).where(
        overrides.c.database == database, overrides.c.document.in_(documents)
    )
    return {(row.document, row.rev, row.seen) for row in connection.execute(query)}


def of_document(
    connection: Connection, database: str, document: str
) -> dict[str, list[dict[str, Any]]]:
    """By merged revision."""
    query = (
        select(overrides.c.rev, overrides.c.overrides)
        .where(overrides.c.database == database, overrides.c.document == document)
        .order_by(overrides.c.at)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.rev, []).extend(orjson.loads(row.overrides))
    return found
