"""Wrong passwords, PINs and codes are counted, so that they cannot be guessed in bulk.

Failures are counted in three buckets, each with so many that are free; after those, every further
one doubles the wait until the next attempt is looked at:

    name at an address    a person's own mistakes                          counts always
    name, from anywhere   one account guessed from many addresses          counts for strangers
    address, any name     one address that guesses at many accounts        counts for strangers

A *stranger* is a name at an address from where it has not signed in lately. So whoever guesses
at an account from elsewhere cannot keep its owner out of where they work, and neither can a
neighbour behind the same address. What needs no guessing is not counted: device tokens, sessions,
and credentials that a process has verified before.

One failure is forgotten after each `forget_seconds`, which is the longest wait as well. So in the
long run a guess is possible once in that time, whoever makes it and however patiently.

An attempt counts as failed before its password is looked at, and is taken back where it was
right. Else a thousand attempts sent at once would all pass while the count was still low.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from sync_server.access import attempts
from sync_server.access.attempts import Bucket, Counted, Limit
from sync_server.access.remote_address import Network, Peer, origin_of
from sync_server.errors import TooManyAttempts

KNOWN_SECONDS = 90 * 86_400

NAME_AT_ADDRESS = Limit(free=5, forget_seconds=3 * 3600.0)
NAME = Limit(free=8, forget_seconds=3 * 3600.0)
ADDRESS = Limit(free=30, forget_seconds=1800.0)
CODES_AT_ADDRESS = Limit(free=10, forget_seconds=600.0)

_CODES = "codes"
_ANY = ""


class Throttle:
    """Counts in the service's database: neither more processes nor restarts give more guesses."""

    def __init__(
        self,
        engine: Engine,
        trusted_proxies: Sequence[Network] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._trusted = tuple(trusted_proxies)
        self._clock = clock

    @contextmanager
    def sign_in(self, name: str, peer: Peer) -> Iterator[None]:
        """Around the check of a password: a block that raises has failed. Raises
        TooManyAttempts instead of entering it.
        """
        address, named = origin_of(peer, self._trusted), _key(name)
        own = Bucket(named, address, NAME_AT_ADDRESS)
        others = (Bucket(named, _ANY, NAME), Bucket(_ANY, address, ADDRESS))
        counted = self._count(own, others)
        yield
        with self._engine.begin() as connection:
            attempts.take_back(connection, counted)
            attempts.make_known(connection, own, self._now() + KNOWN_SECONDS * 1000)

    @contextmanager
    def code(self, peer: Peer) -> Iterator[None]:
        """Around the check of an enrolment code, as `sign_in`. There are too many codes to guess
        one, so what others try from elsewhere keeps nobody from enrolling.
        """
        own = Bucket(_CODES, origin_of(peer, self._trusted), CODES_AT_ADDRESS)
        counted = self._count(own, ())
        yield
        with self._engine.begin() as connection:
            attempts.take_back(connection, counted)

    def _count(self, own: Bucket, others: Sequence[Bucket]) -> list[Counted]:
        """Count a failure in each bucket that applies. Raises TooManyAttempts."""
        now, buckets = self._now(), (own, *others)
        with self._reading.begin() as connection:  # a flood is refused without the write lock
            _applying(attempts.read(connection, buckets), own, others, now)
        with self._engine.begin() as connection:
            attempts.make_rows(connection, buckets, now)
            rows = attempts.read(connection, buckets, lock=True)
            return [
                attempts.count(connection, bucket, rows[bucket.key], now)
                for bucket in _applying(rows, own, others, now)
            ]

    def _now(self) -> int:
        return int(self._clock() * 1000)


def forgive(connection: Connection, name: str) -> None:
    """The name has a new password, of which nothing was guessed yet. Within the caller's
    transaction.
    """
    attempts.clear(connection, _key(name))


def _applying(rows: attempts.Rows, own: Bucket, others: Sequence[Bucket], now: int) -> list[Bucket]:
    """The buckets in which an attempt counts. Raises TooManyAttempts where one is closed."""
    mine = rows.get(own.key)
    is_known = mine is not None and mine.known_until > now
    applying = [own] if is_known else [own, *others]
    closed = [row.blocked_until for bucket in applying if (row := rows.get(bucket.key))]
    until = max(closed, default=0)
    if until > now:
        raise TooManyAttempts(-(-(until - now) // 1000))
    return applying


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
