"""Before all stages: what admins decided and a crash left out of the database is written."""

from __future__ import annotations

from collections.abc import Sequence

from sync_server.cases import outbox
from sync_server.intake.stage import Arrival, Intake


def write_decisions(intake: Intake, arrivals: Sequence[Arrival]) -> set[str]:
    """So that no later stage takes a decided conflict for an open one. Answers what was written:
    it comes by again.
    """
    return outbox.write_pending(intake.sql, intake.database).documents
