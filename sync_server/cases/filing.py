"""Keeping the versions of cases, and finding cases again by field and by author."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, delete, insert, update

from sync_server.cases.records import (
    CLAIM,
    FORMER,
    LEAF,
    CaseVersion,
    version_row,
    versions,
    with_role,
)
from sync_server.cases.tables import case_authors, case_fields, case_versions, cases

_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class Filed:
    """What a case is kept with, and found by."""

    number: int
    versions: Sequence[CaseVersion]
    fields: Sequence[str]

    def people(self) -> set[str]:
        """Accounts whose versions are in question; never the server."""
        said = [one for one in self.versions if one.role in (LEAF, CLAIM)]
        names = {name for one in said for name in (one.account, *one.writers.values())}
        return {name for name in names if name and not name.startswith("_")}


def add(connection: Connection, filed: Sequence[Filed]) -> None:
    """Of new cases."""
    rows = {
        (one.number, version.rev, version.role): version_row(one.number, version)
        for one in filed
        for version in one.versions
    }
    connection.execute(insert(case_versions), list(rows.values()))
    names = [
        {"case_number": one.number, "field": name}
        for one in filed
        for name in one.fields
        if len(name) <= _LONGEST_NAME and name.isprintable()
    ]
    if names:
        connection.execute(insert(case_fields), names)
    people = [
        {"case_number": one.number, "account": name} for one in filed for name in one.people()
    ]
    if people:
        connection.execute(insert(case_authors), people)


def replace(connection: Connection, filed: Filed) -> None:
    """In place of what a case was kept with."""
    for table in (case_versions, case_fields, case_authors):
        connection.execute(delete(table).where(table.c.case_number == filed.number))
    add(connection, [filed])


def swap_leaves(
    connection: Connection, number: int, leaves: Sequence[str], added: Sequence[CaseVersion] = ()
) -> None:
    """The case stands on these leaves, of which it knows the versions or is given them."""
    known = {one.rev: one for one in versions(connection, [number])[number] if one.role != CLAIM}
    known.update({one.rev: one for one in added})
    rest = [one for rev, one in known.items() if rev not in leaves]
    every = [
        *(with_role(known[rev], LEAF) for rev in leaves),
        *(with_role(one, FORMER) if one.role == LEAF else one for one in rest),
    ]
    connection.execute(
        delete(case_versions).where(
            case_versions.c.case_number == number, case_versions.c.role != CLAIM
        )
    )
    connection.execute(insert(case_versions), [version_row(number, one) for one in every])
    connection.execute(
        update(cases)
        .where(cases.c.number == number)
        .values(leaves=orjson.dumps(sorted(leaves)).decode())
    )
