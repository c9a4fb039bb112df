"""PINs: six digits in the place of a password, for workers who share a tablet.

A PIN opens what one worker sees. Who decides, or reads more than that, signs in with a password;
so an account with a PIN gets no such role until it has one again.
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, delete, insert, or_, select

from sync_server.access.tables import account_pins, account_roles, database_members, grants
from sync_server.errors import BadRequest

DIGITS = 6
PIN_ROLE = "cew"
"""The one role that may be had with a PIN."""


def generated() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def keep(connection: Connection, account_id: int, name: str, now: int) -> None:
    """Note that the account's password is a PIN. Raises BadRequest where it may not be."""
    found = _role_beyond_a_pin(connection, account_id, now)
    if found is not None:
        raise BadRequest(
            f"{name} has the role {found} and needs a password: sync-server account set-password."
        )
    forget(connection, account_id)
    connection.execute(insert(account_pins).values(account_id=account_id, set_at=now))


def forget(connection: Connection, account_id: int) -> None:
    """The account has a password again."""
    connection.execute(delete(account_pins).where(account_pins.c.account_id == account_id))


def require_password(connection: Connection, account_id: int, name: str, role: str) -> None:
    """Raises BadRequest where the account has a PIN, and the role may not be had with one."""
    query = select(account_pins.c.set_at).where(account_pins.c.account_id == account_id)
    if role != PIN_ROLE and connection.execute(query).first() is not None:
        raise BadRequest(
            f"{name} signs in with a PIN, which is too short for the role {role}: give it a "
            "password first, with sync-server account set-password."
        )


def _role_beyond_a_pin(connection: Connection, account_id: int, now: int) -> str | None:
    """A role that the account has, or will have, and that a PIN may not open."""
    member = select(database_members.c.database_name).where(
        database_members.c.account_id == account_id
    )
    if connection.execute(member).first() is not None:
        return "replicator"
    role = select(account_roles.c.role).where(account_roles.c.account_id == account_id)
    granted = (
        select(grants.c.role)
        .where(grants.c.account_id == account_id, grants.c.role != PIN_ROLE)
        .where(or_(grants.c.ends_at.is_(None), grants.c.ends_at > now))
    )
    found = connection.execute(role.union(granted)).scalars().first()
    return None if found is None else str(found)
