"""Who makes a request: HTTP Basic, a Bearer token, or the `AuthSession` cookie.

A password's hash takes some 20 ms to check, which a tablet's hundred requests cannot each pay.
So every process remembers the credentials it has verified, as keyed hashes:

    request ──► known, stamp unchanged, checked within a second ──► account          (~3 µs)
                known, else ──► read the account again; same epoch ──► account       (~0.3 ms)
                unknown, or other epoch ──► verify for real ──► remember ──► account

The stamp is a file that changes with every account; the second is a backstop for when accounts
are changed on another host. Passwords that are verified for real pass the throttle; tokens have
256 random bits and need none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from sync_server.access import passwords
from sync_server.access.accounts import Account, AccountRecord, Accounts
from sync_server.access.remote_address import NOWHERE, Peer
from sync_server.access.sessions import SessionClaims, Sessions
from sync_server.access.stamp import Mark
from sync_server.access.throttle import Throttle
from sync_server.errors import DeviceRevoked, Unauthorized

RECHECK_SECONDS = 1.0
REMEMBERED_CREDENTIALS = 10_000

WRONG_CREDENTIALS = "Name or password is incorrect. / ឈ្មោះ ឬពាក្យសម្ងាត់មិនត្រឹមត្រូវ។"
SESSION_ENDED = "The session has ended: sign in again. / សម័យប្រើប្រាស់បានផុតកំណត់៖ សូមចូលម្តងទៀត។"
DISABLED = "This account is disabled: speak to an admin. / គណនីនេះត្រូវបានបិទ៖ សូមនិយាយជាមួយអ្នកគ្រប់គ្រង។"


class AccessParts(Protocol):
    """The parts of the service that authentication uses."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def credentials(self) -> CredentialCache: ...
    @property
    def throttle(self) -> Throttle: ...


@dataclass(slots=True)
class _Verified:
    account: Account
    credential_epoch: int
    reread: Callable[[], AccountRecord | None]
    """Reads the account again, without the costly check of a password."""
    mark: Mark
    checked_at: float


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class CredentialCache:
    """Credentials this process has verified. The key is random, so a dump tells no password."""

    def __init__(self, accounts: Accounts, clock: Callable[[], float] = time.monotonic) -> None:
        self._accounts = accounts
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._verified: dict[bytes, _Verified] = {}
        self._turns: dict[bytes, _Turn] = {}

    def lookup(self, credential: str) -> Account | None:
        """The account these credentials were verified for, if that still holds."""
        known = self._verified.get(self._digest(credential))
        if known is None:
            return None
        mark, now = self._accounts.stamp.mark(), self._clock()
        if mark == known.mark and now - known.checked_at < RECHECK_SECONDS:
            return known.account
        record = known.reread()
        if record is None or record.disabled or record.credential_epoch != known.credential_epoch:
            self._verified.pop(self._digest(credential), None)
            return None
        known.account, known.mark, known.checked_at = record.account, mark, now
        return known.account

    def remember(
        self, credential: str, record: AccountRecord, reread: Callable[[], AccountRecord | None]
    ) -> None:
        if len(self._verified) >= REMEMBERED_CREDENTIALS:
            self._verified.pop(next(iter(self._verified)))
        # Mark (0, 0) equals no real one: the next request reads the account once more, so a
        # change that came between the check and now is seen.
        self._verified[self._digest(credential)] = _Verified(
            record.account, record.credential_epoch, reread, (0, 0), float("-inf")
        )

    @contextmanager
    def turn(self, credential: str) -> Iterator[None]:
        """One at a time may verify the same credentials: a tablet opens several connections at
        once, and those behind the first find its result in the cache.
        """
        digest = self._digest(credential)
        turn = self._turns.setdefault(digest, _Turn())
        turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                self._turns.pop(digest, None)

    def _digest(self, credential: str) -> bytes:
        raw = credential.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(raw, key=self._key, digest_size=32).digest()


