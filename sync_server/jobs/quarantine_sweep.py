"""Finishes what a crash left between quarantine's table and storage (adoptions and notices), and
notes what was sent back and has been answered.
"""

from __future__ import annotations

import time

from sync_server.errors import NotFound
from sync_server.parts import Parts
from sync_server.quarantine.answers import note_answers
from sync_server.quarantine.telling import publish_all


def quarantine_sweep(parts: Parts) -> int:
    """Answers how many entries were published."""
    count = 0
    for name in parts.store.names():
        try:
            database = parts.store.database(name)
        except NotFound:
            continue
        now = time.time_ns() // 1_000_000
        note_answers(parts.sql, database, now)
        count += publish_all(parts.sql, database, now)
    return count
