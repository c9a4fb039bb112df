"""What the service noted about the documents of a database that is gone."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from sync_server.access import departures
from sync_server.intake.tables import belongings, surveys
from sync_server.workflow import proposals


def forget_database(connection: Connection, database: str) -> None:
    """One made later under its name begins with nothing. The ledger keeps what happened."""
    departures.forget_database(connection, database)
    proposals.forget_database(connection, database)
    for table in (belongings, surveys):
        connection.execute(delete(table).where(table.c.database == database))
