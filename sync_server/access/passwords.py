"""Hashing secrets: argon2id for passwords that people choose, SHA-256 for tokens we make.

A token has 256 random bits, so nothing is gained by making its hash slow; a password has few,
so its hash costs 19 MiB and some 20 ms (OWASP's minimum for argon2id).
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

TOKEN_PREFIX = "sst_"

HASHES_AT_ONCE = 2
"""Per process, whatever the number of sign-ins: each takes 19 MiB while it runs."""

_hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)

_T = TypeVar("_T")

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    return _off_the_loop(lambda: _HASHER.hash(password.encode("utf-8", "surrogatepass")))


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed.

    None, for an account that does not exist, takes as long as a wrong password, so that the
    time of an answer does not tell which names exist.
    """
    known = password_hash is not None
    expected = password_hash if password_hash is not None else _hash_of_nobody()
    raw = password.encode("utf-8", "surrogatepass")
    return _off_the_loop(lambda: _matches(expected, raw)) and known


def new_token() -> str:
    """A secret for a device, to be shown once."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def is_token(secret: str) -> bool:
    return secret.startswith(TOKEN_PREFIX)


def token_digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _matches(password_hash: str, raw: bytes) -> bool:
    try:
        return _HASHER.verify(password_hash, raw)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hash_of_nobody() -> str:
    return _HASHER.hash(secrets.token_bytes(32))


def _off_the_loop(call: Callable[[], _T]) -> _T:
    """Run `call` in gevent's thread pool where gevent serves, so other requests go on."""
    with _hashing:
        return _run(call)


def _run(call: Callable[[], _T]) -> _T:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return call()
    import gevent

    result: _T = gevent.get_hub().threadpool.apply(call)
    return result
