"""Writes what admins decided, where the process that should have has died."""

from __future__ import annotations

from sync_server.cases.outbox import write_pending
from sync_server.errors import NotFound, Unavailable
from sync_server.parts import Parts


def case_decisions(parts: Parts) -> None:
    """Costs one look at an index where nothing waits."""
    for name in parts.settings.programme_databases:
        try:
            write_pending(parts.sql, parts.store.database(name))
        except (NotFound, Unavailable):
            continue
