"""Finishes what a crash left between quarantine's table and storage: adoptions and notices."""

from __future__ import annotations

import time

from sync_server.errors import NotFound
from sync_server.parts import Parts
from sync_server.quarantine.telling import publish_all


def quarantine_sweep(parts: Parts) -> int:
    """Answers how many entries were published."""
    count = 0
    for name in parts.store.names():
        try:
            database = parts.store.database(name)
        except NotFound:
            continue
        count += publish_all(parts.sql, database, time.time_ns() // 1_000_000)
    return count
