"""Access that must last as long as an answer.

A large answer is made as it is read, which over a slow line takes minutes. Whoever loses the
account, the device or an area meanwhile gets no more of it: the answer breaks off, and a client
that is still let in asks again from where it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sync_server.access.accounts import Account
from sync_server.access.authentication import authenticate
from sync_server.access.permissions import require_member
from sync_server.access.remote_address import Peer
from sync_server.access.stamp import Mark
from sync_server.errors import Forbidden, SyncError

if TYPE_CHECKING:
    from sync_server.parts import Parts

RECHECK_SECONDS = 10.0
"""How often it is asked where nothing says that an account was changed: grants end by themselves.
"""

ENDED = "Access to this database has changed: ask again."


class Proof(NamedTuple):
    """What a request brought to say who it is."""

    authorization: str | None
    cookie: str | None
    peer: Peer


class Access:
    """What somebody could read of a database when the answer began."""

    def __init__(self, parts: Parts, name: str, account: Account, proof: Proof) -> None:
        self._parts, self._name, self._proof = parts, name, proof
        self._areas = parts.scopes.of(account, name).areas
        self._mark: Mark | None = None
        self._asked_at = 0.0

    def lasts(self) -> bool:
        """Whether they still read the same. A look at a file where nothing has changed."""
        mark, now = self._parts.accounts.stamp.mark(), time.monotonic()
        if mark == self._mark and now - self._asked_at < RECHECK_SECONDS:
            return True
        self._mark, self._asked_at = mark, now
        try:
            account = require_member(authenticate(self._parts, *self._proof), self._name)
        except SyncError:
            return False
        return self._parts.scopes.of(account, self._name).areas == self._areas


def while_it_lasts(chunks: Iterator[bytes], access: Access) -> Iterator[bytes]:
    """The chunks, until they may be read no more. Raises Forbidden then."""
    for chunk in chunks:
        if not access.lasts():
            raise Forbidden(ENDED)
        yield chunk
