"""Update sequences as clients see them: `1042-8f3a91c2`, a number and the store's epoch.

PouchDB reads the leading integer to show progress; the rest is opaque. The epoch changes when a
database is restored from a backup: numbers handed out before may mean other changes now, so a
sequence of a foreign epoch counts as the beginning. Clients hold most revisions already, so that
costs rows, not bodies.
"""

from __future__ import annotations

import re

from sync_server.errors import BadRequest

_SEQUENCE = re.compile(r"([0-9]{1,18})(?:-([0-9a-zA-Z_.-]{1,200}))?\Z")


def token(number: int, epoch: str) -> str:
    return f"{number}-{epoch}"


def number_of(since: str, epoch: str) -> int:
    """The number in a sequence, 0 for one of another epoch. Raises BadRequest."""
    match = _SEQUENCE.match(since)
    if match is None:
        raise BadRequest(
            "Malformed sequence in 'since': use 0, now, or a sequence this database gave."
        )
    return int(match[1]) if match[2] == epoch else 0
