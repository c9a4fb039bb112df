"""Grants: a role in an area of a database, for a time.

A grant that ends is kept, and says what its holder could do when: what a tablet captured before
the end is taken for a while after it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from sync_server.access import audit, pins
from sync_server.access.areas import ancestors, is_area
from sync_server.access.audit import SERVER
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

    def has_ended(self, now: int) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class Held(NamedTuple):
    """A grant, and who has it."""

    account: str
    grant: Grant


class Grants:
    """Giving and ending grants. Every change touches the stamp, so feeds and caches notice, and
    is in the audit log with its `actor`.
    """

    def __init__(self, engine: Engine, stamp: ChangeStamp) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self.stamp = stamp

    def of(self, account: str) -> list[Grant]:
        """All grants of the account, ended ones too, in the order they were given."""
        with self._reading.begin() as connection:
            return of_account(connection, existing_id(connection, account))

    def in_database(self, database: str, now: int) -> list[tuple[str, Grant]]:
        """(account, grant) of those that hold."""
        found = self.find(database=database, now=now)
        return [(account, grant) for account, grant in found if grant.holds(now)]

    def find(
        self,
        *,
        account: str | None = None,
        database: str | None = None,
        area: str | None = None,
        now: int | None = None,
    ) -> list[Held]:
        """Grants in the order they were given; with `now`, without those that have ended.

        `area`: those that reach it: of the area itself, of one above it or of one in it. Raises
        NotFound for an account that does not exist.
        """
        with self._reading.begin() as connection:
            query = select(accounts.c.name, *grants.c).join(
                grants, grants.c.account_id == accounts.c.id
            )
            if account is not None:
                query = query.where(accounts.c.id == existing_id(connection, account))
            if database is not None:
                query = query.where(grants.c.database_name == database)
            if area is not None:
                query = query.where(_reaches(area))
            if now is not None:
                query = query.where(_not_ended(now))
            rows = connection.execute(query.order_by(grants.c.number)).mappings()
            return [Held(row["name"], _grant(row)) for row in rows]

    def give(
        self,
        account: str,
        role: str,
        database: str,
        area: str,
        *,
        starts_at: int | None = None,
        ends_at: int | None = None,
        actor: str = SERVER,
    ) -> Grant:
        """Raises BadRequest for what cannot be granted, NotFound for an unknown account."""
        with self._engine.begin() as connection:
            made = add(connection, account, role, database, area, starts_at, ends_at, actor=actor)
        self.stamp.touch()
        return made

    def end(self, number: int, at: int | None = None, *, actor: str = SERVER) -> Held:
        """End a grant, now or at a time. Ended before it has begun, it never holds.

        Raises NotFound for one that is unknown or has ended, BadRequest for a time before its
        start.
        """
        with self._engine.begin() as connection:
            ended = close(connection, number, at, _now(), actor=actor)
        self.stamp.touch()
        return ended

    def forget_database(self, database: str) -> None:
        """The database is gone: one made later under its name starts with no grants."""
        with self._engine.begin() as connection:
            connection.execute(delete(grants).where(grants.c.database_name == database))
        self.stamp.touch()


def add(
    connection: Connection,
    account: str,
    role: str,
    database: str,
    area: str,
    starts_at: int | None = None,
    ends_at: int | None = None,
    *,
    actor: str = SERVER,
    **details: Any,
) -> Grant:
    """`Grants.give` within a transaction; touching the stamp is the caller's. `details` go to the
    audit log.
    """
    starts_at = _now() if starts_at is None else starts_at
    check(role, area)
    if ends_at is not None and ends_at <= starts_at:
        raise BadRequest("A grant ends after it starts.")
    account_id = existing_id(connection, account)
    pins.require_password(connection, account_id, account, role)
    values: dict[str, Any] = {
        "account_id": account_id,
        "role": role,
        "database_name": database,
        "area": area,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    done = connection.execute(insert(grants).values(**values))
    number = done.inserted_primary_key[0] if done.inserted_primary_key else 0
    made = Grant(role, database, area, starts_at, ends_at, number)
    _note(connection, actor, "grant.give", Held(account, made), details)
    return made


def check(role: str, area: str) -> None:
    """Raises BadRequest for what cannot be granted."""
    if role not in FIELD_ROLES:
        raise BadRequest(f"A grant is for the role {' or '.join(FIELD_ROLES)}, not {role!r}.")
    if not is_area(area):
        raise BadRequest(
            f"{area!r} is no area: give 2 digits for a province, 4 for a district, 6 for a "
            "commune, or an empty text for the nation."
        )


def close(
    connection: Connection,
    number: int,
    at: int | None,
    now: int,
    *,
    actor: str = SERVER,
    **details: Any,
) -> Held:
    """`Grants.end` within a transaction."""
    query = (
        select(accounts.c.name, *grants.c)
        .join(grants, grants.c.account_id == accounts.c.id)
        .where(grants.c.number == number, _not_ended(now))
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"There is no grant {number} that has not ended.")
    if at is not None and at < row["starts_at"]:
        raise BadRequest("A grant ends after it starts.")
    ends_at = now if at is None else at
    connection.execute(update(grants).where(grants.c.number == number).values(ends_at=ends_at))
    ended = Held(row["name"], replace(_grant(row), ends_at=ends_at))
    _note(connection, actor, "grant.end", ended, details)
    return ended


_OF_ACCOUNT = (
    select(grants).where(grants.c.account_id == bindparam("account")).order_by(grants.c.number)
)


def of_account(connection: Connection, account_id: int) -> list[Grant]:
    rows = connection.execute(_OF_ACCOUNT, {"account": account_id}).mappings()
    return [_grant(row) for row in rows]


def existing_id(connection: Connection, name: str) -> int:
    """The account's number. Raises NotFound."""
    found = connection.execute(select(accounts.c.id).where(accounts.c.name == name)).scalar()
    if found is None:
        raise NotFound(f"There is no account named {name}.")
    return int(found)


def _note(
    connection: Connection, actor: str, action: str, held: Held, details: dict[str, Any]
) -> None:
    grant = held.grant
    details = {
        "number": grant.number,
        "role": grant.role,
        "area": grant.area,
        "starts_at": grant.starts_at,
        "ends_at": grant.ends_at,
        **details,
    }
    audit.record(connection, actor, action, held.account, database=grant.database, details=details)


def _not_ended(now: int) -> ColumnElement[bool]:
    return or_(grants.c.ends_at.is_(None), grants.c.ends_at > now)


def _reaches(area: str) -> ColumnElement[bool]:
    return or_(grants.c.area.startswith(area), grants.c.area.in_(ancestors(area)))


def _grant(row: RowMapping) -> Grant:
    return Grant(
        row["role"],
        row["database_name"],
        row["area"],
        row["starts_at"],
        row["ends_at"],
        row["number"],
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
