"""`_changes`: what happened since an update sequence."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response

from sync_server.replication.changes_pages import Page, pages, rows_json
from sync_server.replication.changes_query import ChangesQuery, read_query
from sync_server.replication.feeds import Feed, continuous, eventsource, longpoll
from sync_server.replication.rendering import json_response, stream_response
from sync_server.replication.surroundings import credentials, open_database, parts
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
        return _normal(database, query, first, rest)
    feed = Feed(name, query, parts(), credentials())
    if query.feed == "eventsource":
        return stream_response(eventsource(feed, first), "text/event-stream")
    if query.feed == "continuous":
        return stream_response(continuous(feed, first))
    return stream_response(longpoll(feed, first))


def _normal(database: Database, query: ChangesQuery, first: Page, rest: Iterator[Page]) -> Response:
    rows = rows_json(database, query, first.rows)
    second = next(rest, None)
    if second is None:
        return json_response(
            b'{"results":[\n%b\n],\n"last_seq":"%b","pending":%d}'
            % (b",\n".join(rows), first.last_seq.encode(), first.pending)
        )
    return stream_response(_streamed(database, query, rows, second, rest))


def _streamed(
    database: Database,
    query: ChangesQuery,
    rows: list[bytes],
    page: Page | None,
    rest: Iterator[Page],
) -> Iterator[bytes]:
    yield b'{"results":[\n' + b",\n".join(rows)
    sent, last = len(rows), page
    while page is not None:
        last = page
        rows = rows_json(database, query, page.rows, sent)
        if rows:
            yield (b",\n" if sent else b"") + b",\n".join(rows)
            sent += len(rows)
        page = next(rest, None)
    assert last is not None
    yield b'\n],\n"last_seq":"%b","pending":%d}\n' % (last.last_seq.encode(), last.pending)
