"""The scopes of accounts, kept in memory while nothing changes them.

A request asks what its account sees; working that out again each time would cost as much as the
rest of a small request. What is kept is good while the account's grants are the same, the
gazetteer is, and no grant has begun or ended in the meantime.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from sync_server.access.accounts import Account
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.grants import Grant
from sync_server.access.permissions import replicates_whole
from sync_server.access.scope import Scope, scope_of
from sync_server.access.stamp import Mark

KEPT_SCOPES = 10_000
RECHECK_MS = 10_000
"""How long a scope is kept at most: a gazetteer that another host has imported leaves no stamp."""

_EVERYTHING = Scope(None)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Kept(NamedTuple):
    scope: Scope
    grants: tuple[Grant, ...]
    mark: Mark
    since: int
    until: float


class Scopes:
    """What each account sees of each database."""

    def __init__(self, gazetteer: Gazetteer, clock: Callable[[], int] = now_ms) -> None:
        self._gazetteer = gazetteer
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}

    def of(self, account: Account, database: str) -> Scope:
        """As `scope_of`, now."""
        if replicates_whole(account, database):
            return _EVERYTHING
        now, mark = self._clock(), self._gazetteer.stamp.mark()
        kept = self._kept.get((account.name, database))
        if (
            kept is not None
            and kept.mark == mark
            and kept.since <= now < kept.until
            and kept.grants == account.grants
        ):
            return kept.scope
        return self._compute(account, database, now, mark)

    def _compute(self, account: Account, database: str, now: int, mark: Mark) -> Scope:
        scope = scope_of(account, database, self._gazetteer, now)
        until = min(_next_change(scope.grants, now), now + RECHECK_MS)
        if len(self._kept) >= KEPT_SCOPES:
            self._kept.clear()
        kept = _Kept(scope, account.grants, mark, now, until)
        self._kept[account.name, database] = kept
        return scope


def _next_change(grants: tuple[Grant, ...], now: int) -> float:
    """When the next grant begins or ends."""
    times = [at for grant in grants for at in (grant.starts_at, grant.ends_at) if at is not None]
    return min((at for at in times if at > now), default=float("inf"))
