"""`_local` documents: checkpoints and what else a client keeps for itself here.

As in CouchDB 3 the last write wins and the answer's revision is one above the one that was sent;
clients differ in whether they send one. Each account and device has a namespace of its own.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from flask import Blueprint, Response, request

from sync_server.access.accounts import Account
from sync_server.errors import BadRequest, DocumentInvalid, DocumentTooLarge
from sync_server.replication import parameters
from sync_server.replication.bodies import TELL, json_value
from sync_server.replication.identifiers import LOCAL_PREFIX, document_id
from sync_server.replication.noting import Checkpoint, note_checkpoint, read_checkpoint
from sync_server.replication.parsing import encode_document
from sync_server.replication.rendering import json_response, quoted
from sync_server.replication.surroundings import local_owner, open_database, parts
from sync_server.storage.base import Database, LocalDocument

blueprint = Blueprint("replication_local", __name__)

NO_ATTACHMENTS = "_local documents do not accept attachments."

_LOCAL_REV = re.compile(r"0-[0-9]{1,15}\Z").match

_KNOWN = frozenset(("_id", "_rev", "_revisions", "_deleted"))


@blueprint.get("/<db:name>/_local/<docid:local_id>")
def show(name: str, local_id: str) -> Response:
    database, reader = open_database(name)
    document_id(LOCAL_PREFIX + local_id)
    return json_response(_json(database.get_local(local_owner(reader), local_id)))


@blueprint.put("/<db:name>/_local/<docid:local_id>")
def save(name: str, local_id: str) -> Response:
    database, sender = open_database(name)
    with json_value() as document:
        if type(document) is dict and "rev" in request.args:
            document.setdefault("_rev", request.args["rev"])
        write = read_local(document, local_id)
    return _saved(local_id, store(database, sender, write), 200 if write.deleted else 201)


@blueprint.delete("/<db:name>/_local/<docid:local_id>")
def delete(name: str, local_id: str) -> Response:
    database, sender = open_database(name)
    document_id(LOCAL_PREFIX + local_id)
    database.delete_local(local_owner(sender), local_id)
    return _saved(local_id, "0-0", 200)


@blueprint.route("/<db:name>/_local", methods=["GET", "PUT", "POST", "DELETE"])
def no_id(name: str) -> Response:
    open_database(name)
    raise BadRequest("Invalid _local document id.")


@blueprint.route(
    "/<db:name>/_local/<docid:local_id>/<attname:attachment>", methods=["GET", "PUT", "DELETE"]
)
def no_attachments(name: str, local_id: str, attachment: str) -> Response:
    open_database(name)
    raise BadRequest(NO_ATTACHMENTS)


@blueprint.route("/<db:name>/_local_docs", methods=["GET", "POST"])
def local_docs(name: str) -> Response:
    """The asking account's and device's own local documents, by id."""
    database, reader = open_database(name)
    wants_body = parameters.flag("include_docs")
    if request.method == "POST":
        with json_value() as query:
            if isinstance(query, dict) and "include_docs" in query:
                wants_body = parameters.as_flag("include_docs", query["include_docs"])
    rows = [_row(document, wants_body) for document in database.local_docs(local_owner(reader))]
    return json_response(b'{"total_rows":null,"offset":null,"rows":[' + b",".join(rows) + b"]}")


class LocalWrite(NamedTuple):
    """A local document as it was sent."""

    local_id: str
    rev: str | None
    deleted: bool
    body: bytes
    checkpoint: Checkpoint | None = None


def read_local(document: Any, local_id: str) -> LocalWrite:
    """The write that a local document means. Raises BadRequest and its kin."""
    document_id(LOCAL_PREFIX + local_id)
    return LocalWrite(local_id, *_split(document), read_checkpoint(document))


def store(database: Database, sender: Account, write: LocalWrite) -> str:
    """Keep or delete it; answers its new revision. Raises NotFound for nothing to delete."""
    owner = local_owner(sender)
    if write.deleted:
        database.delete_local(owner, write.local_id)
        return "0-0"
    keep = parts().settings.max_local_documents
    rev = database.put_local(owner, write.local_id, write.rev, write.body, keep=keep)
    if write.checkpoint is not None:
        note_checkpoint(database, sender, write.checkpoint)
    return rev


def _split(document: Any) -> tuple[str | None, bool, bytes]:
    """Revision, deletion and body of a local document. `_revisions` is not kept."""
    if type(document) is not dict:
        raise BadRequest("Document must be a JSON object")
    special = {key: document.pop(key) for key in [k for k in document if k[:1] == "_"]}
    if special.get("_attachments"):
        raise BadRequest(NO_ATTACHMENTS)
    unknown = special.keys() - _KNOWN - {"_attachments"}
    if unknown:
        raise DocumentInvalid(f"Bad special document member: {min(unknown)}")
    body, fault = encode_document(document)
    if fault is not None:
        raise BadRequest("A local document holds an integer beyond 64 bits, or half a character.")
    limit = parts().settings.max_local_bytes
    if len(body) > limit:
        raise DocumentTooLarge(f"A local document may hold {limit} bytes at most. {TELL}")
    return _revision(special.get("_rev")), special.get("_deleted") is True, body


def _revision(value: Any) -> str | None:
    if value is None or (type(value) is str and _LOCAL_REV(value)):
        return value
    raise BadRequest("The `_rev` of a local document is 0-N.")


def _json(document: LocalDocument) -> bytes:
    head = f'{{"_id":{quoted(LOCAL_PREFIX + document.doc_id)},"_rev":"{document.rev}"'.encode()
    return head + b"}" if document.body == b"{}" else b"%b,%b" % (head, document.body[1:])


def _row(document: LocalDocument, wants_body: bool) -> bytes:
    key = quoted(LOCAL_PREFIX + document.doc_id)
    row = f'{{"id":{key},"key":{key},"value":{{"rev":"{document.rev}"}}'.encode()
    return row + (b',"doc":%b}' % _json(document) if wants_body else b"}")


def _saved(local_id: str, rev: str, status: int) -> Response:
    return json_response({"ok": True, "id": LOCAL_PREFIX + local_id, "rev": rev}, status)
