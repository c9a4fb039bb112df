"""Update sequences that only the account they were given to can hand in again.

A sequence says what its reader was shown, and the feed tells them what of that has gone. Who made
one up, or handed in another's, would be told ids that they never saw. So sequences that go out to
those who see a part of a database bear a seal, and when it was made:

    1042-8f3a91c2-5d41402abc~19ab3c5e7f0.Jx3vT0kq9b2m4Qy1

One that comes in without the right seal counts as the beginning. The time says since when a
client may have been shown what its sequence does not tell (see `memory.py`). PouchDB and its kind
keep sequences as they are; the integer in front stays what it was.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import NamedTuple

SEAL_BYTES = 12
_MARK = "~"


class Taken(NamedTuple):
    """A sequence as storage knows it, and when it was given; None for one that was not."""

    seq: str
    at: int | None


class Seals:
    """Makes the seals of one service."""

    def __init__(self, secret: str) -> None:
        self._key = blake2b(secret.encode(), person=b"sequences").digest()

    def of(self, account: str, database: str) -> Seal:
        """The seal of what one account is shown of one database."""
        whose = f"{account}\n{database}".encode()
        return Seal(blake2b(whose, key=self._key, digest_size=32).digest())


class Seal:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def put(self, seq: str, at: int) -> str:
        """The sequence as it goes out. `at`: now, in milliseconds since 1970."""
        given = f"{seq}{_MARK}{at:x}"
        return f"{given}.{self._made(given)}"

    def take(self, since: str) -> Taken:
        """The sequence that was sealed. Of one with another's seal or none, only its number is
        left, which storage takes for the beginning.
        """
        given, _, seal = since.rpartition(".")
        seq, mark, at = given.rpartition(_MARK)
        if mark and hmac.compare_digest(_bytes(seal), _bytes(self._made(given))):
            return Taken(seq, int(at, 16))
        return Taken(since.partition("-")[0], None)

    def _made(self, given: str) -> str:
        digest = blake2b(_bytes(given), key=self._key, digest_size=SEAL_BYTES).digest()
        return urlsafe_b64encode(digest).decode()


def _bytes(text: str) -> bytes:
    """Of anything that a client may send."""
    return text.encode("utf-8", "surrogatepass")
