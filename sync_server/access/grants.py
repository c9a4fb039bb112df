"""Grants: a role in an area of a database, for a time.

A grant that ends is kept, and says what its holder could do when: what a tablet captured before
the end is taken for a while after it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, or_, select, update

from sync_server.access.areas import is_area
from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import accounts, grants
from sync_server.errors import BadRequest, NotFound

CEW = "cew"
COORDINATOR = "coordinator"
FIELD_ROLES = (CEW, COORDINATOR)


@dataclass(frozen=True, slots=True)
class Grant:
    """Times in milliseconds since 1970; a grant holds from its start up to before its end."""

    role: str
    database: str
    area: str
    starts_at: int
    ends_at: int | None = None
    number: int = 0

    def holds(self, now: int) -> bool:
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)


class Grants:
    """Giving and ending grants. Every change touches the stamp, so feeds and caches notice."""

    def __init__(self, engine: Engine, stamp: ChangeStamp) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._stamp = stamp

    def of(self, account: str) -> list[Grant]:
        """All grants of the account, ended ones too, in the order they were given."""
        with self._reading.begin() as connection:
            return of_account(connection, _account_id(connection, account))

    def in_database(self, database: str, now: int) -> list[tuple[str, Grant]]:
        """(account, grant) of those that hold."""
        with self._reading.begin() as connection:
            rows = connection.execute(
                select(accounts.c.name, *grants.c)
                .join(grants, grants.c.account_id == accounts.c.id)
                .where(grants.c.database_name == database, grants.c.starts_at <= now)
                .where(or_(grants.c.ends_at.is_(None), grants.c.ends_at > now))
                .order_by(grants.c.number)
            ).mappings()
            return [(row["name"], _grant(row)) for row in rows]

    def give(
        self,
        account: str,
        role: str,
        database: str,
        area: str,
        *,
        starts_at: int | None = None,
        ends_at: int | None = None,
    ) -> Grant:
        """Raises BadRequest for what cannot be granted, NotFound for an unknown account."""
        with self._engine.begin() as connection:
            made = add(connection, account, role, database, area, starts_at, ends_at)
        self._stamp.touch()
        return made

    def end(self, number: int, at: int | None = None) -> None:
        """End a grant, now or at a time. Raises NotFound for one that is unknown or has ended."""
        now = _now()
        with self._engine.begin() as connection:
            close(connection, number, now if at is None else at, now)
        self._stamp.touch()

    def forget_database(self, database: str) -> None:
        """The database is gone: one made later under its name starts with no grants."""
        with self._engine.begin() as connection:
            connection.execute(delete(grants).where(grants.c.database_name == database))
        self._stamp.touch()


def add(
    connection: Connection,
    account: str,
    role: str,
    database: str,
    area: str,
    starts_at: int | None = None,
    ends_at: int | None = None,
) -> Grant:
    """`Grants.give` within a transaction; touching the stamp is the caller's."""
    starts_at = _now() if starts_at is None else starts_at
    check(role, area)
    if ends_at is not None and ends_at <= starts_at:
        raise BadRequest("A grant ends after it starts.")
    values: dict[str, Any] = {
        "account_id": _account_id(connection, account),
        "role": role,
        "database_name": database,
        "area": area,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    done = connection.execute(insert(grants).values(**values))
    number = done.inserted_primary_key[0] if done.inserted_primary_key else 0
    return Grant(role, database, area, starts_at, ends_at, number)


def check(role: str, area: str) -> None:
    """Raises BadRequest for what cannot be granted."""
    if role not in FIELD_ROLES:
        raise BadRequest(f"A grant is for the role {' or '.join(FIELD_ROLES)}, not {role!r}.")
    if not is_area(area):
        raise BadRequest(
            f"{area!r} is no area: give 2 digits for a province, 4 for a district, 6 for a "
            "commune, or an empty text for the nation."
        )


def close(connection: Connection, number: int, at: int, now: int) -> None:
    """`Grants.end` within a transaction."""
    done = connection.execute(
        update(grants)
        .where(grants.c.number == number)
        .where(or_(grants.c.ends_at.is_(None), grants.c.ends_at > now))
        .values(ends_at=at)
    )
    if done.rowcount != 1:
        raise NotFound(f"There is no grant {number} that has not ended.")


def of_account(connection: Connection, account_id: int) -> list[Grant]:
    rows = connection.execute(
        select(grants).where(grants.c.account_id == account_id).order_by(grants.c.number)
    ).mappings()
    return [_grant(row) for row in rows]


def _grant(row: RowMapping) -> Grant:
    return Grant(
        row["role"],
        row["database_name"],
        row["area"],
        row["starts_at"],
        row["ends_at"],
        row["number"],
    )


def _account_id(connection: Connection, name: str) -> int:
    found = connection.execute(select(accounts.c.id).where(accounts.c.name == name)).scalar()
    if found is None:
        raise NotFound(f"There is no account named {name}.")
    return int(found)


def _now() -> int:
    return time.time_ns() // 1_000_000
