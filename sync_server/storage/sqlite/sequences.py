"""Update sequences as clients see them: a number, the store's epoch and what the reader may see.

    1042-8f3a91c2                      of a reader who sees everything
    1042-8f3a91c2-5d41402abc           of one who sees a set of areas, by the set's name
    1042-8f3a91c2-5d41402abc.7d793037a0.977
                                       of one whose set has changed: up to 1042 everything of the
                                       first set was told; what the second brings and takes away
                                       was told up to 977 (see `scoped_feed.py`)
    1042-8f3a91c2-5d41402abc.7d793037a0.977.91e42ab07c
                                       of one whose set changed again meanwhile, so that some of
                                       the areas of the third set were told in part
    1042-8f3a91c2-5d41402abc.h1100.91e42ab07c
                                       of one to whom a change was told when the database stood at
                                       1100: until they are there, they may hold what has moved
                                       from the third set of areas to the first

PouchDB reads the leading integer to show progress; the rest is opaque. The epoch changes when a
database is restored from a backup: numbers handed out before may mean other changes now, so a
sequence of a foreign epoch counts as the beginning. Clients hold most revisions already, so that
costs rows, not bodies. What follows a tilde is the seal of a layer above (see
`access/sealing.py`), and means nothing here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sync_server.errors import BadRequest

_SEQUENCE = re.compile(r"([0-9]{1,18})(?:-([0-9a-zA-Z_.-]{1,200}))?(?:~[0-9a-zA-Z_.-]{1,64})?\Z")
_SCOPE = re.compile(
    r"([0-9a-f]{10})(?:"
    r"\.([0-9a-f]{10})\.([0-9]{1,18})(?:\.([0-9a-f]{10}))?"
    r"|\.h([0-9]{1,18})\.([0-9a-f]{10})"
    r")?\Z"
)


class Position(NamedTuple):
    """How far a reader has come, and what they could see then."""

    number: int
    scope: str | None = None
    """Name of the set of areas; None for everything."""
    target: str | None = None
    """While a change of scope is being told: the set that it leads to …"""
    told: int = 0
    """… and how far that has come."""
    partly: str | None = None
    """Another set of areas of which some documents may have been told."""
    horizon: int = 0
    """Where `partly` is of an earlier scope: the sequence from which on it does not matter."""


BEGINNING = Position(0)


def token(number: int, epoch: str) -> str:
    return f"{number}-{epoch}"


def scoped_token(position: Position, epoch: str) -> str:
    number, scope, target, told, partly, horizon = position
    head = f"{number}-{epoch}-{scope or EVERYTHING}"
    if horizon > number:
        return f"{head}.h{horizon}.{partly}"
    if target is None:
        return head
    return f"{head}.{target}.{told}" + (f".{partly}" if partly else "")


EVERYTHING = "0000000000"
"""Stands in a sequence for the scope of a reader who saw everything."""


def number_of(since: str, epoch: str) -> int:
    """The number in a sequence of a reader who sees everything, 0 for any other's.

    Raises BadRequest.
    """
    position = read(since, epoch)
    return position.number if position.scope is None and position.target is None else 0


def is_of(sequence: str, latest: int, epoch: str) -> bool:
    """Whether a database of this epoch, which stands at `latest`, may have given the sequence."""
    match = _SEQUENCE.match(sequence)
    if match is None or int(match[1]) > latest:
        return False
    given_epoch, _, scope = (match[2] or "").partition("-")
    return given_epoch == epoch and (not scope or _SCOPE.match(scope) is not None)


def told_up_to(sequence: object, epoch: str) -> int | None:
    """The number up to which whoever holds this sequence was told everything they could see;
    None for what is no sequence of this epoch.
    """
    if type(sequence) is not str or sequence.partition("-")[2].partition("-")[0] != epoch:
        return None
    try:
        return read(sequence, epoch).number
    except BadRequest:
        return None


def read(since: str, epoch: str) -> Position:
    """What a sequence says; the beginning for one of another epoch. Raises BadRequest."""
    match = _SEQUENCE.match(since)
    if match is None:
        raise BadRequest(
            "Malformed sequence in 'since': use 0, now, or a sequence this database gave."
        )
    given_epoch, _, scope = (match[2] or "").partition("-")
    if given_epoch != epoch:
        return BEGINNING
    if not scope:
        return Position(int(match[1]))
    parts = _SCOPE.match(scope)
    if parts is None:
        return BEGINNING
    number, known = int(match[1]), None if parts[1] == EVERYTHING else parts[1]
    if parts[5] is not None:
        return Position(number, known, partly=parts[6], horizon=int(parts[5]))
    if parts[2] is None:
        return Position(number, known)
    return Position(number, known, parts[2], int(parts[3]), parts[4])
