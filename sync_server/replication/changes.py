"""`_changes`: what happened since an update sequence."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response

from sync_server.replication.changes_pages import Page, pages, portions, rows_json
from sync_server.replication.changes_query import ChangesQuery, read_query
from sync_server.replication.feeds import Feed, continuous, eventsource, longpoll
from sync_server.replication.open_feeds import FeedChunks
from sync_server.replication.rendering import parts_response, stream_response
from sync_server.replication.surroundings import (
    credentials,
    open_database,
    open_feed,
    parts,
    runtime,
)
from sync_server.storage.base import Database

blueprint = Blueprint("replication_changes", __name__)


@blueprint.route("/<db:name>/_changes", methods=["GET", "POST"])
def changes(name: str) -> Response:
    """The first page is read before the answer begins, so that a bad `since` is a 400."""
    database, reader = open_database(name)
    query = read_query(database, is_admin=reader.is_admin)
    rest = pages(database, query, query.since, query.limit)
    first = next(rest)
    if query.feed == "normal":
        return parts_response(_normal(database, query, chain((first,), rest)))
    place = open_feed(reader, name)
    feed = Feed(name, query, parts(), credentials(), place)
    chunks = FeedChunks(_FEEDS[query.feed](feed, first), place, runtime().feeds)
    return stream_response(chunks, _TYPES[query.feed], waits=True)


_FEEDS = {"longpoll": longpoll, "continuous": continuous, "eventsource": eventsource}
_TYPES = {
    "longpoll": "application/json",
    "continuous": "application/json",
    "eventsource": "text/event-stream",
}


def _normal(database: Database, query: ChangesQuery, all_pages: Iterator[Page]) -> Iterator[bytes]:
    yield b'{"results":[\n'
    sent, page = 0, None
    for page in chain.from_iterable(portions(query, each) for each in all_pages):
        if page.rows:
            rows = rows_json(database, query, page.rows, sent)
            yield (b",\n" if sent else b"") + b",\n".join(rows)
            sent += len(rows)
    assert page is not None
    yield b'\n],\n"last_seq":"%b","pending":%d}' % (page.last_seq.encode(), page.pending)
