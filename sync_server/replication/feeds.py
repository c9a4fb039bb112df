"""Feeds that wait: longpoll, continuous and eventsource.

Each is a generator whose first chunk goes out at once, so that the client has its headers while
nothing happens. A feed outlives its request: it holds no connection to the database while it
waits, and looks now and then whether whoever asked may still read.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync_server.access.authentication import authenticate
from sync_server.access.permissions import require_member
from sync_server.errors import SyncError
from sync_server.replication.changes_pages import Page, pages, rows_json
from sync_server.replication.changes_query import ChangesQuery
from sync_server.replication.surroundings import Credentials
from sync_server.storage.base import Database

if TYPE_CHECKING:
    from sync_server.parts import Parts

WAIT_SECONDS = 1.0
"""Longest single wait: how soon a feed notices that the server is stopping."""

RECHECK_SECONDS = 10.0
"""How often a waiting feed looks whether its reader may still read."""


@dataclass(frozen=True, slots=True)
class Feed:
    database: Database
    query: ChangesQuery
    parts: Parts
    credentials: Credentials

    def may_go_on(self) -> bool:
        """Whether whoever asked may still read this database."""
        given = self.credentials
        try:
            account = authenticate(self.parts, given.authorization, given.cookie)
            require_member(account, self.database.name)
        except SyncError:
            return False
        return True


def longpoll(feed: Feed, first: Page) -> Iterator[bytes]:
    """Waits for a change, answers all there is, and ends."""
    yield b'{"results":[\n'
    last, sent = first, 0
    for page in _follow(feed, first):
        if page is None:
            yield b"\n"
            continue
        last = page
        rows = rows_json(feed.database, feed.query, page.rows, sent)
        if rows:
            yield (b",\n" if sent else b"") + b",\n".join(rows)
            sent += len(rows)
        if sent and not page.pending:
            break
    yield b'\n],\n"last_seq":"%b","pending":%d}\n' % (last.last_seq.encode(), last.pending)


def continuous(feed: Feed, first: Page) -> Iterator[bytes]:
    """A line per change for as long as the client listens; at the end one with `last_seq`."""
    if not first.rows:
        yield b"\n"
    last, sent = first, 0
    for page in _follow(feed, first):
        if page is None:
            yield b"\n"
            continue
        last = page
        rows = rows_json(feed.database, feed.query, page.rows, sent)
        sent += len(rows)
        if rows:
            yield b"\n".join(rows) + b"\n"
    yield b'{"last_seq":"%b","pending":%d}\n' % (last.last_seq.encode(), last.pending)


def eventsource(feed: Feed, first: Page) -> Iterator[bytes]:
    """Server-sent events; their id is the sequence, which comes back as Last-Event-ID."""
    if not first.rows:
        yield b"\n"
    for page in _follow(feed, first):
        if page is None:
            yield b"event: heartbeat\ndata: \n\n"
            continue
        rows = rows_json(feed.database, feed.query, page.rows)
        if rows:
            yield b"".join(
                b"data: %b\nid: %b\n\n" % (row, change.seq.encode())
                for row, change in zip(rows, page.rows, strict=True)
            )


def _follow(feed: Feed, first: Page) -> Iterator[Page | None]:
    """Pages as they come, and None where a heartbeat is due, until the feed is over."""
    query, limit = feed.query, feed.query.limit
    page = first
    try:
        while True:
            yield page
            if limit is not None:
                limit -= len(page.rows)
                if limit <= 0:
                    return
            if query.descending:
                return
            if not page.pending and not (yield from _wait(feed, page.last_seq)):
                return
            page = next(pages(feed.database, query, page.last_seq, limit))
    except SyncError:  # The database is gone.
        return


def _wait(feed: Feed, since: str) -> Generator[None, None, bool]:
    """Whether something may have changed; yields where a heartbeat is due."""
    query, longest = feed.query, feed.parts.settings.longpoll_max_seconds
    now = time.monotonic()
    patience = longest if query.heartbeat is not None else min(query.timeout, longest)
    over, checked, beat = now + patience, now, now + (query.heartbeat or patience)
    while now < over and not feed.parts.stopping.is_set():
        if feed.database.wait(since, max(0.0, min(WAIT_SECONDS, over - now, beat - now))):
            return True
        now = time.monotonic()
        if query.heartbeat is not None and now >= beat:
            beat = now + query.heartbeat
            yield None
        if now - checked >= RECHECK_SECONDS:
            checked = now
            if not feed.may_go_on():
                return False
    return False
