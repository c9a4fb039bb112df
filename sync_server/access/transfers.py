"""What a transfer of grants would bring to whom, before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sync_server.access.accounts import Account
from sync_server.access.areas import NATION
from sync_server.access.granting import GrantParts, Transfer, planned
from sync_server.access.grants import Grant
from sync_server.access.scope import Scope, scope_of
from sync_server.access.tablets import Tablet, received_from, tablets_of
from sync_server.errors import NotFound
from sync_server.storage.base import Database


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of one account: each of its tablets gains and loses the same documents."""

    account: str
    gains: int
    """Documents, deleted ones not counted, that it sees from then on."""
    loses: int
    """Documents that it sees no longer."""
    tablets: Sequence[Tablet]


@dataclass(frozen=True, slots=True)
class Preview:
    transfer: Transfer
    giver: Effect
    taker: Effect


def preview(
    parts: GrantParts, giver: str, taker: str, database: str, *, area: str = NATION
) -> Preview:
    """Costs what the areas concerned hold at most, not what the database holds. Changes nothing;
    raises as `granting.transfer` does.
    """
    plan = planned(parts, giver, taker, database, area=area)
    gone = {grant.number for grant in plan.ended}
    own = _account(parts, giver)
    # Ended, not gone: whose grants have ended still sees the notices to them.
    kept = [
        replace(grant, ends_at=plan.at) if grant.number in gone else grant for grant in own.grants
    ]
    other = _account(parts, taker)
    received = received_from(parts.store.database(database), _concerned(parts, plan.ended))

    def effect(account: Account, after: Iterable[Grant]) -> Effect:
        stored = parts.store.database(database)
        before = scope_of(account, database, parts.gazetteer, plan.at)
        then = replace(account, grants=tuple(after))
        scope = scope_of(then, database, parts.gazetteer, plan.at)
        return Effect(
            account.name,
            _difference(stored, scope, before),
            _difference(stored, before, scope),
            tablets_of(parts.sql, stored, account.name, received),
        )

    return Preview(plan, effect(own, kept), effect(other, [*other.grants, *plan.given]))


def _difference(database: Database, more: Scope, less: Scope) -> int:
    """Documents that `more` sees and `less` does not."""
    if less.areas is None:
        return 0
    if more.areas is None:
        return database.info().doc_count - _present(database, less.areas)
    return _present(database, set(more.areas) - set(less.areas))


def _present(database: Database, areas: Iterable[str]) -> int:
    return sum(count.present for count in database.counts(sorted(areas)).values())


def _concerned(parts: GrantParts, ended: Sequence[Grant]) -> Sequence[str] | None:
    """The areas of these grants; None: all there are."""
    if any(grant.area == NATION for grant in ended):
        return None
    return sorted({area for grant in ended for area in parts.gazetteer.areas_within(grant.area)})


def _account(parts: GrantParts, name: str) -> Account:
    record = parts.accounts.find(name)
    if record is None:
        raise NotFound(f"There is no account named {name}.")
    return record.account
