"""What the commands do, as functions of the service's parts; `cli` only reads arguments.

The functions change the same data as a running service, which notices at once: they may be
called beside it or without it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sync_server.access import granting
from sync_server.access.accounts import REPLICATOR, AccountRecord, generated_password
from sync_server.access.audit import CLI
from sync_server.access.enrolment import Offer
from sync_server.access.fleet import Tablet, fleet
from sync_server.access.grants import FIELD_ROLES
from sync_server.errors import BadRequest, NotFound
from sync_server.intake import forgetting
from sync_server.parts import Parts
from sync_server.quarantine import entries
from sync_server.storage.base import DatabaseInfo
from sync_server.storage.compaction import compact as compact_database


@dataclass(frozen=True, slots=True)
class Compaction:
    """A database before and after `compact`, sizes in bytes."""

    name: str
    size_before: int
    size_after: int


def add_account(
    parts: Parts,
    name: str,
    password: str | None,
    roles: Sequence[str] = (),
    databases: Sequence[str] = (),
    areas: Sequence[str] = (),
) -> str | None:
    """Make an account; answers its password where none was given.

    A role of the field (`cew`, `coordinator`) is granted in each of the areas of each database.
    Raises BadRequest, Conflict, NotFound for a database that does not exist.
    """
    for database in databases:
        parts.store.database(database)
    field = [role for role in roles if role in FIELD_ROLES]
    wanted = [(role, base, area) for role in field for base in databases for area in areas]
    if field and not wanted:
        raise BadRequest(f"The role {field[0]} is granted in an area of a database: name both.")
    if databases and not field and REPLICATOR not in roles:
        raise BadRequest(f"Name the role, e.g. cew with an area; {REPLICATOR} sees everything.")
    for role, base, area in wanted:
        granting.check(parts, role, base, area)
    made_up = None if password else generated_password()
    parts.accounts.create(
        name,
        password or made_up or "",
        roles=[role for role in roles if role not in FIELD_ROLES],
        databases=[] if field else databases,
        actor=CLI,
    )
    for role, base, area in dict.fromkeys(wanted):
        granting.give(parts, name, role, base, area, actor=CLI)
    return made_up


def list_accounts(parts: Parts) -> list[AccountRecord]:
    return parts.accounts.all()


def disable_account(parts: Parts, name: str, *, disabled: bool = True) -> None:
    parts.accounts.set_disabled(name, disabled, actor=CLI)


def set_password(parts: Parts, name: str, password: str | None) -> str | None:
    """Answers the new password where none was given."""
    made_up = None if password else generated_password()
    parts.accounts.set_password(name, password or made_up or "", actor=CLI)
    return made_up


def reset_pin(parts: Parts, name: str) -> str:
    """A new PIN; see `Accounts.reset_pin`."""
    return parts.accounts.reset_pin(name, actor=CLI)


def issue_token(parts: Parts, name: str, device: str) -> str:
    return parts.accounts.issue_token(name, device, actor=CLI)


def revoke_tokens(parts: Parts, name: str, device: str) -> int:
    return parts.accounts.revoke_tokens(name, device, actor=CLI)


def offer_enrolment(
    parts: Parts, account: str, device: str, database: str | None, minutes: int
) -> Offer:
    """A one-time code for a tablet; without a database, one of the first of the programme's.

    Raises BadRequest, NotFound.
    """
    database = database or parts.settings.programme_databases[0]
    parts.store.database(database)
    return parts.enrolments.offer(account, device, database, CLI, minutes)


def revoke_device(
    parts: Parts, account: str, device: str, reason: str, *, shared: bool = False
) -> list[str]:
    """Answers the accounts for which it was revoked. Raises BadRequest, NotFound."""
    return parts.devices.revoke(account, device, reason, CLI, shared=shared)


def allow_device(parts: Parts, account: str, device: str) -> int:
    """Answers how many revisions it had written. Raises NotFound."""
    return parts.allowance.renew(account, device, CLI)


def list_devices(parts: Parts) -> list[Tablet]:
    return fleet(parts, time.time_ns() // 1_000_000)


def create_database(parts: Parts, name: str) -> None:
    """Raises FileExists, IllegalDatabaseName."""
    parts.store.create(name)


def list_databases(parts: Parts) -> list[DatabaseInfo]:
    return [database.info() for database in parts.store]


def delete_database(parts: Parts, name: str) -> None:
    """The database, all memberships of it, and what was refused in it. Raises NotFound."""
    parts.store.delete(name)
    parts.accounts.forget_database(name)
    parts.grants.forget_database(name)
    with parts.sql.begin() as connection:
        entries.forget_database(connection, name)
        forgetting.forget_database(connection, name)


def restored(parts: Parts, names: Sequence[str]) -> None:
    """Databases that a backup was put in the place of. Raises NotFound before anything is done."""
    for name in names:
        parts.store.database(name)
    for name in names:
        parts.store.restored(name)


def add_member(parts: Parts, account: str, database: str) -> None:
    """Raises NotFound for either."""
    parts.store.database(database)
    parts.accounts.add_member(account, database, actor=CLI)


def remove_member(parts: Parts, account: str, database: str) -> None:
    parts.accounts.remove_member(account, database, actor=CLI)


def compact(parts: Parts, names: Sequence[str] = ()) -> list[Compaction]:
    """Compact the named databases, or all. Raises NotFound before anything is done."""
    known = parts.store.names()
    for name in names:
        if name not in known:
            raise NotFound(f"There is no database named {name}.")
    return [_compact(parts, name) for name in names or known]


def _compact(parts: Parts, name: str) -> Compaction:
    database = parts.store.database(name)
    before = database.info().file_size
    compact_database(database, time.time_ns() // 1_000_000, parts.settings.stale_tablet_days)
    return Compaction(name, before, database.info().file_size)
