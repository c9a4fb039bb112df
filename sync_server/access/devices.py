"""Devices: tablets, each enrolled for one account, with a token of its own.

A tablet that several people share is a device of each of their accounts, under the same name.

    enrolled ──► revoked ──► enrolled again ("readmitted")

A token is shown once and kept as its SHA-256; enrolling a device anew replaces the one it had.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    delete,
    insert,
    select,
    update,
)

from sync_server.access import audit, passwords
from sync_server.access.device_tables import acknowledgements, devices, enrolments
from sync_server.access.grants import existing_id
from sync_server.access.rules import check_name
from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import accounts, device_tokens
from sync_server.errors import BadRequest, NotFound

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """How far a device has pulled a database, as its checkpoint said `at` that time."""

    sequence: str
    at: int


@dataclass(frozen=True, slots=True)
class Device:
    """Times in milliseconds since 1970."""

    account: str
    name: str
    enrolled_at: int
    revoked_at: int | None = None
    """None while it may sign in."""
    revoke_reason: str | None = None
    """For the office; the tablet is not told."""
    readmitted_at: int | None = None
    """When it was enrolled again after it had been revoked; None where it never was."""
    last_seen_at: int | None = None
    client: str = ""
    app_version: str = ""
    clock_skew_ms: int | None = None
    """What the newest document of the last push said of its time, minus the server's: above zero
    the tablet's clock is ahead, below it may be behind, or have captured that long before.
    """
    pushed: int = 0
    refused: int = 0
    conflicting: int = 0
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)
    """By database."""


class Devices:
    """Reading and revoking. A revocation touches the stamp, so feeds notice."""

    def __init__(self, engine: Engine, stamp: ChangeStamp) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._stamp = stamp

    def all(self) -> list[Device]:
        """By account and name, revoked ones too."""
        with self._reading.begin() as connection:
            return _read(connection)

    def find(self, account: str, name: str) -> Device:
        """Raises NotFound."""
        with self._reading.begin() as connection:
            found = _read(connection, accounts.c.name == account, devices.c.name == name)
        if not found:
            raise NotFound(f"{account} has no device named {name}.")
        return found[0]

    def revoke(
        self, account: str, name: str, reason: str, actor: str, *, shared: bool = False
    ) -> list[str]:
        """Refuse the device from now on, and codes that would enrol it; answers the accounts for
        which it was revoked.

        `shared`: for every account that has a device of this name, as one tablet in the hands of
        several people is. Raises NotFound, also where nothing was left to revoke; BadRequest.
        """
        if not 0 < len(reason.strip()) <= LONGEST_REASON:
            raise BadRequest(f"Say why, in {LONGEST_REASON} characters at most.")
        with self._engine.begin() as connection:
            holders = _holders(connection, name)
            if account not in holders:
                raise NotFound(f"{account} has no device named {name} that is not revoked.")
            named = holders if shared else [account]
            for each in named:
                expel(connection, existing_id(connection, each), name, reason, actor)
        self._stamp.touch()
        return named


def admit(connection: Connection, account: int, name: str, actor: str) -> str:
    """Enrol a device of the account with that id; answers its token. Within the caller's
    transaction; touching the stamp is the caller's. Raises BadRequest.
    """
    check_name(name, "A device")
    now, token = _now(), passwords.new_token()
    _end_tokens(connection, account, name, now)
    connection.execute(
        insert(device_tokens).values(
            account_id=account,
            device=name,
            secret_sha256=passwords.token_digest(token),
            created_at=now,
        )
    )
    known = _is_device(account, name)
    row = connection.execute(select(devices.c.revoked_at).where(known)).first()
    if row is None:
        connection.execute(insert(devices).values(account_id=account, name=name, enrolled_at=now))
    else:
        again: dict[str, Any] = {"enrolled_at": now, "revoked_at": None, "revoke_reason": None}
        if row.revoked_at is not None:
            again["readmitted_at"] = now
        connection.execute(update(devices).where(known).values(**again))
    audit.record(connection, actor, "device.enrol", _subject(connection, account, name))
    return token


def expel(connection: Connection, account: int, name: str, reason: str, actor: str) -> int:
    """Revoke a device of the account with that id, with codes that would enrol it; answers how
    many tokens ended. Within the caller's transaction.
    """
    now = _now()
    count = _end_tokens(connection, account, name, now)
    connection.execute(
        update(devices)
        .where(_is_device(account, name), devices.c.revoked_at.is_(None))
        .values(revoked_at=now, revoke_reason=reason)
    )
    connection.execute(
        delete(enrolments).where(enrolments.c.account_id == account, enrolments.c.device == name)
    )
    subject = _subject(connection, account, name)
    audit.record(connection, actor, "device.revoke", subject, details={"reason": reason})
    return count


def _subject(connection: Connection, account: int, name: str) -> str:
    owner = connection.execute(select(accounts.c.name).where(accounts.c.id == account)).scalar()
    return f"{owner}/{name}"


def _is_device(account: int, name: str) -> ColumnElement[bool]:
    return (devices.c.account_id == account) & (devices.c.name == name)


def _holders(connection: Connection, name: str) -> list[str]:
    """Accounts that have a device of this name, or a code for one; revoked ones left out."""
    active = select(devices.c.account_id).where(
        devices.c.name == name, devices.c.revoked_at.is_(None)
    )
    offered = select(enrolments.c.account_id).where(enrolments.c.device == name)
    query = select(accounts.c.name).where(accounts.c.id.in_(active.union(offered)))
    return list(connection.execute(query.order_by(accounts.c.name)).scalars())


def _end_tokens(connection: Connection, account: int, name: str, now: int) -> int:
    return connection.execute(
        update(device_tokens)
        .where(device_tokens.c.account_id == account, device_tokens.c.device == name)
        .where(device_tokens.c.revoked_at.is_(None))
        .values(revoked_at=now)
    ).rowcount


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Device]:
    rows = connection.execute(
        select(accounts.c.name.label("account"), devices)
        .join(accounts, accounts.c.id == devices.c.account_id)
        .where(*conditions)
        .order_by(accounts.c.name, devices.c.name)
    ).mappings()
    acknowledged = _acknowledged(connection)
    return [_device(row, acknowledged.get(row["id"], {})) for row in rows]


def _acknowledged(connection: Connection) -> Mapping[int, Mapping[str, Acknowledgement]]:
    found: dict[int, dict[str, Acknowledgement]] = defaultdict(dict)
    for row in connection.execute(select(acknowledgements)):
        found[row.device_id][row.database_name] = Acknowledgement(row.sequence, row.acknowledged_at)
    return found


def _device(row: RowMapping, acknowledged: Mapping[str, Acknowledgement]) -> Device:
    values = {key: value for key, value in row.items() if key not in ("id", "account_id")}
    return Device(**values, acknowledged=acknowledged)


def _now() -> int:
    return time.time_ns() // 1_000_000
