"""What an account may have been shown before, by its grants."""

from __future__ import annotations

from collections.abc import Sequence

from sync_server.access.areas import covers, is_personal, personal
from sync_server.access.grants import Grant
from sync_server.access.scope import Places, Scope, areas_of


class Memory:
    """As `storage.base.Formerly` wants it. `given_at`: when the account was given its sequence; all
    times in milliseconds since 1970.
    """

    def __init__(self, account: str, scope: Scope, places: Places, given_at: int, now: int) -> None:
        self._account = account
        self._places = places
        self._given_at = given_at
        self._now = now
        self._grants = scope.grants

    def saw(self, area: str, since: int, until: int | None) -> bool:
        until = self._now if until is None else until
        return any(
            _held(grant, since, until) and _shows(grant, area, self._account)
            for grant in self._grants
        )

    def saw_lately(self, area: str, since: int, until: int | None) -> bool:
        since = max(since, self._given_at)
        return (until is None or since <= until) and self.saw(area, since, until)

    def lately(self) -> Sequence[str] | None:
        ended = [
            grant
            for grant in self._grants
            if _held(grant, self._given_at, self._now) and not grant.holds(self._now)
        ]
        return areas_of(ended, self._account, self._places)


def _held(grant: Grant, since: int, until: int) -> bool:
    """Whether the grant held at any time from one to the other."""
    return grant.starts_at <= until and (grant.ends_at is None or grant.ends_at > since)


def _shows(grant: Grant, area: str, account: str) -> bool:
    """Whatever the gazetteer said then: what lies in the granted area, or exactly above it."""
    if is_personal(area):
        return area == personal(account)
    return covers(grant.area, area) or grant.area.startswith(area)
