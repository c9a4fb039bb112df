"""What an account reads and writes in a database, by its grants.

- A `cew` reads its communes and what lies exactly at the areas above them, and writes what a
  worker captures inside the granted area.
- A `coordinator` reads all of the granted area and what lies exactly above it, and writes visits
  and trainings inside it.
- A `replicator` reads and writes a whole database, but for what only the server writes.
- An `admin` reads and writes everything.

Both roles of the field read their own personal area besides (see `areas.py`), and still do when
their grants have ended: what they send then may be refused, and they must hear of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_server.access.accounts import Account
from sync_server.access.areas import NATION, ancestors, covers, personal
from sync_server.access.grants import Grant
from sync_server.access.permissions import replicates_whole


class Places(Protocol):
    """What a scope must know of the gazetteer."""

    def areas_within(self, area: str) -> Sequence[str]:
        """The area itself and all areas in it, down to communes; in order."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """`areas` None: everything there is. Else exactly these."""

    areas: tuple[str, ...] | None
    grants: tuple[Grant, ...] = ()
    """Of this database: those that hold, and those that have ended or not begun."""

    @property
    def is_everything(self) -> bool:
        return self.areas is None

    def sees(self, area: str) -> bool:
        return self.areas is None or area in self.areas


def scope_of(account: Account, database: str, places: Places, now: int) -> Scope:
    """`now`: milliseconds since 1970. Empty for an account that may not read the database."""
    if replicates_whole(account, database):
        return Scope(None)
    own = tuple(grant for grant in account.grants if grant.database == database)
    begun = any(grant.starts_at <= now for grant in own)
    holding = [grant for grant in own if grant.holds(now)]
    if begun and not holding:
        return Scope((personal(account.name),), own)
    return Scope(areas_of(holding, account.name, places), own)


def areas_of(grants: Sequence[Grant], account: str, places: Places) -> tuple[str, ...] | None:
    """What these grants show of a database; None for all of it."""
    if any(grant.area == NATION for grant in grants):
        return None
    if not grants:
        return ()
    seen = {personal(account)}
    for grant in grants:
        seen.update(ancestors(grant.area), places.areas_within(grant.area))
    return tuple(sorted(seen))


def covering(scope: Scope, area: str) -> list[Grant]:
    """Grants, ended ones too, of an area that this one is or lies in."""
    return [grant for grant in scope.grants if covers(grant.area, area)]
