"""What `sync-server quarantine …` does, as functions of the service's parts; see `commands`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from sync_server.access.audit import CLI
from sync_server.parts import Parts
from sync_server.quarantine import contents, entries
from sync_server.quarantine.entries import Entry, Filter
from sync_server.quarantine.service import Quarantine


def listed(
    parts: Parts, database: str, *, after: int = 0, limit: int = 50, **wanted: str | None
) -> Sequence[Entry]:
    """Raises NotFound for the database."""
    name = parts.store.database(database).name
    with parts.sql.connect().execution_options(read_only=True) as connection:
        return entries.page(connection, name, Filter(**wanted), after=after, limit=limit)


def shown(parts: Parts, number: int) -> str:
    """An entry, its document and its attachments as JSON. Raises NotFound."""
    with parts.sql.connect().execution_options(read_only=True) as connection:
        entry = entries.find(connection, entries.database_of(connection, number), number)
        described: dict[str, Any] = {
            **asdict(entry),
            "document": entries.document(connection, number),
            "attachments": [asdict(kept) for kept in contents.of_entry(connection, number)],
        }
    return orjson.dumps(described, option=orjson.OPT_INDENT_2).decode()


def attachment(parts: Parts, number: int, name: str) -> bytes:
    """The content of an attachment. Raises NotFound."""
    with parts.sql.connect().execution_options(read_only=True) as connection:
        kept = contents.attachment(connection, number, name)
        return contents.read(connection, kept.content or "")


def adopt(parts: Parts, number: int) -> Entry:
    return _of_entry(parts, number).adopt(number, CLI, _now())


def reassign(parts: Parts, number: int, **given: str | None) -> Entry:
    return _of_entry(parts, number).reassign(
        number,
        CLI,
        _now(),
        area=given["area"],
        account=given["account"],
        reason=given["reason"],
    )


def send_back(parts: Parts, number: int, reason: str) -> Entry:
    return _of_entry(parts, number).send_back(number, CLI, _now(), reason)


def discard(parts: Parts, number: int, reason: str) -> Entry:
    return _of_entry(parts, number).discard(number, CLI, _now(), reason)


def _of_entry(parts: Parts, number: int) -> Quarantine:
    with parts.sql.connect().execution_options(read_only=True) as connection:
        database = entries.database_of(connection, number)
    return parts.quarantine(database)


def _now() -> int:
    return time.time_ns() // 1_000_000
