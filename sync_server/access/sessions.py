"""Session cookies: `AuthSession`, as the replication protocol's clients know it.

A cookie is a signed statement of who signed in and when; the server keeps no list of sessions.
Each carries the account's credential epoch, so a new password or a disabled account ends it; and
the number of the device token that opened it, if one did, so that it ends with the device.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import Engine, Select, insert, select
from sqlalchemy.exc import IntegrityError

from sync_server.access.tables import service_secrets

COOKIE_NAME = "AuthSession"

_SECRET_NAME = "session_signing"


class SessionClaims(NamedTuple):
    """What a cookie states, once its signature and age hold."""

    name: str
    credential_epoch: int
    token_number: int = 0
    """Of the device token that the session was opened with; 0 for a password."""


class Sessions:
    """Issues and reads session cookies."""

    def __init__(self, secret: str, lifetime_seconds: int) -> None:
        self._serializer = URLSafeTimedSerializer(secret, salt="session")
        self.lifetime_seconds = lifetime_seconds

    def issue(self, name: str, credential_epoch: int, token_number: int = 0) -> str:
        """The cookie's value for an account that has just proved who it is."""
        value = self._serializer.dumps([name, credential_epoch, token_number])
        return value if isinstance(value, str) else value.decode()

    def read(self, value: str) -> SessionClaims | None:
        """What the cookie states, or None where it is forged, damaged or too old."""
        try:
            claims = self._serializer.loads(value, max_age=self.lifetime_seconds)
            stated = SessionClaims(*claims)
        except (BadSignature, ValueError, TypeError):
            return None
        return stated if isinstance(stated.credential_epoch, int) else None


def signing_secret(engine: Engine) -> str:
    """The secret that cookies are signed with; made the first time, then kept."""
    with engine.execution_options(read_only=True).begin() as connection:
        found = connection.execute(_find_secret()).scalar()
    if found is not None:
        return str(found)
    try:
        with engine.begin() as connection:
            made = secrets.token_urlsafe(32)
            connection.execute(insert(service_secrets).values(name=_SECRET_NAME, value=made))
            return made
    except IntegrityError:  # Another process was first.
        with engine.begin() as connection:
            return str(connection.execute(_find_secret()).scalar_one())


def _find_secret() -> Select[tuple[str]]:
    return select(service_secrets.c.value).where(service_secrets.c.name == _SECRET_NAME)