def authenticate(
    parts: AccessParts, authorization: str | None, cookie: str | None, peer: Peer = NOWHERE
) -> Account | None:
    """Who makes the request; None where no credentials came.

    `authorization` is the header as it came, `cookie` the value of `AuthSession`. The header
    wins over the cookie. Raises Unauthorized for credentials that are wrong or cannot be read,
    DeviceRevoked for a token that was right once, TooManyAttempts instead of looking at a password.
    """
    if authorization:
        known = parts.credentials.lookup(authorization)
        if known is not None:
            return known
        with parts.credentials.turn(authorization):
            known = parts.credentials.lookup(authorization)
            return known or _verify_header(parts, authorization, peer)
    if cookie:
        credential = "Cookie " + cookie
        account = parts.credentials.lookup(credential)
        if account is not None and parts.sessions.read(cookie) is not None:
            return account
        return _verify_cookie(parts, cookie, credential)
    return None


def sign_in(
    parts: AccessParts, name: str, password: str, peer: Peer = NOWHERE
) -> tuple[Account, str]:
    """The account and a value for its session cookie. Raises Unauthorized, DeviceRevoked,
    TooManyAttempts.
    """
    record = _verify_name(parts, name, password, peer)
    cookie = parts.sessions.issue(record.account.name, record.credential_epoch, record.token_number)
    return record.account, cookie


def _verify_header(parts: AccessParts, authorization: str, peer: Peer) -> Account:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        name, password = _basic(value)
        record = _verify_name(parts, name, password, peer)
        reread = _reread(parts.accounts, name, password)
    elif scheme.lower() == "bearer":
        digest = passwords.token_digest(value.strip())
        record = _verify_token(parts.accounts, digest)
        reread = partial(parts.accounts.find_by_token, digest)
    else:
        raise Unauthorized("Sign in with Basic or Bearer, or with a session cookie.")
    parts.credentials.remember(authorization, record, reread)
    return record.account


def _verify_cookie(parts: AccessParts, cookie: str, credential: str) -> Account:
    claims = parts.sessions.read(cookie)
    if claims is None:
        raise Unauthorized(SESSION_ENDED)
    reread = partial(_find_claimed, parts.accounts, claims)
    record = reread()
    if record is None or record.disabled or record.credential_epoch != claims.credential_epoch:
        raise (
            DeviceRevoked if record is None and claims.token_number else Unauthorized(SESSION_ENDED)
        )
    parts.credentials.remember(credential, record, reread)
    return record.account


def _find_claimed(accounts: Accounts, claims: SessionClaims) -> AccountRecord | None:
    if claims.token_number:
        return accounts.find_by_token_number(claims.token_number)
    return accounts.find(claims.name)


def _verify_name(parts: AccessParts, name: str, password: str, peer: Peer) -> AccountRecord:
    if passwords.is_token(password):
        record = _verify_token(parts.accounts, passwords.token_digest(password))
        if not hmac.compare_digest(
            record.account.name.encode("utf-8"), name.encode("utf-8", "surrogatepass")
        ):
            raise Unauthorized(WRONG_CREDENTIALS)
        return record
    with parts.throttle.sign_in(name, peer):
        found = parts.accounts.find(name)
        matches = passwords.verify_password(found.password_hash if found else None, password)
        return _accepted(found if matches else None)


def _verify_token(accounts: Accounts, digest: str) -> AccountRecord:
    record = accounts.find_by_token(digest)
    if record is None and accounts.was_revoked(digest):
        raise DeviceRevoked
    return _accepted(record)


def _accepted(record: AccountRecord | None) -> AccountRecord:
    if record is None:
        raise Unauthorized(WRONG_CREDENTIALS)
    if record.disabled:
        raise Unauthorized(DISABLED)
    return record


def _reread(accounts: Accounts, name: str, password: str) -> Callable[[], AccountRecord | None]:
    if passwords.is_token(password):
        return partial(accounts.find_by_token, passwords.token_digest(password))
    return partial(accounts.find, name)


def _basic(value: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Unauthorized("The Authorization header is malformed.") from None
    name, separator, password = decoded.partition(":")
    if not separator:
        raise Unauthorized("The Authorization header is malformed.")
    return name, password
