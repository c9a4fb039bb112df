"""What every endpoint starts from: the parts of the app, who is asking, and the database."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, cast

from flask import current_app, request

from sync_server.access import tablets
from sync_server.access.accounts import Account
from sync_server.access.authentication import authenticate
from sync_server.access.permissions import require_admin, require_member
from sync_server.access.reader import database_for
from sync_server.access.remote_address import NOWHERE, Peer, peer_of
from sync_server.access.sessions import COOKIE_NAME
from sync_server.storage.base import Database, Origin

if TYPE_CHECKING:
    from sync_server.parts import Parts

EXTENSION = "sync_server_replication"

ACCOUNT_KEY = "sync_server.account"
"""Where the request log finds who asked, in the WSGI environment."""

APP_VERSION_HEADER = "HTTP_X_APP_VERSION"
"""Where a tablet's app may say which release it is, in the WSGI environment."""

LARGE_BODIES_AT_ONCE = 2
"""Large request bodies that one process holds parsed at the same time."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the replication endpoints of one process share."""

    large_bodies: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(LARGE_BODIES_AT_ONCE)
    )


def parts() -> Parts:
    return cast("Parts", current_app.extensions["sync_server"])


def runtime() -> Runtime:
    return cast(Runtime, current_app.extensions[EXTENSION])


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to say who it is; kept by feeds, which outlive the request."""

    authorization: str | None
    cookie: str | None
    peer: Peer = NOWHERE


def credentials() -> Credentials:
    environ = request.environ
    cookie = request.cookies.get(COOKIE_NAME) if "HTTP_COOKIE" in environ else None
    return Credentials(environ.get("HTTP_AUTHORIZATION"), cookie, peer_of(environ))


def account() -> Account | None:
    """Who is asking; None for nobody. Raises Unauthorized for wrong credentials."""
    return _authenticated(parts())


def _authenticated(service: Parts) -> Account | None:
    given, environ = credentials(), request.environ
    found = authenticate(service, given.authorization, given.cookie, given.peer)
    if found is not None:
        environ[ACCOUNT_KEY] = found.name
        if found.device:
            agent, version = environ.get("HTTP_USER_AGENT", ""), environ.get(APP_VERSION_HEADER, "")
            service.activity.seen(found, agent, version)
    return found


def open_database(name: str) -> tuple[Database, Account]:
    """The database as one of its members sees it.

    Raises Unauthorized or Forbidden before NotFound: whether a database exists is nobody's
    business but its members'.
    """
    service = parts()
    member = require_member(_authenticated(service), name)
    return database_for(service, member, name), member


def administer(name: str) -> Database:
    """The database for an admin."""
    require_admin(account())
    return parts().store.database(name)


def origin(sender: Account) -> Origin:
    """What is kept beside every revision that this request stores."""
    return Origin(sender.name, sender.device, time.time_ns() // 1_000_000)


def local_owner(sender: Account) -> str:
    """The namespace of local documents: one per account and device."""
    return tablets.local_owner(sender.name, sender.device)
