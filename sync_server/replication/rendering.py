"""Responses: stored JSON is spliced into them as the bytes it is, never parsed again."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response

from sync_server.errors import NotFound, SyncError
from sync_server.replication.identifiers import split_revision
from sync_server.replication.lean_flask import WholeResponse
from sync_server.replication.surroundings import in_turns, while_allowed
from sync_server.storage.base import AttachmentInfo, Database, Leaf, Revision, Revisions

WHOLE_BYTES = 1024 * 1024
"""Up to this size an answer is made before it is sent: its length is known, and so are errors."""

JSON_HEADERS = [("Content-Type", "application/json"), ("Cache-Control", "must-revalidate")]


def json_response(
    value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """The value as JSON; bytes are JSON already."""
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return WholeResponse(body + b"\n", status, [*JSON_HEADERS, *headers])


def stream_response(
    chunks: Iterator[bytes],
    content_type: str = "application/json",
    status: int = 200,
    *,
    waits: bool = False,
) -> Response:
    """A response whose chunks are sent as they are made, each in its device's turn.

    `waits`: they are made when something happens, and take no turn.
    """
    headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "must-revalidate"),
        ("X-Accel-Buffering", "no"),
    ]
    body = chunks if waits else in_turns(while_allowed(chunks))
    return Response(body, status, headers, direct_passthrough=True)


def parts_response(parts: Iterator[bytes]) -> Response:
    """JSON made of parts: sent as a whole where it is small, as it is made where it is large.

    What is raised while it is small becomes the answer.
    """
    first, size = [], 0
    for part in parts:
        first.append(part)
        size += len(part)
        if size > WHOLE_BYTES:
            return stream_response(_resumed(b"".join(first), parts))
    return json_response(b"".join(first))


def started(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, the first of them made now: what it raises becomes the answer."""
    first = next(parts, b"")
    return _resumed(first, parts)


def _resumed(first: bytes, parts: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from parts


def comma_separated(items: Iterable[bytes]) -> Iterator[bytes]:
    """The items with commas between."""
    separator = b""
    for item in items:
        yield separator + item
        separator = b","


def error_row(
    doc_id: str, rev: str | None, error: SyncError, *, with_rev: bool = True
) -> dict[str, Any]:
    """An error as a row among results."""
    row: dict[str, Any] = {"id": doc_id}
    if with_rev:
        row["rev"] = rev
    return {**row, "error": error.error, "reason": error.reason}


@dataclass(frozen=True, slots=True)
class DocumentView:
    """Which members that start with an underscore a document is shown with."""

    revisions: bool = False
    attachments: bool = False
    """Contents inline, in base64; else stubs."""
    atts_since: Sequence[str] | None = None
    """Contents only of attachments that are newer than each of these revisions."""
    att_encoding_info: bool = False
    follows: bool = False
    """Contents follow as parts of a multipart body instead of inline."""

    @property
    def wants_contents(self) -> bool:
        return self.attachments or self.atts_since is not None


PLAIN = DocumentView()


def quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def document_json(
    revision: Revision,
    view: DocumentView = PLAIN,
    database: Database | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """The document as JSON: `_id`, `_rev`, what `view` and `extra` add, then its own body.

    `database` is needed where the view shows contents of attachments.
    """
    head = f'{{"_id":{quoted(revision.doc_id)},"_rev":"{revision.rev}"'
    if revision.deleted:
        head += ',"_deleted":true'
    if view.revisions:
        head += revisions_member(revision.revisions)
    if extra:
        head += "," + orjson.dumps(extra).decode()[1:-1]
    if revision.attachments:
        head += f',"_attachments":{_attachments(revision, view, database)}'
    body = revision.body
    if body == b"{}":
        return head.encode() + b"}"
    return b"%b,%b" % (head.encode(), body[1:])


def revisions_member(revisions: Revisions) -> str:
    ids = '","'.join(revisions.ids)
    return f',"_revisions":{{"start":{revisions.start},"ids":["{ids}"]}}'


def conflicts_of(leaves: Sequence[Leaf], shown: str) -> dict[str, list[str]]:
    """Live leaves besides the one that is shown, and deleted ones."""
    others = [leaf for leaf in leaves if leaf.rev != shown]
    return {
        "_conflicts": [leaf.rev for leaf in others if not leaf.deleted],
        "_deleted_conflicts": [leaf.rev for leaf in others if leaf.deleted],
    }


def _attachments(revision: Revision, view: DocumentView, database: Database | None) -> str:
    members = (
        f"{quoted(name)}:{_attachment(revision, name, info, view, database)}"
        for name, info in revision.attachments.items()
    )
    return "{" + ",".join(members) + "}"


def _attachment(
    revision: Revision,
    name: str,
    info: AttachmentInfo,
    view: DocumentView,
    database: Database | None,
) -> str:
    known: dict[str, Any] = {
        "content_type": info.content_type,
        "revpos": info.revpos,
        "digest": info.digest,
    }
    if view.att_encoding_info and info.encoding:
        known["encoding"] = info.encoding
    if not shows_content(revision, info, view):
        known.update(length=info.length, stub=True)
        if view.att_encoding_info and info.encoding:
            known["encoded_length"] = info.encoded_length
        return orjson.dumps(known).decode()
    if view.follows:
        known.update(length=sent_length(info, view), follows=True)
        if view.att_encoding_info and info.encoding:
            known.update(length=info.length, encoded_length=info.encoded_length)
        return orjson.dumps(known).decode()
    assert database is not None
    content = base64.b64encode(attachment_content(revision, name, view, database)).decode()
    return f'{orjson.dumps(known).decode()[:-1]},"data":"{content}"}}'


def shows_content(revision: Revision, info: AttachmentInfo, view: DocumentView) -> bool:
    """Whether the view holds this attachment's content, not a stub of it.

    With `atts_since`, what came with a generation above all of the given revisions that are
    ancestors; a client that has one of them has the older attachments.
    """
    if view.atts_since is None:
        return view.attachments
    start, ids = revision.revisions
    held = 0
    for known in view.atts_since:
        generation, rev_id = split_revision(known)
        offset = start - generation
        if 0 <= offset < len(ids) and ids[offset] == rev_id:
            held = max(held, generation)
    return info.revpos > held


def sent_length(info: AttachmentInfo, view: DocumentView) -> int:
    """Bytes of a content as this view sends it: encoded only for who asked to know."""
    if info.encoding and view.att_encoding_info and info.encoded_length is not None:
        return info.encoded_length
    return info.length


def attachment_content(
    revision: Revision, name: str, view: DocumentView, database: Database
) -> bytes:
    """Raises NotFound where it was compacted away since the revision was read."""
    info, opened = database.attachment(revision.doc_id, revision.rev, name)
    with opened as stream:
        content = stream.read()
    return content if view.att_encoding_info else decoded(info, content)


def decoded(info: AttachmentInfo, content: bytes) -> bytes:
    """The content without its encoding."""
    if info.encoding is None:
        return content
    try:
        return zlib.decompress(content, zlib.MAX_WBITS | 16)
    except zlib.error:
        raise NotFound("The attachment's content cannot be decoded.") from None
