"""The audit log: what people did with accounts, grants, devices, quarantine and cases.

A row is written in the transaction of what it tells of, and never changed afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select

from sync_server.access.tables import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`at` in milliseconds since 1970; `details` is what the action was given, never a secret."""

    number: int
    at: int
    actor: str
    """An account, `_server`, or `_cli` for whoever runs the service."""
    action: str
    """`<kind>.<verb>`, e.g. `quarantine.adopt`, `grant.end`."""
    subject: str
    """What it was done to: an account, a device, a document's id."""
    database: str
    details: Mapping[str, Any]


CLI = "_cli"
SERVER = "_server"
"""The service itself; no account can be called so."""


def record(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    *,
    database: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append an entry, within the caller's transaction."""
    record_all(connection, actor, action, [(subject, details or {})], database=database)


def record_all(
    connection: Connection,
    actor: str,
    action: str,
    subjects: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    database: str = "",
) -> None:
    """Append an entry for each subject and its details, within the caller's transaction."""
    at = time.time_ns() // 1_000_000
    rows = [
        {
            "at": at,
            "actor": actor,
            "action": action,
            "subject": subject,
            "database": database,
            "details": orjson.dumps(details).decode(),
        }
        for subject, details in subjects
    ]
    if rows:
        connection.execute(insert(audit), rows)


def entries(
    connection: Connection,
    *,
    subject: str | None = None,
    database: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditEntry]:
    """The latest entries first; `before`: only those of a lower number."""
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    if database is not None:
        query = query.where(audit.c.database == database)
    if before is not None:
        query = query.where(audit.c.number < before)
    return [
        AuditEntry(**{**row, "details": orjson.loads(row["details"])})
        for row in connection.execute(query).mappings()
    ]
