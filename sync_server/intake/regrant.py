"""Bringing documents back to tablets that were told to forget them.

A tablet that was told a departure holds a tombstone on the leaf that it had. When the document
comes into its account's sight again and has not been edited since, the feed has nothing to tell
that the tablet does not have: it stays deleted there. So the server writes a revision of the same
content on the leaf, which beats the tombstone:

    1-a ── 2-b ── 3-d†      told when the area was taken away
             └─── 3-e       written when it was given back

Where a document moves from area to area, moving it writes that revision already. Left are grants
that come back; of their documents just those are renewed whose present leaf the account was told
to forget. Nothing is remembered of what was renewed: a leaf that has been is not the one that was
told, so doing it again does nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sync_server.access.accounts import Accounts
from sync_server.access.departures import Departures, Told
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.scope import Scope
from sync_server.access.scopes import Scopes
from sync_server.errors import NotFound, Unavailable
from sync_server.intake.stage import SERVER
from sync_server.storage.base import Database, DocumentState, DocumentStore, Origin
from sync_server.storage.departures import departure_of

LOOK_SECONDS = 1.0
RECHECK_SECONDS = 10.0
"""How often scopes are compared where no stamp has changed: grants begin and end by themselves."""
BATCH = 500

_log = logging.getLogger(__name__)


class RegrantParts(Protocol):
    """The parts of the service that this uses."""

    @property
    def store(self) -> DocumentStore: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def gazetteer(self) -> Gazetteer: ...
    @property
    def scopes(self) -> Scopes: ...
    @property
    def departures(self) -> Departures: ...


class Regrants:
    """Follows what accounts may see. Only one process does, at a time."""

    def __init__(self, parts: RegrantParts, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._mark: tuple[object, ...] | None = None
        self._recheck_at = 0.0
        self._checked: dict[tuple[str, str], tuple[Scope, int]] = {}
        """Of each database and account: the scope for which what it was told was looked at, and
        how far.
        """

    def run_forever(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                self.step()
            except Unavailable as error:
                _log.warning("renewing what was granted again waits: %s", error.reason)
            except Exception:
                # Left for the next look: the intake must not stop over it.
                _log.exception("renewing what was granted again failed")

    def step(self) -> int:
        """Renew what has come back since the last step; answers how many documents."""
        mark, now = self._look(), self._clock()
        if mark == self._mark and now < self._recheck_at:
            return 0
        readers = self._parts.departures.readers()
        count = sum(self._look_at(database, account) for database, account in readers)
        self._mark, self._recheck_at = mark, now + RECHECK_SECONDS
        return count

    def _look(self) -> tuple[object, ...]:
        """Different whenever a grant, the gazetteer or what was told has changed."""
        parts = self._parts
        stamps = (parts.accounts.stamp.mark(), parts.gazetteer.stamp.mark())
        return (*stamps, parts.departures.latest())

    def _look_at(self, name: str, account: str) -> int:
        record = self._parts.accounts.find(account)
        try:
            database = self._parts.store.database(name)
        except NotFound:
            return 0
        if record is None:
            return 0
        scope = self._parts.scopes.of(record.account, name)
        checked, after = self._checked.get((name, account), (None, 0))
        after = after if checked is not None and checked.areas == scope.areas else 0
        count = 0
        while told := self._parts.departures.page(name, account, after, BATCH):
            count += _renew(database, scope, told)
            after = told[-1].number
        self._checked[name, account] = (scope, after)
        return count


def _renew(database: Database, scope: Scope, told: Sequence[Told]) -> int:
    revisions: dict[str, set[str]] = {}
    for one in told:
        revisions.setdefault(one.document, set()).add(one.revision)
    states = database.states(list(revisions))
    hidden = [
        state.doc_id
        for state in states
        if state is not None and scope.sees(state.area) and _is_hidden(state, revisions)
    ]
    if not hidden:
        return 0
    return database.renew(hidden, origin=Origin(SERVER, "", time.time_ns() // 1_000_000))


def _is_hidden(state: DocumentState, told: Mapping[str, set[str]]) -> bool:
    """Whether tablets hold a tombstone on a leaf that is alive."""
    revisions = told[state.doc_id]
    return any(
        departure_of(state.doc_id, leaf.rev) in revisions
        for leaf in state.leaves
        if not leaf.deleted
    )
