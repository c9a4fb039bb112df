"""Revisions as parts of a multipart response: the document first, then its attachments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Response

from sync_server.replication.multipart import (
    closing,
    new_boundary,
    part_head,
    quoted_filename,
    without_leading_break,
)
from sync_server.replication.rendering import (
    DocumentView,
    attachment_content,
    document_json,
    sent_length,
    shows_content,
    stream_response,
)
from sync_server.storage.base import Database, Revision

_JSON_PART = [("Content-Type", "application/json")]


def following(view: DocumentView) -> DocumentView:
    """The view with contents as parts, as they are stored, instead of inline."""
    return replace(view, attachments=True, follows=True, att_encoding_info=True)


def related_response(
    revision: Revision, view: DocumentView, database: Database, extra: Mapping[str, Any] | None
) -> Response:
    """One revision as multipart/related."""
    boundary = new_boundary()
    chunks = _related(revision, following(view), database, boundary, extra)
    return stream_response(
        without_leading_break(chunks), f'multipart/related; boundary="{boundary}"'
    )


def mixed_response(parts: Iterable[bytes], boundary: str) -> Response:
    """Parts made by `revision_part` and `error_part` as multipart/mixed."""

    def chunks() -> Iterator[bytes]:
        yield from parts
        yield closing(boundary)

    return stream_response(
        without_leading_break(chunks()), f'multipart/mixed; boundary="{boundary}"'
    )


def revision_part(
    revision: Revision,
    view: DocumentView,
    database: Database,
    boundary: str,
    *,
    identified: bool = False,
) -> Iterator[bytes]:
    """A revision as a part of multipart/mixed: JSON, or multipart/related with attachments.

    `identified` adds the X-Doc-Id and X-Rev-Id headers that `_bulk_get` has.
    """
    headers = _identity(revision) if identified else []
    shown = following(view)
    if not _contents(revision, shown):
        yield part_head(boundary, [*headers, *_JSON_PART])
        yield document_json(revision, shown, database)
        return
    inner = new_boundary()
    content_type = ("Content-Type", f'multipart/related; boundary="{inner}"')
    yield part_head(boundary, [*headers, content_type])
    yield from without_leading_break(_related(revision, shown, database, inner, None))


def error_part(error_json: bytes, boundary: str) -> bytes:
    return part_head(boundary, [("Content-Type", 'application/json; error="true"')]) + error_json


def _identity(revision: Revision) -> list[tuple[str, str]]:
    printable = "".join(char for char in revision.doc_id if char >= " " and char != "\x7f")
    return [("X-Doc-Id", printable), ("X-Rev-Id", revision.rev)]


def _contents(revision: Revision, view: DocumentView) -> list[str]:
    return [n for n, info in revision.attachments.items() if shows_content(revision, info, view)]


def _related(
    revision: Revision,
    view: DocumentView,
    database: Database,
    boundary: str,
    extra: Mapping[str, Any] | None,
) -> Iterator[bytes]:
    yield part_head(boundary, _JSON_PART)
    yield document_json(revision, view, database, extra)
    for name in _contents(revision, view):
        info = revision.attachments[name]
        headers = [
            ("Content-Disposition", f'attachment; filename="{quoted_filename(name)}"'),
            ("Content-Type", header_safe(info.content_type)),
            ("Content-Length", str(sent_length(info, view))),
        ]
        if info.encoding:
            headers.append(("Content-Encoding", info.encoding))
        yield part_head(boundary, headers)
        yield attachment_content(revision, name, view, database)
    yield closing(boundary)


def header_safe(content_type: str) -> str:
    """The type as a header can carry it; a client may have stored any text under that name."""
    if content_type.isascii() and content_type.isprintable() and content_type:
        return content_type
    return "application/octet-stream"
