"""What every endpoint starts from: the parts of the app, who is asking, and the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, cast

from flask import current_app, request

from sync_server.access import tablets
from sync_server.access.accounts import Account
from sync_server.access.authentication import authenticate
from sync_server.access.permissions import replicates_whole, require_admin, require_member
from sync_server.access.reader import database_for
from sync_server.access.remote_address import NOWHERE, Peer, peer_of
from sync_server.access.sessions import COOKIE_NAME
from sync_server.replication.lasting import Access, Proof, while_it_lasts
from sync_server.replication.open_feeds import OpenFeed, OpenFeeds
from sync_server.replication.rates import Rates
from sync_server.replication.turns import Device, InTurns, Turns, Visit
from sync_server.settings import Settings
from sync_server.storage.base import Database, LeafLimits, Origin

if TYPE_CHECKING:
    from sync_server.parts import Parts

EXTENSION = "sync_server_replication"

ACCOUNT_KEY = "sync_server.account"
"""Where the request log finds who asked, in the WSGI environment."""

APP_VERSION_HEADER = "HTTP_X_APP_VERSION"
"""Where a tablet's app may say which release it is, in the WSGI environment."""

VISIT_KEY = "sync_server.visit"
"""Where a request keeps its place in its device's line, in the WSGI environment."""

READER_KEY = "sync_server.reader"
"""Where a request keeps whose view of which database it opened, in the WSGI environment."""

LARGE_BODIES_AT_ONCE = 2
"""Large request bodies that one process holds parsed at the same time."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the replication endpoints of one process share."""

    turns: Turns
    feeds: OpenFeeds
    rates: Rates
    large_bodies: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(LARGE_BODIES_AT_ONCE)
    )

    @classmethod
    def of(cls, settings: Settings) -> Runtime:
        return cls(
            Turns(settings.device_turns, settings.max_device_requests),
            OpenFeeds(settings.max_device_feeds),
            Rates(settings.max_device_requests_per_minute),
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
    _enter(member, name)
    request.environ[READER_KEY] = name, member
    return database_for(service, member, name), member


def _enter(member: Account, name: str) -> None:
    """Stand in the device's line. What has a body to read works once that has arrived.

    Admins and replicators, who may be whole servers, have turns too, but no limit to what they
    may have open, or how often they ask. Raises Unavailable.
    """
    environ = request.environ
    if VISIT_KEY in environ:
        return
    works = environ["REQUEST_METHOD"] not in ("POST", "PUT") or not _has_body(environ)
    always, device = not is_tablet(member, name), device_of(member)
    if not always:
        runtime().rates.spend(device)
    environ[VISIT_KEY] = Visit(runtime().turns, device, works=works, always=always)


def begin_work() -> None:
    """The request has arrived; it goes on when it is its device's turn. Raises Unavailable."""
    visit: Visit | None = request.environ.get(VISIT_KEY)
    if visit is not None:
        visit.work()


def end_visit(_: BaseException | None = None) -> None:
    """The answer is made; sending it is nobody's turn."""
    visit: Visit | None = request.environ.pop(VISIT_KEY, None)
    if visit is not None:
        visit.end()


def in_turns(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, each made when it is its device's turn."""
    visit: Visit | None = request.environ.get(VISIT_KEY)
    return chunks if visit is None else InTurns(chunks, runtime().turns, visit.device)


def while_allowed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, as long as whoever asked may read what they could when the answer began."""
    reader: tuple[str, Account] | None = request.environ.get(READER_KEY)
    if reader is None:
        return chunks
    given, (name, account) = credentials(), reader
    proof = Proof(given.authorization, given.cookie, given.peer)
    return while_it_lasts(chunks, Access(parts(), name, account, proof))


def open_feed(reader: Account, name: str) -> OpenFeed:
    """A place for a feed that waits. Raises Unavailable where a tablet has too many."""
    feeds, device = runtime().feeds, device_of(reader)
    return feeds.open(device) if is_tablet(reader, name) else feeds.unlimited(device)


def is_tablet(account: Account, database: str) -> bool:
    """Whether this is somebody in the field, neither an admin nor a replicator."""
    return not replicates_whole(account, database)


def device_of(sender: Account) -> Device:
    return sender.name, sender.device


def _has_body(environ: Mapping[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH") not in (None, "", "0") or has_chunks(environ)


def has_chunks(environ: Mapping[str, Any]) -> bool:
    """Whether the request's body comes in chunks, of which nobody knows how many."""
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def administer(name: str) -> Database:
    """The database for an admin."""
    require_admin(account())
    return parts().store.database(name)


def origin(sender: Account) -> Origin:
    """What is kept beside every revision that this request stores."""
    return Origin(sender.name, sender.device, time.time_ns() // 1_000_000)


def leaf_limits() -> LeafLimits:
    """How many leaves what a client sends may give a document."""
    settings = parts().settings
    return LeafLimits(settings.max_live_leaves, settings.max_leaves)


def local_owner(sender: Account) -> str:
    """The namespace of local documents: one per account and device."""
    return tablets.local_owner(sender.name, sender.device)
