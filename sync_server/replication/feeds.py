"""Feeds that wait: longpoll, continuous and eventsource.

Each is a generator whose first chunk goes out at once, so that the client has its headers while
nothing happens. A feed outlives its request: it holds no connection to the database while it
waits, and ends within a second once whoever asked may no longer read.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync_server.access.accounts import Account
from sync_server.access.authentication import authenticate
from sync_server.access.permissions import require_member
from sync_server.access.reader import database_for
from sync_server.access.stamp import Mark
from sync_server.errors import SyncError
from sync_server.replication.changes_pages import Page, pages, portions, rows_json
from sync_server.replication.changes_query import ChangesQuery
from sync_server.replication.open_feeds import OpenFeed
from sync_server.replication.surroundings import Credentials
from sync_server.storage.base import Database

if TYPE_CHECKING:
    from sync_server.parts import Parts

WAIT_SECONDS = 0.8
"""Longest single wait: how soon a feed notices that the server is stopping, or that an account
was changed.
"""

RECHECK_SECONDS = 10.0
"""How often a feed asks whether its reader may still read where nothing says that an account was
changed: grants end by themselves, and another host's changes leave no stamp here.
"""


News = tuple[Page, list[bytes]]
"""A page, and its rows as JSON."""


@dataclass(slots=True)
class Seen:
    """Who asked, as last read, and the accounts' stamp from before that."""

    account: Account | None = None
    mark: Mark = (0, 0)


@dataclass(frozen=True, slots=True)
class Feed:
    name: str
    query: ChangesQuery
    parts: Parts
    credentials: Credentials
    place: OpenFeed
    seen: Seen = field(default_factory=Seen)

    @property
    def database(self) -> Database:
        """The database as whoever asked sees it now: grants may come and go meanwhile.

        Raises Unauthorized or Forbidden once they may not read it, NotFound once it was deleted,
        by whichever process.
        """
        mark = self.parts.accounts.stamp.mark()
        if self.seen.account is None or self.seen.mark != mark:
            self._ask_again(mark)
        assert self.seen.account is not None
        return database_for(self.parts, self.seen.account, self.name)

    def may_go_on(self) -> bool:
        """Whether whoever asked may still read this database."""
        try:
            self._ask_again(self.parts.accounts.stamp.mark())
        except SyncError:
            return False
        return True

    def _ask_again(self, mark: Mark) -> None:
        given = self.credentials
        account = authenticate(self.parts, given.authorization, given.cookie, given.peer)
        self.seen.account, self.seen.mark = require_member(account, self.name), mark
        self.parts.activity.seen(self.seen.account)


class Permission:
    """Whether a feed may go on, asked often: a look at the stamp of accounts costs a microsecond,
    and the reader is authenticated again only where it has changed, or after a while.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._stamp = feed.parts.accounts.stamp
        self._mark: Mark | None = None
        self._asked_at = 0.0

    def holds(self) -> bool:
        mark, now = self._stamp.mark(), time.monotonic()
        if mark == self._mark and now - self._asked_at < RECHECK_SECONDS:
            return True
        self._mark, self._asked_at = mark, now
        return self._feed.may_go_on()


def longpoll(feed: Feed, first: Page) -> Iterator[bytes]:
    """Waits for a change, answers all there is, and ends."""
    yield b'{"results":[\n'
    last, separator = first, b""
    for news in _follow(feed, first):
        if news is None:
            yield b"\n"
            continue
        last, rows = news
        if rows:
            yield separator + b",\n".join(rows)
            separator = b",\n"
        if separator and not last.pending:
            break
    yield b'\n],\n"last_seq":"%b","pending":%d}\n' % (last.last_seq.encode(), last.pending)


def continuous(feed: Feed, first: Page) -> Iterator[bytes]:
    """A line per change for as long as the client listens; at the end one with `last_seq`."""
    if not first.rows:
        yield b"\n"
    last = first
    for news in _follow(feed, first):
        if news is None:
            yield b"\n"
            continue
        last, rows = news
        if rows:
            yield b"\n".join(rows) + b"\n"
    yield b'{"last_seq":"%b","pending":%d}\n' % (last.last_seq.encode(), last.pending)


def eventsource(feed: Feed, first: Page) -> Iterator[bytes]:
    """Server-sent events; their id is the sequence, which comes back as Last-Event-ID."""
    if not first.rows:
        yield b"\n"
    for news in _follow(feed, first):
        if news is None:
            yield b"event: heartbeat\ndata: \n\n"
            continue
        page, rows = news
        if rows:
            yield b"".join(
                b"data: %b\nid: %b\n\n" % (row, change.seq.encode())
                for row, change in zip(rows, page.rows, strict=True)
            )


def _follow(feed: Feed, first: Page) -> Iterator[News | None]:
    """Pages as they come, and None where a heartbeat is due, until the feed is over."""
    query, limit, sent = feed.query, feed.query.limit, 0
    permission = Permission(feed)
    page = first
    try:
        while True:
            for portion in portions(query, page):
                yield portion, rows_json(feed.database, query, portion.rows, sent)
                sent += len(portion.rows)
            left = None if limit is None else limit - sent
            if query.descending or left == 0:
                return
            if not page.pending and not (yield from _wait(feed, page.last_seq, permission)):
                return
            if not permission.holds():
                return
            page = next(pages(feed.database, query, page.last_seq, left))
    except SyncError:  # The database is gone.
        return


def _wait(feed: Feed, since: str, permission: Permission) -> Generator[None, None, bool]:
    """Whether something may have changed; yields where a heartbeat is due."""
    query, longest = feed.query, feed.parts.settings.longpoll_max_seconds
    now = time.monotonic()
    patience = longest if query.heartbeat is not None else min(query.timeout, longest)
    over, beat = now + patience, now + (query.heartbeat or patience)
    while now < over and not feed.parts.stopping.is_set() and not feed.place.ended:
        if feed.database.wait(since, max(0.0, min(WAIT_SECONDS, over - now, beat - now))):
            return True
        now = time.monotonic()
        if query.heartbeat is not None and now >= beat:
            beat = now + query.heartbeat
            yield None
        if not permission.holds():
            return False
    return False
