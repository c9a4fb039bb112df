"""Moves documents to where a new gazetteer says they belong."""

from __future__ import annotations

from sync_server.errors import NotFound
from sync_server.intake.pipeline import now_ms
from sync_server.intake.stage import Intake
from sync_server.intake.survey import survey
from sync_server.parts import Parts


def location_survey(parts: Parts) -> int:
    """Answers how many documents were looked at; 0 where the gazetteer is the same as before."""
    edition = parts.gazetteer.edition()
    gazetteer = str(edition.number) if edition else "none"
    count = 0
    for name in parts.settings.programme_databases:
        try:
            database = parts.store.database(name)
        except NotFound:
            continue
        count += survey(Intake(database, parts.sql, now_ms, places=parts.gazetteer), gazetteer)
    return count
