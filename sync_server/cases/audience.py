"""Who may still be told what became of a document: those who may read it now.

A notice shows the value that stands, which may be news to somebody whose area the document is no
longer in. What they wrote is on record all the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, select

from sync_server.access.account_records import Account, record
from sync_server.access.areas import covers, personal
from sync_server.access.permissions import replicates_whole
from sync_server.access.tables import accounts
from sync_server.cases.telling import Notice
from sync_server.storage.base import Database

About = tuple[str, Notice]
"""A notice, and the document that it speaks of."""


def within_reach(sql: Engine, database: Database, told: Sequence[About], now: int) -> list[Notice]:
    """The notices that their addressees may be told. `now`: milliseconds since 1970."""
    if not told:
        return []
    doc_ids = list(dict.fromkeys(doc_id for doc_id, _ in told))
    states = dict(zip(doc_ids, database.states(doc_ids), strict=True))
    areas = {doc_id: state.area for doc_id, state in states.items() if state is not None}
    with sql.connect().execution_options(read_only=True) as connection:
        people = _people(connection, {notice.area for _, notice in told})
    return [
        notice
        for doc_id, notice in told
        if doc_id not in areas or _sees(people.get(notice.area), database.name, areas[doc_id], now)
    ]


def _people(connection: Connection, personal_areas: set[str]) -> dict[str, Account]:
    """By personal area; whoever has no account has nobody to read there."""
    names = [area[1:] for area in sorted(personal_areas)]
    rows = connection.execute(select(accounts).where(accounts.c.name.in_(names))).all()
    found = [record(connection, row).account for row in rows]
    return {personal(account.name): account for account in found}


def _sees(account: Account | None, database: str, area: str, now: int) -> bool:
    if account is None or area == personal(account.name) or replicates_whole(account, database):
        return True
    return any(
        grant.database == database
        and grant.holds(now)
        and (covers(grant.area, area) or covers(area, grant.area))
        for grant in account.grants
    )
