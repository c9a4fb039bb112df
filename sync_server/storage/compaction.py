"""Compaction that leaves to every tablet what its edits will be merged against.

A tablet edits what it saw at its last sync, perhaps months ago. Until it has acknowledged a later
sequence, the bodies that were superseded since may be the base of what it brings.
"""

from __future__ import annotations

from sync_server.storage.base import Database

DAY_MS = 86_400_000


def compact(database: Database, now: int, stale_days: int) -> None:
    """`now`: milliseconds since 1970. A tablet that was not seen for `stale_days` is not waited
    for: what it still brings may find no base, and then only equal values merge.
    """
    database.compact(database.acknowledged(now - stale_days * DAY_MS))
