"""`_bulk_docs`: many documents written in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from sync_server.access.accounts import Account
from sync_server.errors import BadRequest, RequestTooLarge, SyncError
from sync_server.replication import local
from sync_server.replication.admission import admit
from sync_server.replication.bodies import TELL, json_object
from sync_server.replication.identifiers import LOCAL_PREFIX
from sync_server.replication.incoming import Incoming, read_document
from sync_server.replication.local import LocalWrite, read_local
from sync_server.replication.noting import note_push
from sync_server.replication.rendering import error_row, json_response
from sync_server.replication.surroundings import open_database, parts
from sync_server.settings import Settings
from sync_server.storage.base import Database, WriteResult

blueprint = Blueprint("replication_bulk_docs", __name__)

Row = dict[str, Any]


@blueprint.post("/<db:name>/_bulk_docs")
def bulk_docs(name: str) -> Response:
    """Every document is checked before any is stored: a malformed one refuses the batch, one over
    a limit or that its sender may not write is refused alone.

    With `new_edits: false` the answer holds errors only; `[]` is all well.
    """
    database, sender = open_database(name)
    with json_object(any_value=True) as payload:
        settings = parts().settings
        documents, new_edits = _documents(payload, settings.max_batch_documents)
        writes = [_read(document, settings, new_edits) for document in documents]
        results = _store(database, sender, writes, new_edits)
        note_push(sender, results, documents)
    if new_edits:
        return json_response([_row(result) for result in results], 201)
    return json_response([_row(result) for result in results if result.error], 201)


def _read(document: Any, settings: Settings, new_edits: bool) -> Incoming | LocalWrite:
    if type(document) is dict:
        doc_id = document.get("_id")
        if type(doc_id) is str and doc_id.startswith(LOCAL_PREFIX):
            return read_local(document, doc_id.removeprefix(LOCAL_PREFIX))
        if doc_id is None and new_edits:
            document["_id"] = secrets.token_hex(16)
    return read_document(document, settings, new_edits=new_edits)


def _documents(payload: Row, limit: int) -> tuple[list[Any], bool]:
    documents, new_edits = payload.get("docs"), payload.get("new_edits", True)
    if documents is None:
        raise BadRequest("POST body must include `docs` parameter.")
    if type(documents) is not list:
        raise BadRequest("`docs` parameter must be an array.")
    if len(documents) > limit:
        raise RequestTooLarge(f"Send {limit} documents at most at once. {TELL}")
    if type(new_edits) is not bool:
        raise BadRequest("`new_edits` parameter must be a boolean.")
    return documents, new_edits


def _store(
    database: Database,
    sender: Account,
    writes: Sequence[Incoming | LocalWrite],
    new_edits: bool,
) -> list[WriteResult]:
    """Results in the order of the writes; local documents never go to the revision store."""
    documents = [write for write in writes if not isinstance(write, LocalWrite)]
    results = iter(admit(database, sender, documents, new_edits=new_edits, is_batch=True))
    return [
        _store_local(database, sender, write) if isinstance(write, LocalWrite) else next(results)
        for write in writes
    ]


def _store_local(database: Database, sender: Account, write: LocalWrite) -> WriteResult:
    doc_id = LOCAL_PREFIX + write.local_id
    try:
        return WriteResult(doc_id, local.store(database, sender, write))
    except SyncError as error:
        return WriteResult(doc_id, None, error)


def _row(result: WriteResult) -> Row:
    if result.error is not None:
        return error_row(result.doc_id, result.rev, result.error, with_rev=result.rev is not None)
    return {"ok": True, "id": result.doc_id, "rev": result.rev}
