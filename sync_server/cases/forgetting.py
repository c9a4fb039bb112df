"""A database that is deleted takes its cases along; the audit log keeps what was done."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from sync_server.cases.tables import (
    case_authors,
    case_decisions,
    case_fields,
    case_versions,
    cases,
    contests,
    overrides,
)


def forget_database(connection: Connection, database: str) -> None:
    """One made later under its name starts with no cases."""
    own = select(cases.c.number).where(cases.c.database == database)
    for table in (case_fields, case_authors, case_versions, case_decisions, contests):
        connection.execute(delete(table).where(table.c.case_number.in_(own)))
    for whole in (overrides, cases):
        connection.execute(delete(whole).where(whole.c.database == database))
