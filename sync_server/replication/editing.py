"""Writing single documents: PUT, POST, DELETE and COPY."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote, unquote

from flask import Blueprint, Response, request

from sync_server.access.accounts import Account
from sync_server.errors import BadRequest, NotFound
from sync_server.replication import local, parameters
from sync_server.replication.admission import admit
from sync_server.replication.bodies import json_object, request_body
from sync_server.replication.documents import name_design_document
from sync_server.replication.identifiers import (
    DESIGN_PREFIX,
    LOCAL_PREFIX,
    document_id,
    revision,
    split_revision,
)
from sync_server.replication.incoming import Incoming, made_here, read_document
from sync_server.replication.multipart import assign_parts, boundary_of, read_parts
from sync_server.replication.noting import note_push
from sync_server.replication.parsing import parse_object
from sync_server.replication.rendering import json_response
from sync_server.replication.reserved import is_reserved, refuse_writing
from sync_server.replication.surroundings import open_database, parts
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    Revisions,
    RevisionWrite,
)

blueprint = Blueprint("replication_editing", __name__)
blueprint.url_value_preprocessor(name_design_document)

REVS_DIFFER = "Document rev from request body and query string have different values"


@blueprint.put("/<db:name>/_design/<docid:design>")
@blueprint.put("/<db:name>/<docid:doc_id>")
def save(name: str, doc_id: str) -> Response:
    """Store a document; `new_edits=false` grafts the revision that it names itself."""
    database, sender = open_database(name)
    if is_reserved(doc_id):
        if doc_id.startswith(LOCAL_PREFIX):
            return local.save(name, doc_id.removeprefix(LOCAL_PREFIX))
        refuse_writing(doc_id)
    document_id(doc_id)
    new_edits = parameters.flag("new_edits", default=True)
    with request_body() as raw:
        document, contents = _sent_document(raw, any_value=not new_edits)
        _settle_identity(document, doc_id)
        incoming = read_document(
            document, parts().settings, new_edits=new_edits, doc_id=doc_id, contents=contents
        )
        return saved(database, sender, incoming, new_edits=new_edits)


@blueprint.post("/<db:name>")
def create(name: str) -> Response:
    """Store a document under the id it has, or under a new one."""
    database, sender = open_database(name)
    with json_object() as document:
        doc_id = document.get("_id")
        if isinstance(doc_id, str) and doc_id.startswith(LOCAL_PREFIX):
            write = local.read_local(document, doc_id.removeprefix(LOCAL_PREFIX))
            rev = local.store(database, sender, write)
            return json_response({"ok": True, "id": doc_id, "rev": rev}, 201)
        new_edits = parameters.flag("new_edits", default=True)
        edited = read_document(
            document, parts().settings, new_edits=new_edits, doc_id=secrets.token_hex(16)
        )
        return saved(database, sender, edited, new_edits=new_edits)


@blueprint.delete("/<db:name>/_design/<docid:design>")
@blueprint.delete("/<db:name>/<docid:doc_id>")
def delete(name: str, doc_id: str) -> Response:
    """Put a tombstone on the revision named by `rev` or If-Match."""
    database, sender = open_database(name)
    if is_reserved(doc_id):
        if doc_id.startswith(LOCAL_PREFIX):
            return local.delete(name, doc_id.removeprefix(LOCAL_PREFIX))
        refuse_writing(doc_id)
    if database.state(document_id(doc_id)).winner.deleted:
        raise NotFound("deleted")
    write = RevisionWrite(doc_id, parent(named_revision()), b"{}", deleted=True)
    return saved(database, sender, made_here(write, parts().settings))


@blueprint.route("/<db:name>/_design/<docid:design>", methods=["COPY"])
@blueprint.route("/<db:name>/<docid:doc_id>", methods=["COPY"])
def copy(name: str, doc_id: str) -> Response:
    """Store a copy under the id, and on the revision, that the Destination header names."""
    database, sender = open_database(name)
    target, target_rev = _destination()
    found = database.get(document_id(doc_id), named_revision())
    attachments = {}
    for attachment, info in found.attachments.items():
        _, opened = database.attachment(doc_id, found.rev, attachment)
        with opened as stream:
            attachments[attachment] = AttachmentWrite(
                info.content_type, stream.read(), info.digest, encoding=info.encoding
            )
    write = RevisionWrite(target, parent(target_rev), found.body, False, attachments)
    return saved(database, sender, made_here(write, parts().settings))


def saved(
    database: Database, sender: Account, incoming: Incoming, *, new_edits: bool = True
) -> Response:
    """Store one revision and answer with it. Raises what storage or access refuse it for."""
    (result,) = admit(database, sender, [incoming], new_edits=new_edits)
    note_push(sender, [result])
    if result.error is not None:
        raise result.error
    write = incoming.write
    location = f"{request.host_url}db/{quote(database.name, safe='')}/{_address(write.doc_id)}"
    return json_response(
        {"ok": True, "id": write.doc_id, "rev": result.rev},
        200 if write.deleted else 201,
        [("ETag", f'"{result.rev}"'), ("Location", location)],
    )


def _address(doc_id: str) -> str:
    """The id as part of an address: of its slashes, only that of a design document is raw."""
    prefix = DESIGN_PREFIX if doc_id.startswith(DESIGN_PREFIX) else ""
    return prefix + quote(doc_id.removeprefix(prefix), safe="")


def parent(rev: str | None) -> Revisions | None:
    """The revision as the parent of an edit."""
    if rev is None:
        return None
    generation, rev_id = split_revision(rev)
    return Revisions(generation, [rev_id])


def named_revision() -> str | None:
    """The revision named by the query's `rev` or by If-Match. Raises BadRequest if they differ."""
    queried, header = request.args.get("rev"), request.environ.get("HTTP_IF_MATCH")
    named = [
        revision(rev)
        for rev in (queried, header and header.strip().removeprefix("W/").strip('"'))
        if rev
    ]
    if len(set(named)) > 1:
        raise BadRequest("`rev` and If-Match name different revisions.")
    return named[0] if named else None


def _sent_document(
    raw: bytes, *, any_value: bool
) -> tuple[dict[str, Any], dict[str, bytes] | None]:
    """The document and, where it came as multipart/related, the contents that follow it."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    if not content_type.lower().startswith("multipart/related"):
        return parse_object(raw, any_value=any_value), None
    sent = read_parts(raw, boundary_of(content_type))
    if not sent:
        raise BadRequest("The multipart body holds no document.")
    document = parse_object(sent[0].content, any_value=any_value)
    return document, assign_parts(document.get("_attachments"), sent[1:])


def _settle_identity(document: dict[str, Any], doc_id: str) -> None:
    """Bring together what the address, query, headers and body say of id and revision."""
    if document.setdefault("_id", doc_id) != doc_id:
        raise BadRequest("The document's `_id` is not the id in the address.")
    named = named_revision()
    if named is None:
        return
    own = document.get("_rev")
    if own is not None and revision(own) != named:
        raise BadRequest(REVS_DIFFER)
    document["_rev"] = named


def _destination() -> tuple[str, str | None]:
    header = request.headers.get("Destination", "")
    if "://" in header:
        raise BadRequest("Destination URL must be relative.")
    target, _, query = header.partition("?")
    if query and not query.startswith("rev="):
        raise BadRequest("Destination may have `?rev=` and nothing else after the id.")
    target_id = document_id(unquote(target))
    if target_id.startswith(LOCAL_PREFIX):
        raise BadRequest("Documents cannot be copied to _local ones.")
    return target_id, revision(unquote(query.removeprefix("rev="))) if query else None
