"""Reading single documents: one revision, or several of its leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from flask import Blueprint, Response, request

from sync_server.errors import NotFound, QueryParseError
from sync_server.replication import local, parameters
from sync_server.replication.accepting import prefers_multipart
from sync_server.replication.identifiers import (
    DESIGN_PREFIX,
    LOCAL_PREFIX,
    document_id,
    revision,
    revision_list,
)
from sync_server.replication.multipart import new_boundary
from sync_server.replication.rendering import (
    DocumentView,
    comma_separated,
    conflicts_of,
    document_json,
    json_response,
    parts_response,
)
from sync_server.replication.reserved import is_reserved, refuse_reading
from sync_server.replication.revision_parts import (
    error_part,
    mixed_response,
    related_response,
    revision_part,
)
from sync_server.replication.surroundings import open_database
from sync_server.storage.base import Database, MissingRevision, Revision

blueprint = Blueprint("replication_documents", __name__)

_META = frozenset(
    ("revs", "revs_info", "conflicts", "deleted_conflicts", "meta", "local_seq", "attachments")
)


@blueprint.url_value_preprocessor
def name_design_document(endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Design documents come with a raw slash too: `_design/x`."""
    if values and "design" in values:
        values["doc_id"] = DESIGN_PREFIX + values.pop("design")


@blueprint.get("/<db:name>/_design/<docid:design>")
@blueprint.get("/<db:name>/<docid:doc_id>")
def show(name: str, doc_id: str) -> Response:
    database, _ = open_database(name)
    if is_reserved(doc_id):
        if doc_id.startswith(LOCAL_PREFIX):
            return local.show(name, doc_id.removeprefix(LOCAL_PREFIX))
        refuse_reading(doc_id)
    document_id(doc_id)
    if "open_revs" in request.args:
        return _open_revs(database, doc_id)
    return _single(database, doc_id)


def _view() -> DocumentView:
    since = parameters.json_parameter("atts_since")
    return DocumentView(
        revisions=parameters.flag("revs"),
        attachments=parameters.flag("attachments"),
        atts_since=None if since is None else revision_list("atts_since", since),
        att_encoding_info=parameters.flag("att_encoding_info"),
    )


def _single(database: Database, doc_id: str) -> Response:
    rev = request.args.get("rev")
    found = _find(database, doc_id, None if rev is None else revision(rev))
    etag = None if _META & request.args.keys() else f'"{found.rev}"'
    if etag and etag in _if_none_match():
        return Response(status=304, headers={"ETag": etag, "Cache-Control": "must-revalidate"})
    view = _view()
    extra = _extra(database, found)
    if found.attachments and view.wants_contents and prefers_multipart("related"):
        return related_response(found, view, database, extra)
    response = json_response(document_json(found, view, database, extra))
    if etag:
        response.headers["ETag"] = etag
    return response


def _if_none_match() -> list[str]:
    given = request.environ.get("HTTP_IF_NONE_MATCH", "")
    return [tag.strip().removeprefix("W/") for tag in given.split(",")]


def _find(database: Database, doc_id: str, rev: str | None) -> Revision:
    if rev is None or not parameters.flag("latest"):
        return database.get(doc_id, rev)
    found = database.open_revs(doc_id, [rev], latest=True)[0]
    if isinstance(found, MissingRevision):
        raise found.as_error()
    return found


def _extra(database: Database, found: Revision) -> dict[str, Any]:
    """The members that tell of the document's tree, as far as they were asked for."""
    meta = parameters.flag("meta")
    extra: dict[str, Any] = {}
    if parameters.flag("revs_info") or meta:
        lines = database.revs_info(found.doc_id, found.rev)
        extra["_revs_info"] = [line._asdict() for line in lines]
    conflicts = [
        member
        for member in ("_conflicts", "_deleted_conflicts")
        if parameters.flag(member[1:]) or meta
    ]
    if conflicts or parameters.flag("local_seq"):
        state = database.state(found.doc_id)
        others = conflicts_of(state.leaves, found.rev)
        extra.update({member: others[member] for member in conflicts if others[member]})
        if parameters.flag("local_seq"):
            extra["_local_seq"] = state.seq
    return extra


def _open_revs(database: Database, doc_id: str) -> Response:
    wanted = _wanted_revs()
    found = database.open_revs(doc_id, wanted, latest=parameters.flag("latest"))
    if wanted is None and not found:
        raise NotFound("missing")
    view = _view()
    if prefers_multipart("mixed"):
        return _open_revs_multipart(database, found, view)
    return parts_response(_open_revs_parts(database, found, view))


def _wanted_revs() -> list[str] | None:
    if request.args["open_revs"] == "all":
        return None
    wanted = parameters.json_parameter("open_revs")
    if not isinstance(wanted, list):
        raise QueryParseError("`open_revs` must be all, or an array of revisions.")
    return revision_list("open_revs", wanted)


def _open_revs_parts(
    database: Database, found: Sequence[Revision | MissingRevision], view: DocumentView
) -> Iterator[bytes]:
    yield b"["
    yield from comma_separated(
        _missing(each)
        if isinstance(each, MissingRevision)
        else b'{"ok":%b}' % document_json(each, view, database)
        for each in found
    )
    yield b"]"


def _missing(missing: MissingRevision) -> bytes:
    return orjson.dumps({"missing": missing.rev})


def _open_revs_multipart(
    database: Database, found: Sequence[Revision | MissingRevision], view: DocumentView
) -> Response:
    boundary = new_boundary()

    def chunks() -> Iterator[bytes]:
        for each in found:
            if isinstance(each, MissingRevision):
                yield error_part(_missing(each), boundary)
            else:
                yield from revision_part(each, view, database, boundary)

    return mixed_response(chunks(), boundary)
