"""`_bulk_get`: many revisions in one answer, in the order they were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response

from sync_server.errors import BadRequest, IllegalDocumentId, NotFound, RequestTooLarge, SyncError
from sync_server.replication import parameters
from sync_server.replication.accepting import prefers_multipart
from sync_server.replication.bodies import json_object
from sync_server.replication.identifiers import document_id, revision, revision_list
from sync_server.replication.multipart import new_boundary
from sync_server.replication.rendering import (
    DocumentView,
    document_json,
    error_row,
    json_response,
    stream_response,
)
from sync_server.replication.revision_parts import error_part, mixed_response, revision_part
from sync_server.replication.surroundings import open_database, parts
from sync_server.storage.base import Database, MissingRevision, Revision

blueprint = Blueprint("replication_bulk_get", __name__)

MAX_ITEMS = 10_000

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
    found = _read(database, items, latest)
    parts().metrics.revisions_sent.inc(sum(map(len, found)))
    if prefers_multipart("mixed") or prefers_multipart("related"):
        return _multipart(database, items, found, view)
    results = _results(database, items, found, view)
    if _holds_contents(items, found, view):
        return stream_response(_streamed(results))
    return json_response(b'{"results":[' + b",".join(results) + b"]}")


def _entries(payload: dict[str, Any]) -> list[Any]:
    entries = payload.get("docs")
    if type(entries) is not list:
        raise BadRequest("Missing JSON list of 'docs'.")
    if len(entries) > MAX_ITEMS:
        raise RequestTooLarge(f"Ask for {MAX_ITEMS} revisions at most at once.")
    return entries


def _holds_contents(items: Sequence[Item], found: Sequence[Found], view: DocumentView) -> bool:
    """Whether the answer may be large: whole answers are compressed, streamed ones are not."""
    if not view.attachments and all(item.atts_since is None for item in items):
        return False
    return any(type(each) is Revision and each.attachments for many in found for each in many)


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


def _read(database: Database, items: Sequence[Item], latest: bool) -> list[Found]:
    asked = [(item.doc_id, item.rev) for item in items if item.refused is None]
    found = database.bulk_get(asked, latest=latest)
    if len(asked) == len(items):
        return list(found)
    rest = iter(found)
    return [next(rest) if item.refused is None else [] for item in items]


def _results(
    database: Database, items: Sequence[Item], found: Sequence[Found], view: DocumentView
) -> Iterator[bytes]:
    for item, revisions in zip(items, found, strict=True):
        shown = view if item.atts_since is None else replace(view, atts_since=item.atts_since)
        docs = b",".join(
            [
                b'{"ok":%b}' % document_json(each, shown, database)
                if type(each) is Revision
                else _error(item, each)
                for each in revisions or (None,)
            ]
        )
        yield b'{"id":%b,"docs":[%b]}' % (orjson.dumps(item.doc_id), docs)


def _error(item: Item, missing: object) -> bytes:
    return b'{"error":%b}' % _error_body(item, missing)


def _error_body(item: Item, missing: object) -> bytes:
    error = item.refused or NotFound("missing")
    rev = missing.rev if isinstance(missing, MissingRevision) else item.rev
    return orjson.dumps(error_row(item.doc_id, rev or "undefined", error))


def _streamed(results: Iterator[bytes]) -> Iterator[bytes]:
    """With contents inline an answer may be large: it is sent item by item."""
    separator = b'{"results":['
    for result in results:
        yield separator + result
        separator = b","
    yield (b"]}\n" if separator == b"," else b'{"results":[]}\n')


def _multipart(
    database: Database, items: Sequence[Item], found: Sequence[Found], view: DocumentView
) -> Response:
    boundary = new_boundary()

    def chunks() -> Iterator[bytes]:
        for item, revisions in zip(items, found, strict=True):
            shown = view if item.atts_since is None else replace(view, atts_since=item.atts_since)
            for each in revisions or (None,):
                if isinstance(each, Revision):
                    yield from revision_part(each, shown, database, boundary, identified=True)
                else:
                    yield error_part(_error_body(item, each), boundary)

    return mixed_response(chunks(), boundary)
