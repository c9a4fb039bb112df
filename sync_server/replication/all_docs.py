"""`_all_docs` and `_design_docs`: ids in order, with documents where they are asked for.

Couchbase Lite 1 pulls first generations with `_all_docs`, `keys` and `include_docs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sync_server.errors import BadRequest, QueryParseError
from sync_server.replication import parameters
from sync_server.replication.bodies import json_object
from sync_server.replication.identifiers import DESIGN_PREFIX
from sync_server.replication.rendering import (
    DocumentView,
    conflicts_of,
    document_json,
    json_response,
    quoted,
)
from sync_server.replication.surroundings import open_database
from sync_server.storage.base import AllDocsPage, AllDocsRow, Database, Revision

blueprint = Blueprint("replication_all_docs", __name__)

_FLAGS = (
    "include_docs",
    "conflicts",
    "descending",
    "inclusive_end",
    "update_seq",
    "attachments",
    "att_encoding_info",
)


@dataclass(frozen=True, slots=True)
class Query:
    keys: list[str] | None
    startkey: str | None
    endkey: str | None
    limit: int | None
    skip: int
    flags: dict[str, bool]


@blueprint.route("/<db:name>/_all_docs", methods=["GET", "POST"])
def all_docs(name: str) -> Response:
    database, _ = open_database(name)
    return json_response(_answer(database, _query(_given())))


@blueprint.route("/<db:name>/_design_docs", methods=["GET", "POST"])
def design_docs(name: str) -> Response:
    database, _ = open_database(name)
    given = _given()
    if given.get("keys") is None:
        first, last = ("endkey", "startkey") if given.get("descending") else ("startkey", "endkey")
        given.setdefault(first, DESIGN_PREFIX)
        given.setdefault(last, "_design0")
    return json_response(_answer(database, _query(given)))


@blueprint.post("/<db:name>/_all_docs/queries")
def queries(name: str) -> Response:
    database, _ = open_database(name)
    with json_object() as payload:
        asked = payload.get("queries")
        if type(asked) is not list or not all(type(each) is dict for each in asked):
            raise BadRequest("POST body must include `queries`, an array of objects.")
        answers = [_answer(database, _query(each)) for each in asked]
    return json_response(b'{"results":[%b]}' % b",".join(answers))


def _given() -> dict[str, Any]:
    """Parameters of the query, over those of a POST body."""
    given: dict[str, Any] = {}
    if request.method == "POST":
        with json_object() as payload:
            given.update(payload)
    for name in request.args:
        is_json = name in ("keys", "key", "startkey", "endkey", "start_key", "end_key")
        given[name] = parameters.json_parameter(name) if is_json else request.args[name]
    return given


def _query(given: dict[str, Any]) -> Query:
    flags = {
        name: parameters.as_flag(name, given[name])
        for name in _FLAGS
        if given.get(name) is not None
    }
    limit, skip = given.get("limit"), given.get("skip")
    keys = given.get("keys")
    key = _key(given, "key")
    if keys is not None and type(keys) is not list:
        raise BadRequest("`keys` parameter must be an array.")
    return Query(
        keys=keys,
        startkey=key if key is not None else _key(given, "startkey", "start_key"),
        endkey=key if key is not None else _key(given, "endkey", "end_key"),
        limit=None if limit is None else parameters.as_integer("limit", limit),
        skip=0 if skip is None else parameters.as_integer("skip", skip),
        flags=flags,
    )


def _key(given: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = given.get(name)
        if value is not None:
            if type(value) is not str:
                raise QueryParseError(f"`{name}` must be a document id, a JSON string.")
            return value
    return None


def _answer(database: Database, query: Query) -> bytes:
    flags = query.flags
    page, errors = _page(database, query)
    rows = _rows(database, query, page, errors)
    head = f'"total_rows":{page.total_rows},"offset":{"null" if query.keys is not None else 0}'
    if flags.get("update_seq"):
        head += f',"update_seq":"{database.update_seq()}"'
    return b'{%b,"rows":[%b]}' % (head.encode(), b",".join(rows))


def _page(database: Database, query: Query) -> tuple[AllDocsPage, Sequence[Any]]:
    """The page, and the keys its rows stand for where keys were given."""
    descending = query.flags.get("descending", False)
    if query.keys is None:
        page = database.all_docs(
            startkey=query.startkey,
            endkey=query.endkey,
            inclusive_end=query.flags.get("inclusive_end", True),
            descending=descending,
            limit=query.limit,
            skip=query.skip,
        )
        return page, ()
    keys = query.keys[::-1] if descending else query.keys
    end = None if query.limit is None else query.skip + query.limit
    keys = keys[query.skip : end]
    # A key that is no string is no id: it has a row that says so, and storage never sees it.
    return database.all_docs(keys=[k if type(k) is str else "" for k in keys]), keys


def _rows(database: Database, query: Query, page: AllDocsPage, keys: Sequence[Any]) -> list[bytes]:
    documents: Sequence[bytes | None] = [None] * len(page.rows)
    if query.flags.get("include_docs"):
        documents = _documents(database, query, page.rows)
    keyed = query.keys is not None
    return [
        _not_found(keys[i]) if row is None else _row(row, documents[i], keyed)
        for i, row in enumerate(page.rows)
    ]


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
    view = DocumentView(
        attachments=query.flags.get("attachments", False),
        att_encoding_info=query.flags.get("att_encoding_info", False),
    )
    shown = winners_json(database, ids, view, conflicts=query.flags.get("conflicts", False))
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
