"""`_find` and `_index`: Mango queries for admins' scripts.

There is one index, on the id: a query reads all documents in its order, page by page.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response

from sync_server.errors import BadRequest, NotImplementedHere
from sync_server.replication import parameters
from sync_server.replication.bodies import json_object
from sync_server.replication.filters import selectable
from sync_server.replication.identifiers import DESIGN_PREFIX
from sync_server.replication.mango import (
    MISSING,
    Path,
    Predicate,
    compile_selector,
    look_up,
    split_field,
)
from sync_server.replication.rendering import json_response
from sync_server.replication.surroundings import administer
from sync_server.storage.base import Database

DEFAULT_LIMIT = 25
PAGE_DOCUMENTS = 500
NO_BOOKMARK = "nil"

blueprint = Blueprint("replication_find", __name__)


@dataclass(frozen=True, slots=True)
class FindQuery:
    matches: Predicate
    fields: list[Path] | None
    limit: int
    skip: int
    descending: bool
    after: str | None
    """The id that the page before ended with."""


@blueprint.post("/<db:name>/_find")
def find(name: str) -> Response:
    database = administer(name)
    with json_object() as payload:
        query = _query(payload)
    documents: list[dict[str, Any]] = []
    last, skipped = query.after, 0
    for document in _scan(database, query):
        if len(documents) == query.limit:
            break
        if skipped < query.skip:
            skipped += 1
            continue
        documents.append(document)
        last = document["_id"]
    shown = [_project(document, query.fields) for document in documents]
    warning = "No matching index found, create an index to optimize query time."
    return json_response({"docs": shown, "bookmark": _bookmark(last), "warning": warning})


@blueprint.get("/<db:name>/_index")
def indexes(name: str) -> Response:
    administer(name)
    all_docs = {
        "ddoc": None,
        "name": "_all_docs",
        "type": "special",
        "def": {"fields": [{"_id": "asc"}]},
    }
    return json_response({"total_rows": 1, "indexes": [all_docs]})


@blueprint.post("/<db:name>/_index")
@blueprint.post("/<db:name>/_explain")
@blueprint.delete("/<db:name>/_index/<attname:rest>")
def no_indexes(name: str, rest: str = "") -> Response:
    administer(name)
    raise NotImplementedHere("This server has no index but the one on ids; `_find` reads them all.")


def _query(payload: dict[str, Any]) -> FindQuery:
    if "selector" not in payload:
        raise BadRequest("Missing required key: selector")
    fields = payload.get("fields")
    return FindQuery(
        matches=compile_selector(payload["selector"], regular_expressions=True),
        fields=None
        if fields in (None, [], "all_fields")
        else [split_field(field) for field in parameters.string_list("fields", fields)],
        limit=parameters.as_integer("limit", payload.get("limit", DEFAULT_LIMIT)),
        skip=parameters.as_integer("skip", payload.get("skip", 0)),
        descending=_descending(payload.get("sort")),
        after=_after(payload.get("bookmark")),
    )


def _descending(sort: Any) -> bool:
    """The order of ids that a `sort` asks for: no other order has an index."""
    match sort:
        case None | [] | ["_id"] | [{"_id": "asc"}]:
            return False
        case [{"_id": "desc"}]:
            return True
    raise BadRequest("No index exists for this sort: sort by `_id` alone.")


def _after(bookmark: Any) -> str | None:
    if bookmark in (None, "", NO_BOOKMARK):
        return None
    try:
        return urlsafe_b64decode(bookmark).decode()
    except (TypeError, ValueError, binascii.Error):
        raise BadRequest("`bookmark` must be one that a query before gave.") from None


def _bookmark(last: str | None) -> str:
    return NO_BOOKMARK if last is None else urlsafe_b64encode(last.encode()).decode()


def _scan(database: Database, query: FindQuery) -> Iterator[dict[str, Any]]:
    """Documents that match, in order of id, without design documents."""
    after = query.after
    while True:
        # The page begins with the id the last one ended with, which is passed over.
        page = database.all_docs(
            startkey=after, descending=query.descending, limit=PAGE_DOCUMENTS + 1
        )
        ids = [row.doc_id for row in page.rows if row is not None and row.doc_id != after]
        wanted = [doc_id for doc_id in ids if not doc_id.startswith(DESIGN_PREFIX)]
        for winner in database.winners(wanted):
            if winner is not None and not winner.deleted:
                document = selectable(winner)
                if query.matches(document):
                    yield document
        if not ids:
            return
        after = ids[-1]


def _project(document: dict[str, Any], fields: list[Path] | None) -> dict[str, Any]:
    if fields is None:
        own = {key: value for key, value in document.items() if key not in ("_id", "_rev")}
        return {"_id": document["_id"], "_rev": document["_rev"], **own}
    shown: dict[str, Any] = {}
    for path in fields:
        value = look_up(document, path)
        if value is not MISSING:
            _set(shown, path, value)
    return shown


def _set(target: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target[path[-1]] = value
