"""`_bulk_get`: many revisions in one answer, in the order they were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response

from sync_server.errors import BadRequest, IllegalDocumentId, NotFound, RequestTooLarge, SyncError
from sync_server.replication import parameters
from sync_server.replication.accepting import prefers_multipart
from sync_server.replication.bodies import TELL, json_object
from sync_server.replication.identifiers import document_id, revision, revision_list
from sync_server.replication.multipart import new_boundary
from sync_server.replication.rendering import (
    DocumentView,
    comma_separated,
    document_json,
    error_row,
    parts_response,
    started,
)
from sync_server.replication.revision_parts import error_part, mixed_response, revision_part
from sync_server.replication.surroundings import open_database, parts
from sync_server.storage.base import Database, MissingRevision, Revision

blueprint = Blueprint("replication_bulk_get", __name__)

ITEMS_AT_ONCE = 100
"""Items whose revisions are held at the same time."""

Found = Sequence[Revision | MissingRevision]


class Item(NamedTuple):
    """One entry of the request's `docs`."""

    doc_id: str
    rev: str | None
    atts_since: list[str] | None = None
    refused: SyncError | None = None


@blueprint.post("/<db:name>/_bulk_get")
def bulk_get(name: str) -> Response:
    """`{"docs": [{"id", "rev"?, "atts_since"?}, …]}`; an item that is malformed or missing is an
    error in its own place.
    """
    database, _ = open_database(name)
    view = DocumentView(
        revisions=parameters.flag("revs"),
        attachments=parameters.flag("attachments"),
        att_encoding_info=parameters.flag("att_encoding_info"),
    )
    latest = parameters.flag("latest")
    with json_object() as payload:
        items = [_item(entry) for entry in _entries(payload)]
    found = _read(database, items, latest, parts().metrics.revisions_sent.inc)
    if prefers_multipart("mixed") or prefers_multipart("related"):
        return _multipart(database, found, view)
    return parts_response(_json(database, found, view))


def _entries(payload: dict[str, Any]) -> list[Any]:
    entries = payload.get("docs")
    if type(entries) is not list:
        raise BadRequest("Missing JSON list of 'docs'.")
    limit = parts().settings.max_batch_documents
    if len(entries) > limit:
        raise RequestTooLarge(f"Ask for {limit} revisions at most at once. {TELL}")
    return entries


def _item(entry: Any) -> Item:
    if type(entry) is not dict:
        return Item("", None, refused=BadRequest("Each item of `docs` must be an object."))
    doc_id, rev, atts_since = entry.get("id"), entry.get("rev"), entry.get("atts_since")
    try:
        return Item(
            document_id(doc_id),
            None if rev is None else revision(rev),
            None if atts_since is None else revision_list("atts_since", atts_since),
        )
    except (BadRequest, IllegalDocumentId) as error:
        shown = doc_id if type(doc_id) is str else ""
        return Item(shown, rev if type(rev) is str else None, refused=error)


def _read(
    database: Database, items: Sequence[Item], latest: bool, count: Callable[[int], None]
) -> Iterator[tuple[Item, Found]]:
    """Each item with what was found, read some at a time: bodies may be large.

    `count` is told how many revisions that were.
    """
    for start in range(0, len(items), ITEMS_AT_ONCE):
        some = items[start : start + ITEMS_AT_ONCE]
        asked = [(item.doc_id, item.rev) for item in some if item.refused is None]
        found = database.bulk_get(asked, latest=latest)
        count(sum(map(len, found)))
        rest = iter(found)
        for item in some:
            yield item, next(rest) if item.refused is None else ()


def _json(
    database: Database, found: Iterator[tuple[Item, Found]], view: DocumentView
) -> Iterator[bytes]:
    yield b'{"results":['
    yield from comma_separated(
        _result(database, item, revisions, _view_of(item, view)) for item, revisions in found
    )
    yield b"]}"


def _view_of(item: Item, view: DocumentView) -> DocumentView:
    return view if item.atts_since is None else replace(view, atts_since=item.atts_since)


def _result(database: Database, item: Item, revisions: Found, view: DocumentView) -> bytes:
    docs = [
        b'{"ok":%b}' % document_json(each, view, database)
        if type(each) is Revision
        else _error(item, each)
        for each in revisions or (None,)
    ]
    return b'{"id":%b,"docs":[%b]}' % (orjson.dumps(item.doc_id), b",".join(docs))


def _error(item: Item, missing: object) -> bytes:
    return b'{"error":%b}' % _error_body(item, missing)


def _error_body(item: Item, missing: object) -> bytes:
    error = item.refused or NotFound("missing")
    rev = missing.rev if isinstance(missing, MissingRevision) else item.rev
    return orjson.dumps(error_row(item.doc_id, rev or "undefined", error))


def _multipart(
    database: Database, found: Iterator[tuple[Item, Found]], view: DocumentView
) -> Response:
    boundary = new_boundary()

    def chunks() -> Iterator[bytes]:
        for item, revisions in found:
            shown = _view_of(item, view)
            for each in revisions or (None,):
                if isinstance(each, Revision):
                    yield from revision_part(each, shown, database, boundary, identified=True)
                else:
                    yield error_part(_error_body(item, each), boundary)

    return mixed_response(started(chunks()), boundary)
