"""Sets of areas that readers see, and how one set follows another (see `scoped_feed.py`)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from sync_server.storage.base import Formerly
from sync_server.storage.sqlite.sequences import BEGINNING, EVERYTHING, Position


@dataclass(frozen=True, slots=True)
class Scope:
    """Areas, each exactly, and the short name that sequences bear."""

    areas: frozenset[str]
    name: str

    @staticmethod
    def of(areas: Iterable[str]) -> Scope:
        return _scope_of(frozenset(areas))

    @property
    def is_everything(self) -> bool:
        return self.name == EVERYTHING

    def __or__(self, other: Scope) -> Scope:
        if self.is_everything or other.is_everything:
            return WHOLE
        return Scope.of(self.areas | other.areas)

    def intern(self, connection: sqlite3.Connection) -> None:
        """Keep what the name means; within a transaction."""
        connection.execute(
            "INSERT OR IGNORE INTO scope VALUES (?, ?)",
            (self.name, orjson.dumps(sorted(self.areas)).decode()),
        )

    def is_interned(self, connection: sqlite3.Connection) -> bool:
        return self.is_everything or find(connection, self.name) is not None


@lru_cache(1024)
def _scope_of(areas: frozenset[str]) -> Scope:
    return Scope(areas, hashlib.sha256(orjson.dumps(sorted(areas))).hexdigest()[:10])


WHOLE = Scope(frozenset(), EVERYTHING)
"""Of a reader who sees all areas there are, and will be."""
NOTHING = Scope.of(())


def find(connection: sqlite3.Connection, name: str | None) -> Scope | None:
    """What a name stands for; None for one that this database did not give."""
    if name is None or name == EVERYTHING:
        return WHOLE
    if name == NOTHING.name:
        return NOTHING
    row = connection.execute("SELECT areas FROM scope WHERE name = ?", (name,)).fetchone()
    return Scope(frozenset(orjson.loads(row[0])), name) if row else None


@dataclass(frozen=True, slots=True)
class Transition:
    """A reader who was told all of `known` up to `number`, and sees `scope` from now on."""

    number: int
    scope: Scope
    known: Scope
    partly: Scope = NOTHING
    """Of these areas, too, the reader may hold documents."""
    told: int = 0
    """How far the difference has been told."""
    horizon: int = 0
    """The difference was told when the database stood here; 0: it has not been, or there is none.
    Until the reader is there, they may hold what has moved from `partly` into the scope since.
    """
    formerly: Formerly | None = None

    @property
    def is_told(self) -> bool:
        """Whether there is no difference to be told."""
        return self.known == self.scope and (self.horizon > 0 or self.partly == NOTHING)

    @property
    def is_steady(self) -> bool:
        """Whether nothing about this reader is in change: where nothing happens in their scope,
        their sequence stays as good as a later one.
        """
        return self.is_told and self.number > 0 and not self.horizon

    @property
    def held(self) -> Scope:
        """Areas of which the reader may hold documents."""
        return self.known | self.partly

    def during(self, seq: int) -> Position:
        """Once the row of the difference at `seq` was told."""
        partly = None if self.partly == NOTHING else self.partly.name
        return Position(self.number, self.known.name, self.scope.name, seq, partly)

    def settled(self, latest: int) -> Transition:
        """Once all of the difference was told, with the database at `latest`."""
        if self.is_told:
            return self
        return replace(self, known=self.scope, partly=self.held, told=0, horizon=latest)

    def after(self, seq: int) -> Position:
        """Of a settled reader, once the row at `seq` was told."""
        return Position(seq, self.scope.name, partly=self.partly.name, horizon=self.horizon)


def transition(
    connection: sqlite3.Connection, position: Position, scope: Scope, formerly: Formerly | None
) -> Transition:
    """How a reader at this position comes to see `scope`; from the beginning if it is unknown."""
    number, name, target, told, partly_name, horizon = position
    known = scope if name == scope.name else find(connection, name)
    partly = NOTHING if partly_name is None else find(connection, partly_name)
    halfway = NOTHING if target is None else find(connection, target)
    beyond = _beyond(scope, formerly)
    if position == BEGINNING or known is None or partly is None or halfway is None:
        return Transition(0, scope, scope, beyond, formerly=formerly)
    step = Transition(number, scope, known, partly | beyond, formerly=formerly)
    if horizon:
        goes_on = known == scope and beyond == NOTHING
        return replace(step, horizon=horizon if goes_on else 0)
    if target is None or target == scope.name:
        # What is to be told besides has to be told from its beginning.
        return replace(step, told=told if step.partly == partly else 0)
    # It has changed again while a change was being told, and some of that has arrived.
    return replace(step, partly=step.partly | halfway)


def _beyond(scope: Scope, formerly: Formerly | None) -> Scope:
    """What the reader may have been shown since they were given their sequence, and not now."""
    areas = () if formerly is None else formerly.lately()
    return WHOLE if areas is None else Scope.of(set(areas) - scope.areas)
