"""What belongs to what: visits to proposals, proposals to households, notices to anything.

A row says that a document names another as what it belongs to, whether that has arrived or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine, delete, insert, select

from sync_server.intake.tables import belongings

_IDS = 500
"""Documents that one query asks about."""

Owners = Mapping[str, Sequence[str]]
"""What each document names as what it belongs to, the best first."""


def note(sql: Engine, database: str, named: Owners) -> None:
    """Keep what these documents belong to, in place of what they belonged to before."""
    with sql.connect().execution_options(read_only=True) as connection:
        known = owners_of(connection, database, list(named))
    changed = {doc_id: ids for doc_id, ids in named.items() if list(ids) != known.get(doc_id, [])}
    if not changed:
        return
    rows = [
        {"database": database, "document": doc_id, "rank": rank, "owner": owner}
        for doc_id, ids in changed.items()
        for rank, owner in enumerate(ids)
    ]
    with sql.begin() as connection:
        for chunk in _chunks(list(changed)):
            connection.execute(
                delete(belongings).where(
                    belongings.c.database == database, belongings.c.document.in_(chunk)
                )
            )
        if rows:
            connection.execute(insert(belongings), rows)


def owners_of(
    connection: Connection, database: str, doc_ids: Sequence[str]
) -> dict[str, list[str]]:
    """What these documents belong to; those that name nothing are left out."""
    found: dict[str, list[str]] = {}
    for chunk in _chunks(doc_ids):
        rows = connection.execute(
            select(belongings.c.document, belongings.c.owner)
            .where(belongings.c.database == database, belongings.c.document.in_(chunk))
            .order_by(belongings.c.document, belongings.c.rank)
        )
        for document, owner in rows:
            found.setdefault(document, []).append(owner)
    return found


def belonging_to(connection: Connection, database: str, doc_ids: Sequence[str]) -> list[str]:
    """Documents that name any of these."""
    found: dict[str, None] = {}
    for chunk in _chunks(doc_ids):
        rows = connection.execute(
            select(belongings.c.document).where(
                belongings.c.database == database, belongings.c.owner.in_(chunk)
            )
        )
        found.update(dict.fromkeys(rows.scalars()))
    return list(found)


def _chunks(doc_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (doc_ids[start : start + _IDS] for start in range(0, len(doc_ids), _IDS))
