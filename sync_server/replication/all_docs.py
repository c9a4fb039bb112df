"""`_all_docs` and `_design_docs`: ids in order, with documents where they are asked for.

Couchbase Lite 1 pulls first generations with `_all_docs`, `keys` and `include_docs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import orjson
from flask import Blueprint, Response

from sync_server.errors import BadRequest
from sync_server.replication.all_docs_query import Query, given, read_query
from sync_server.replication.bodies import json_object
from sync_server.replication.identifiers import DESIGN_PREFIX
from sync_server.replication.parameters import as_flag
from sync_server.replication.rendering import (
    DocumentView,
    comma_separated,
    conflicts_of,
    document_json,
    parts_response,
    quoted,
)
from sync_server.replication.surroundings import open_database
from sync_server.storage.base import AllDocsPage, AllDocsRow, Database, Revision

PAGE_ROWS = 5000
"""Rows read from storage at once."""

DOCUMENTS_AT_ONCE = 50
"""Documents that an answer holds at the same time."""

blueprint = Blueprint("replication_all_docs", __name__)


@blueprint.route("/<db:name>/_all_docs", methods=["GET", "POST"])
def all_docs(name: str) -> Response:
    database, _ = open_database(name)
    return parts_response(_answer(database, read_query(given())))


@blueprint.route("/<db:name>/_design_docs", methods=["GET", "POST"])
def design_docs(name: str) -> Response:
    database, _ = open_database(name)
    asked = given()
    if asked.get("keys") is None:
        first, last = "startkey", "endkey"
        if as_flag("descending", asked.get("descending", False)):
            first, last = last, first
        asked.setdefault(first, DESIGN_PREFIX)
        asked.setdefault(last, "_design0")
    return parts_response(_answer(database, read_query(asked)))


@blueprint.post("/<db:name>/_all_docs/queries")
def queries(name: str) -> Response:
    database, _ = open_database(name)
    with json_object() as payload:
        asked = payload.get("queries")
        if type(asked) is not list or not all(type(each) is dict for each in asked):
            raise BadRequest("POST body must include `queries`, an array of objects.")
        wanted = [read_query(each) for each in asked]
    return parts_response(_answers(database, wanted))


def _answers(database: Database, asked: Sequence[Query]) -> Iterator[bytes]:
    separator = b'{"results":['
    for query in asked:
        yield separator
        yield from _answer(database, query)
        separator = b","
    yield b"]}" if asked else b'{"results":[]}'


def _answer(database: Database, query: Query) -> Iterator[bytes]:
    pages = _pages(database, query)
    page, keys = next(pages)
    offset = "null" if query.keys is not None else 0
    yield f'{{"total_rows":{page.total_rows},"offset":{offset}'.encode()
    if query.wants("update_seq"):
        yield b',"update_seq":"%b"' % database.update_seq().encode()
    yield b',"rows":['
    yield from comma_separated(
        row
        for page, keys in chain(((page, keys),), pages)
        for row in _rows(database, query, page.rows, keys)
    )
    yield b"]}"


def _pages(database: Database, query: Query) -> Iterator[tuple[AllDocsPage, Sequence[Any]]]:
    """Pages, at least one, and the keys that their rows stand for where keys were given."""
    if query.keys is None:
        return ((page, ()) for page in pages_of_range(database, query))
    keys = query.keys[::-1] if query.wants("descending") else query.keys
    keys = keys[query.skip : None if query.limit is None else query.skip + query.limit]
    slices = (keys[start : start + PAGE_ROWS] for start in range(0, max(1, len(keys)), PAGE_ROWS))
    # A key that is no string is no id: it has a row that says so, and storage never sees it.
    return (
        (database.all_docs(keys=[key if type(key) is str else "" for key in some]), some)
        for some in slices
    )


def pages_of_range(database: Database, query: Query) -> Iterator[AllDocsPage]:
    """A range of ids, read page by page: it may be the whole database."""
    left, skip, startkey, last = query.limit, query.skip, query.startkey, None
    while True:
        size = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
        page = database.all_docs(
            startkey=startkey,
            endkey=query.endkey,
            inclusive_end=query.flags.get("inclusive_end", True),
            descending=query.wants("descending"),
            limit=size + (last is not None),
            skip=skip,
        )
        # But for the first, a page begins with the id that the one before ended with.
        rows = [row for row in page.rows if row is not None and row.doc_id != last][:size]
        yield AllDocsPage(page.total_rows, rows)
        left = None if left is None else left - len(rows)
        if len(rows) < size or left == 0:
            return
        startkey = last = rows[-1].doc_id
        skip = 0


def _rows(
    database: Database, query: Query, rows: Sequence[AllDocsRow | None], keys: Sequence[Any]
) -> Iterator[bytes]:
    keyed = query.keys is not None
    for start in range(0, len(rows), DOCUMENTS_AT_ONCE):
        some = rows[start : start + DOCUMENTS_AT_ONCE]
        documents: Sequence[bytes | None] = [None] * len(some)
        if query.wants("include_docs"):
            documents = _documents(database, query, some)
        for place, row in enumerate(some):
            if row is None:
                yield _not_found(keys[start + place])
            else:
                yield _row(row, documents[place], keyed)


def _row(row: AllDocsRow, document: bytes | None, keyed: bool) -> bytes:
    key = quoted(row.doc_id)
    deleted = ',"deleted":true' if row.deleted else ""
    head = f'{{"id":{key},"key":{key},"value":{{"rev":"{row.rev}"{deleted}}}'.encode()
    if document is not None:
        return b'%b,"doc":%b}' % (head, document)
    return head + (b',"doc":null}' if keyed and row.deleted else b"}")


def _not_found(key: Any) -> bytes:
    return orjson.dumps({"key": key, "error": "not_found"})


def _documents(
    database: Database, query: Query, rows: Sequence[AllDocsRow | None]
) -> list[bytes | None]:
    ids = [row.doc_id for row in rows if row is not None and not row.deleted]
    shown = winners_json(database, ids, query.view, conflicts=query.wants("conflicts"))
    by_id = dict(zip(ids, shown, strict=True))
    return [None if row is None else by_id.get(row.doc_id) for row in rows]


def winners_json(
    database: Database, doc_ids: Sequence[str], view: DocumentView, *, conflicts: bool
) -> list[bytes]:
    """Winning revisions as JSON, `null` where there is none."""
    extras: list[dict[str, Any]] = [{} for _ in doc_ids]
    winners: Sequence[Revision | None] = database.winners(doc_ids)
    if conflicts:
        for extra, state in zip(extras, database.states(doc_ids), strict=True):
            others = conflicts_of(state.leaves, state.winner.rev) if state else {}
            extra.update({k: v for k, v in others.items() if k == "_conflicts" and v})
    return [
        b"null" if winner is None else document_json(winner, view, database, extra)
        for winner, extra in zip(winners, extras, strict=True)
    ]
