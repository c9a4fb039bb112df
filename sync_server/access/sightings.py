"""What was seen of a device for a while, and how that is added to what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, case, select, text, update

from sync_server.access.device_tables import devices
from sync_server.access.devices import Acknowledgement
from sync_server.access.tables import accounts

LONGEST_TEXT = 60

_CLIENTS = (
    ("couchdb-replicator", "CouchDB"),
    ("couchbaselite", "Couchbase Lite"),
    ("cloudant", "Cloudant Sync"),
    ("pouchdb", "PouchDB"),
)
"""What a User-Agent holds, in lower case → the client's name."""


@dataclass(slots=True)
class Sighting:
    """Of one device, since it was last saved. Times in milliseconds since 1970."""

    at: int = 0
    user_agent: str = ""
    replicator: str = ""
    """What its checkpoints say it replicates with: PouchDB has the User-Agent of its browser."""
    app_version: str = ""
    clock_skew_ms: int | None = None
    pushed: int = 0
    refused: int = 0
    conflicting: int = 0
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    """By database."""


def save(connection: Connection, account: str, device: str, seen: Sighting) -> None:
    """Add it to the device's row, within the caller's transaction. Processes may come in any
    order: a time never goes back.
    """
    table = devices.c
    number = connection.execute(
        select(table.id)
        .join(accounts, accounts.c.id == table.account_id)
        .where(accounts.c.name == account, table.name == device)
    ).scalar()
    if number is None:
        return
    later = table.last_seen_at > seen.at
    values: dict[str, Any] = {
        "last_seen_at": case((later, table.last_seen_at), else_=seen.at),
        "pushed": table.pushed + seen.pushed,
        "refused": table.refused + seen.refused,
        "conflicting": table.conflicting + seen.conflicting,
        **_client(seen),
    }
    if seen.app_version:
        values["app_version"] = _printable(seen.app_version)
    if seen.clock_skew_ms is not None:
        values["clock_skew_ms"] = seen.clock_skew_ms
    connection.execute(update(devices).where(table.id == number).values(**values))
    for database, acknowledged in seen.acknowledged.items():
        _acknowledge(connection, number, database, acknowledged)


def client_name(user_agent: str, replicator: str = "") -> str:
    """The client that a tablet replicates with, where it is one of those that are known."""
    told = f"{user_agent} {replicator}".lower()
    return next((name for part, name in _CLIENTS if part in told), "")


def _client(seen: Sighting) -> dict[str, Any]:
    """A known client replaces what was there; anything else calls itself what it likes, for want
    of better.
    """
    if known := client_name(seen.user_agent, seen.replicator):
        return {"client": known}
    product = _printable(seen.user_agent.partition(" ")[0])
    return {"client": case((devices.c.client == "", product), else_=devices.c.client)}


def _acknowledge(
    connection: Connection, device: int, database: str, acknowledged: Acknowledgement
) -> None:
    connection.execute(
        text(
            "INSERT INTO acknowledgements (device_id, database_name, sequence, acknowledged_at)"
            " VALUES (:device, :database, :sequence, :at)"
            " ON CONFLICT (device_id, database_name) DO UPDATE"
            " SET sequence = excluded.sequence, acknowledged_at = excluded.acknowledged_at"
            " WHERE acknowledgements.acknowledged_at <= excluded.acknowledged_at"
        ),
        {
            "device": device,
            "database": database,
            "sequence": acknowledged.sequence,
            "at": acknowledged.at,
        },
    )


def _printable(sent: str) -> str:
    return "".join(letter for letter in sent if letter.isprintable())[:LONGEST_TEXT]
