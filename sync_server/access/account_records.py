"""Accounts as they are read: who may do what, and how they were recognised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select

from sync_server.access.grants import Grant, of_account
from sync_server.access.tables import account_roles, database_members

ADMIN = "admin"

# Built once: every second of a busy tablet reads its account again.
_ROLES = select(account_roles.c.role).where(account_roles.c.account_id == bindparam("account"))
_DATABASES = select(database_members.c.database_name).where(
    database_members.c.account_id == bindparam("account")
)


@dataclass(frozen=True, slots=True)
class Account:
    """Who makes a request, with what they may do; never their secrets."""

    name: str
    device: str = ""
    """The tablet whose token was shown; empty for a password or a session made with one."""
    roles: frozenset[str] = frozenset()
    databases: frozenset[str] = frozenset()
    """Databases that it replicates whole, as a `replicator`. Admins need no membership."""
    grants: tuple[Grant, ...] = ()
    """Roles in areas, those that have ended or not begun among them."""
    device_enrolled_at: int = 0
    """When the tablet got the token that was shown, in milliseconds since 1970."""
    device_readmitted_at: int | None = None
    """When the tablet was enrolled again after it had been revoked; None where it never was. What
    was captured before may come from whoever had the tablet meanwhile.
    """

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.roles


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account as it is stored."""

    account: Account
    password_hash: str
    credential_epoch: int
    created_at: int
    """Milliseconds since 1970."""
    disabled: bool
    token_number: int = 0
    """Of the device token by which it was found; 0 for none."""


def record(connection: Connection, row: Any) -> AccountRecord:
    """The account of a row of `accounts`, with its roles, databases and grants."""
    roles = connection.execute(_ROLES, {"account": row.id}).scalars()
    databases = connection.execute(_DATABASES, {"account": row.id}).scalars()
    return AccountRecord(
        account=Account(
            row.name,
            roles=frozenset(roles),
            databases=frozenset(databases),
            grants=tuple(of_account(connection, row.id)),
        ),
        password_hash=row.password_hash,
        credential_epoch=row.credential_epoch,
        created_at=row.created_at,
        disabled=row.disabled_at is not None,
    )


def record_of_token(connection: Connection, row: Any) -> AccountRecord:
    """The account with the device whose token the row is of."""
    found = record(connection, row)
    account = replace(
        found.account,
        device=row.device,
        device_enrolled_at=row.enrolled_at,
        device_readmitted_at=row.readmitted_at,
    )
    return replace(found, account=account, token_number=row.token_number)
