"""Attachments by themselves: read with ranges, put on a revision, removed from one."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from flask import Blueprint, Response, request

from sync_server.errors import (
    Conflict,
    NotFound,
    RangeNotSatisfiable,
    UnsupportedMediaType,
)
from sync_server.replication.bodies import CHUNK_BYTES, IN_MEMORY_BYTES, request_body
from sync_server.replication.documents import name_design_document
from sync_server.replication.editing import named_revision, parent, saved
from sync_server.replication.identifiers import document_id
from sync_server.replication.incoming import attachment_name, made_here
from sync_server.replication.rendering import decoded
from sync_server.replication.reserved import is_reserved
from sync_server.replication.revision_parts import header_safe
from sync_server.replication.surroundings import open_database, parts
from sync_server.storage.base import (
    AttachmentInfo,
    AttachmentWrite,
    Database,
    Revision,
    RevisionWrite,
)

blueprint = Blueprint("replication_attachments", __name__)
blueprint.url_value_preprocessor(name_design_document)

MISSING = "Document is missing attachment"


@blueprint.get("/<db:name>/_design/<docid:design>/<attname:attachment>")
@blueprint.get("/<db:name>/<docid:doc_id>/<attname:attachment>")
def show(name: str, doc_id: str, attachment: str) -> Response:
    database, _ = open_database(name)
    _check_document(doc_id)
    info, opened = database.attachment(doc_id, named_revision(), attachment)
    etag = f'"{info.digest.removeprefix("md5-")}"'
    if etag in request.environ.get("HTTP_IF_NONE_MATCH", ""):
        return Response(status=304, headers={"ETag": etag})
    with opened as stream:
        file, size, encoding = _content(info, stream)
    headers = {
        "ETag": etag,
        "Cache-Control": "must-revalidate",
        "Content-Type": header_safe(info.content_type),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "none" if info.encoding else "bytes",
    }
    if info.encoding:
        headers["Vary"] = "Accept-Encoding"
    if encoding:
        headers["Content-Encoding"] = encoding
    asked = None if info.encoding else _range(size, etag)
    if asked is not None:
        headers["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{size}"
    span = asked or range(size)
    headers["Content-Length"] = str(len(span))
    status = 200 if asked is None else 206
    return Response(_slices(file, span), status, headers, direct_passthrough=True)


@blueprint.put("/<db:name>/_design/<docid:design>/<attname:attachment>")
@blueprint.put("/<db:name>/<docid:doc_id>/<attname:attachment>")
def save(name: str, doc_id: str, attachment: str) -> Response:
    """A new revision with this attachment, on the one named by `rev` or If-Match."""
    database, sender = open_database(name)
    _check_document(doc_id)
    attachment_name(attachment)
    rev = named_revision()
    encoding = _sent_encoding()
    with request_body(inflate=False) as content:
        content_type = request.environ.get("CONTENT_TYPE") or "application/octet-stream"
        held = _held(database, doc_id, rev)
        attachments = _stubs(held)
        attachments[attachment] = AttachmentWrite(
            content_type, content, _sent_digest(), encoding=encoding
        )
        body = held.body if held else b"{}"
        write = RevisionWrite(doc_id, parent(rev), body, False, attachments)
        response = saved(database, sender, made_here(write, parts().settings))
    response.headers["Location"] = request.base_url
    return response


@blueprint.delete("/<db:name>/_design/<docid:design>/<attname:attachment>")
@blueprint.delete("/<db:name>/<docid:doc_id>/<attname:attachment>")
def delete(name: str, doc_id: str, attachment: str) -> Response:
    """A new revision without this attachment."""
    database, sender = open_database(name)
    _check_document(doc_id)
    rev = named_revision()
    held = database.get(doc_id) if rev is None else _held(database, doc_id, rev)
    if held is None or attachment not in held.attachments:
        raise NotFound(MISSING)
    attachments = _stubs(held)
    del attachments[attachment]
    write = RevisionWrite(doc_id, parent(rev), held.body, False, attachments)
    response = saved(database, sender, made_here(write, parts().settings))
    response.status_code = 200
    return response


def _check_document(doc_id: str) -> None:
    if is_reserved(doc_id):
        raise NotFound("There is nothing at this address.")
    document_id(doc_id)


def _sent_encoding() -> str | None:
    encoding = str(request.environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding != "gzip":
        raise UnsupportedMediaType("Only gzip and identity content-encodings are supported.")
    return encoding


def _sent_digest() -> str | None:
    """What the client says the content's MD5 is: one that arrives damaged is refused."""
    md5 = str(request.environ.get("HTTP_CONTENT_MD5", "")).strip()
    return f"md5-{md5}" if md5 else None


def _held(database: Database, doc_id: str, rev: str | None) -> Revision | None:
    """The revision that is edited; None for a document that is not there and none was named."""
    if rev is None:
        return None
    try:
        return database.get(doc_id, rev)
    except NotFound:
        raise Conflict() from None


def _stubs(held: Revision | None) -> dict[str, AttachmentWrite]:
    return {
        name: AttachmentWrite(info.content_type, None, info.digest, info.revpos)
        for name, info in (held.attachments.items() if held else ())
    }


def _content(info: AttachmentInfo, stream: BinaryIO) -> tuple[BinaryIO, int, str | None]:
    """A copy of the content, its size, and the encoding it goes out with.

    A link may take minutes to carry it: the copy lets the database go at once.
    """
    spool = cast(BinaryIO, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115
    accepts = "gzip" in request.environ.get("HTTP_ACCEPT_ENCODING", "").lower()
    if info.encoding and not accepts:
        size = spool.write(decoded(info, stream.read()))
        return spool, size, None
    size = 0
    while chunk := stream.read(CHUNK_BYTES):
        size += spool.write(chunk)
    return spool, size, info.encoding


def _range(size: int, etag: str) -> range | None:
    """The bytes that a single-range request asks for; None for all of them.

    Several ranges at once are answered with the whole, as RFC 9110 lets a server do.
    """
    if request.environ.get("HTTP_IF_RANGE", etag) != etag:
        return None
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    bounds = asked.range_for_length(size)
    if bounds is None:
        raise RangeNotSatisfiable()
    start, stop = bounds
    return range(start, stop)


def _slices(file: BinaryIO, span: range) -> Iterator[bytes]:
    with file:
        file.seek(span.start)
        left = len(span)
        while left and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
