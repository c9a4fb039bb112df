"""Giving and transferring grants, as commands and pages do it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, Engine

from sync_server.access import grants
from sync_server.access.accounts import Accounts
from sync_server.access.areas import NATION, covers
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.grants import Grant, Grants
from sync_server.errors import BadRequest, Conflict, NotFound
from sync_server.storage.base import DocumentStore


class GrantParts(Protocol):
    """The parts of the service that grants concern."""

    @property
    def sql(self) -> Engine: ...
    @property
    def store(self) -> DocumentStore: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def gazetteer(self) -> Gazetteer: ...


@dataclass(frozen=True, slots=True)
class Transfer:
    """Grants of one account that end, and those that another gets for them."""

    giver: str
    taker: str
    database: str
    at: int
    """Milliseconds since 1970."""
    ended: Sequence[Grant]
    given: Sequence[Grant]
    """Fewer, where the taker has some already. They have no number before they are given."""


def give(
    parts: GrantParts,
    account: str,
    role: str,
    database: str,
    area: str,
    *,
    starts_at: int | None = None,
    ends_at: int | None = None,
    actor: str,
) -> Grant:
    """Times in milliseconds since 1970; None: from now on, and without end.

    Raises NotFound for the account or database; BadRequest for an area that the gazetteer does not
    know, for times that contradict each other and for a role that needs a password; Conflict where
    the account has the same grant in that time.
    """
    check(parts, role, database, area)
    starts_at = _now() if starts_at is None else starts_at
    with parts.sql.begin() as connection:
        _refuse_twice(connection, account, Grant(role, database, area, starts_at, ends_at))
        made = grants.add(
            connection, account, role, database, area, starts_at, ends_at, actor=actor
        )
    parts.grants.stamp.touch()
    return made


def check(parts: GrantParts, role: str, database: str, area: str) -> None:
    """Whether there is something to grant. Raises BadRequest, NotFound."""
    grants.check(role, area)
    parts.store.database(database)
    parts.gazetteer.require(area)


def transfer(
    parts: GrantParts, giver: str, taker: str, database: str, *, area: str = NATION, actor: str
) -> Transfer:
    """End the giver's grants of the area, and what lies in it, and give the same to the taker: at
    one moment, in one transaction.

    Raises NotFound where there is nothing to transfer, BadRequest where the taker cannot have it.
    """
    with parts.sql.begin() as connection:
        plan = _plan(connection, parts, giver, taker, database, area)
        ended = [
            grants.close(
                connection, grant.number, None, plan.at, actor=actor, transferred_to=taker
            ).grant
            for grant in plan.ended
        ]
        given = [
            grants.add(
                connection,
                taker,
                grant.role,
                database,
                grant.area,
                grant.starts_at,
                grant.ends_at,
                actor=actor,
                transferred_from=giver,
            )
            for grant in plan.given
        ]
    parts.grants.stamp.touch()
    return replace(plan, ended=ended, given=given)


def planned(
    parts: GrantParts, giver: str, taker: str, database: str, *, area: str = NATION
) -> Transfer:
    """What `transfer` would do now; changes nothing. Raises as it does."""
    with parts.sql.execution_options(read_only=True).begin() as connection:
        return _plan(connection, parts, giver, taker, database, area)


def _plan(
    connection: Connection, parts: GrantParts, giver: str, taker: str, database: str, area: str
) -> Transfer:
    grants.check(grants.CEW, area)
    _check_taker(parts, giver, taker)
    now = _now()
    ended = [
        grant
        for grant in grants.of_account(connection, grants.existing_id(connection, giver))
        if grant.database == database and covers(area, grant.area) and not grant.has_ended(now)
    ]
    if not ended:
        where = f" in {area}" if area else ""
        raise NotFound(f"{giver} has no grant in {database}{where} that has not ended.")
    has = grants.of_account(connection, grants.existing_id(connection, taker))
    given = [grant for grant in _anew(ended, now) if not any(_includes(own, grant) for own in has)]
    return Transfer(giver, taker, database, now, ended, given)


def _check_taker(parts: GrantParts, giver: str, taker: str) -> None:
    if giver == taker:
        raise BadRequest("Name two accounts: who gives and who gets.")
    record = parts.accounts.find(taker)
    if record is None:
        raise NotFound(f"There is no account named {taker}.")
    if record.disabled:
        raise BadRequest(f"{taker} is disabled, and could not work in the area.")


def _anew(ended: Sequence[Grant], now: int) -> Iterator[Grant]:
    for grant in ended:
        yield replace(grant, starts_at=max(now, grant.starts_at), number=0)


def _includes(own: Grant, wanted: Grant) -> bool:
    """The same grant, for all of the time."""
    lasts = own.ends_at is None or (wanted.ends_at is not None and wanted.ends_at <= own.ends_at)
    return _is_same(own, wanted) and own.starts_at <= wanted.starts_at and lasts


def _is_same(one: Grant, other: Grant) -> bool:
    return (one.role, one.database, one.area) == (other.role, other.database, other.area)


def _refuse_twice(connection: Connection, account: str, wanted: Grant) -> None:
    for own in grants.of_account(connection, grants.existing_id(connection, account)):
        begins_before_end = wanted.ends_at is None or own.starts_at < wanted.ends_at
        if _is_same(own, wanted) and begins_before_end and not own.has_ended(wanted.starts_at):
            raise Conflict(f"{account} has that grant already: it is number {own.number}.")


def _now() -> int:
    return time.time_ns() // 1_000_000
