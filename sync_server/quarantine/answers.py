"""Answers: a document that was sent back and has been stored since, corrected, by whom it was sent
back to. Its entry waits for nobody any longer, and the notice goes.
"""

from __future__ import annotations

from sqlalchemy import Engine

from sync_server.intake.stage import SERVER
from sync_server.quarantine import entries
from sync_server.quarantine.entries import Entry, Filter
from sync_server.quarantine.states import RETURNED
from sync_server.storage.base import Database

BATCH = 100


def note_answers(sql: Engine, database: Database, now: int) -> int:
    """Take the step for what was answered; answers how many. `now`: milliseconds since 1970."""
    count = after = 0
    while True:
        with sql.connect().execution_options(read_only=True) as connection:
            returned = entries.page(
                connection, database.name, Filter(state=RETURNED), after=after, limit=BATCH
            )
        if not returned:
            return count
        answered = _answered(database, returned)
        with sql.begin() as connection:
            for entry in answered:
                entries.step(connection, entry, "answer", SERVER, now)
        count += len(answered)
        after = returned[-1].number


def _answered(database: Database, returned: list[Entry]) -> list[Entry]:
    winners = database.winners([entry.doc_id for entry in returned])
    return [
        entry
        for entry, winner in zip(returned, winners, strict=True)
        if winner is not None
        and winner.origin.account == entry.owner
        and winner.origin.received_at > (entry.settled_at or 0)
    ]
