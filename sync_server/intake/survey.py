"""Looking at every document again when the gazetteer has changed.

A village that was unknown may be known now, and what stood at its author's commune for want of
better moves where it belongs. The first survey of a database also finds what belongs to what
among documents that came before anybody asked.

How far it has come is kept after each batch, so that a survey goes on after a restart.
"""

from __future__ import annotations

from sqlalchemy import Engine, delete, insert, select

from sync_server.intake.locate import locate
from sync_server.intake.screen import read
from sync_server.intake.stage import Intake
from sync_server.intake.tables import surveys

BATCH = 100


def survey(intake: Intake, gazetteer: str) -> int:
    """Locate all documents by this import of the gazetteer, unless that has been done. Answers how
    many were looked at.
    """
    after = _position(intake.sql, intake.database.name, gazetteer)
    count = 0
    while after is not None:
        doc_ids = _ids_after(intake, after)
        locate(intake, read(intake.database, doc_ids))
        count += len(doc_ids)
        after = doc_ids[-1] if doc_ids else None
        _keep_position(intake.sql, intake.database.name, gazetteer, after)
    return count


def _ids_after(intake: Intake, after: str) -> list[str]:
    page = intake.database.all_docs(startkey=after, limit=BATCH + 1)
    ids = [row.doc_id for row in page.rows if row is not None and row.doc_id != after]
    return ids[:BATCH]


def _position(sql: Engine, database: str, gazetteer: str) -> str | None:
    """The id to go on from; None where nothing is left to do."""
    query = select(surveys.c.gazetteer, surveys.c.after).where(surveys.c.database == database)
    with sql.connect().execution_options(read_only=True) as connection:
        row = connection.execute(query).first()
    return row.after if row is not None and row.gazetteer == gazetteer else ""


def _keep_position(sql: Engine, database: str, gazetteer: str, after: str | None) -> None:
    with sql.begin() as connection:
        connection.execute(delete(surveys).where(surveys.c.database == database))
        connection.execute(
            insert(surveys).values(database=database, gazetteer=gazetteer, after=after)
        )
