"""multipart/related and multipart/mixed, read and written (RFC 2046, RFC 2387).

--outer                                          multipart/mixed: one part per revision
Content-Type: multipart/related; boundary="inner"

--inner                                          multipart/related: the document first,
Content-Type: application/json                   then a part per attachment that `follows`

{"_id": …, "_attachments": {"front.jpg": {"follows": true, …}}}
--inner
Content-Disposition: attachment; filename="front.jpg"

…bytes…
--inner--
--outer--
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.http import parse_options_header

from sync_server.errors import BadRequest

MAX_PARTS = 1000
MAX_HEADER_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    headers: Mapping[str, str]
    """By name in lower case."""
    content: bytes

    @property
    def filename(self) -> str | None:
        disposition = self.headers.get("content-disposition")
        return parse_options_header(disposition)[1].get("filename") if disposition else None


def boundary_of(content_type: str) -> bytes:
    """The boundary named by a Content-Type. Raises BadRequest."""
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not 0 < len(boundary) <= 200 or not boundary.isascii():
        raise BadRequest("A multipart Content-Type needs a `boundary`.")
    return boundary.encode()


def read_parts(body: bytes, boundary: bytes) -> list[Part]:
    """The parts of a multipart body. Raises BadRequest where it is malformed or cut off."""
    delimiter = b"\r\n--" + boundary
    position = _after_first(body, delimiter)
    parts: list[Part] = []
    while not body.startswith(b"--", position):
        start = _end_of_line(body, position)
        end = body.find(delimiter, max(start - 2, position))
        if end < 0:
            raise BadRequest("The multipart body ended before its closing boundary.")
        if len(parts) >= MAX_PARTS:
            raise BadRequest(f"A multipart body may have {MAX_PARTS} parts at most.")
        parts.append(_part(body, start, end))
        position = end + len(delimiter)
    return parts


def _after_first(body: bytes, delimiter: bytes) -> int:
    if body.startswith(delimiter[2:]):
        return len(delimiter) - 2
    found = body.find(delimiter)
    if found < 0:
        raise BadRequest("The multipart body does not hold its boundary.")
    return found + len(delimiter)


def _end_of_line(body: bytes, position: int) -> int:
    end = body.find(b"\r\n", position)
    if end < 0 or body[position:end].strip(b" \t"):
        raise BadRequest("A boundary of the multipart body is not alone on its line.")
    return end + 2


def _part(body: bytes, start: int, end: int) -> Part:
    if body.startswith(b"\r\n", start):
        return Part({}, body[start + 2 : end])
    blank = body.find(b"\r\n\r\n", start, end)
    if not 0 <= blank - start <= MAX_HEADER_BYTES:
        raise BadRequest("A part of the multipart body has no end of headers.")
    lines = body[start:blank].decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Part(
        {name.strip().lower(): value.strip() for name, _, value in pairs}, body[blank + 4 : end]
    )


def assign_parts(described: Any, parts: Sequence[Part]) -> dict[str, bytes]:
    """Contents by attachment name: parts matched by file name, then digest, then order.

    Couchbase Lite names its parts, CouchDB before 1.6 sends them bare and in order. Raises
    BadRequest where a part is missing, left over, or not as long as it was said to be.
    """
    waiting = {
        name: value
        for name, value in (described.items() if isinstance(described, dict) else ())
        if isinstance(value, dict) and value.get("follows")
    }
    left = list(parts)
    found: dict[str, bytes] = {}
    for matches in (_by_filename, _by_digest, _by_order):
        for part in list(left):
            name = matches(part, waiting)
            if name is not None:
                _check_length(name, waiting.pop(name), part)
                found[name] = part.content
                left.remove(part)
    if waiting or left:
        raise BadRequest(
            "The parts of the multipart body do not match the attachments that follow: "
            f"{len(waiting)} without a part, {len(left)} parts without an attachment."
        )
    return found


def _by_filename(part: Part, waiting: Mapping[str, Any]) -> str | None:
    return part.filename if part.filename in waiting else None


def _by_digest(part: Part, waiting: Mapping[str, Any]) -> str | None:
    if part.filename is not None or not waiting:
        return None
    md5 = hashlib.md5(part.content, usedforsecurity=False).digest()
    digest = "md5-" + b64encode(md5).decode()
    return next((name for name, value in waiting.items() if value.get("digest") == digest), None)


def _by_order(part: Part, waiting: Mapping[str, Any]) -> str | None:
    return next(iter(waiting), None) if part.filename is None else None


def _check_length(name: str, described: Mapping[str, Any], part: Part) -> None:
    sent = described.get("encoded_length") if described.get("encoding") else None
    expected = sent if sent is not None else described.get("length")
    if expected is not None and expected != len(part.content):
        raise BadRequest(
            f"Attachment {name!r} was said to have {expected!r} bytes, its part has "
            f"{len(part.content)}."
        )


# -- writing -------------------------------------------------------------------


def new_boundary() -> str:
    return secrets.token_hex(16)


def part_head(boundary: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The start of a part: its content comes next, with nothing between."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"\r\n--{boundary}\r\n{lines}\r\n".encode()


def closing(boundary: str) -> bytes:
    return f"\r\n--{boundary}--".encode()


def without_leading_break(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks of a multipart body, which starts with a boundary and not with a line break."""
    first = next(chunks)
    yield first[2:]
    yield from chunks


def quoted_filename(name: str) -> str:
    """The name as a quoted-string of a header."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(char for char in escaped if char >= " " and char != "\x7f")
