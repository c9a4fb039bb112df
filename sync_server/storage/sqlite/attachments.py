"""Contents of attachments: one row per document and digest, shared by its revisions."""

from __future__ import annotations

import hashlib
import io
import sqlite3
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from conflict.revision_tree import RevisionTree
from sync_server.errors import BadRequest, MissingStub, NotFound
from sync_server.storage.base import AttachmentInfo, AttachmentWrite
from sync_server.storage.sqlite import records
from sync_server.storage.sqlite.connections import Connections

MAX_RATIO = 200
"""A gzip-encoded attachment that grows more than this is refused: nobody's photo does."""

MAX_DECODED_BYTES = 64 * 1024 * 1024
"""And one that grows beyond this: whoever does not take gzip gets it decoded."""

_PIECE = 256 * 1024


def digest_of(content: bytes) -> str:
    """`md5-<base64>`, as the protocol names contents."""
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return "md5-" + b64encode(md5).decode()


def describe(write: AttachmentWrite, generation: int) -> AttachmentInfo:
    """Metadata of an attachment sent with its content. Raises BadRequest."""
    content = write.data or b""
    digest = digest_of(content)
    if write.digest is not None and write.digest.startswith("md5-") and write.digest != digest:
        raise BadRequest(f"An attachment's content does not match its digest {write.digest}.")
    revpos = min(write.revpos or generation, generation)
    if write.encoding is None:
        return AttachmentInfo(write.content_type, digest, len(content), revpos)
    if write.encoding != "gzip":
        raise BadRequest(f"Attachment encoding {write.encoding!r} is not known: send gzip or none.")
    length = _inflated_length(content)
    return AttachmentInfo(write.content_type, digest, length, revpos, "gzip", len(content))


def _inflated_length(content: bytes) -> int:
    """Counted piece by piece: nobody has to hold a bomb to find out that it is one."""
    inflate = zlib.decompressobj(wbits=31)
    limit = min(MAX_RATIO * len(content) + 1024, MAX_DECODED_BYTES)
    length = 0
    try:
        for piece in _inflated(inflate, content):
            length += len(piece)
            if length > limit:
                break
    except zlib.error as error:
        raise BadRequest("An attachment is marked gzip but is not gzip data.") from error
    if length > limit or not inflate.eof:
        raise BadRequest("An attachment is marked gzip but is cut off, or inflates too far.")
    return length


def _inflated(inflate: Any, content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        pending = content[start : start + _PIECE]
        while pending and not inflate.eof:
            yield inflate.decompress(pending, _PIECE)
            pending = inflate.unconsumed_tail


def resolve_stub(
    connection: sqlite3.Connection,
    tree: RevisionTree,
    parent: str | None,
    name: str,
    stub: AttachmentWrite,
) -> AttachmentInfo:
    """What a stub stands for: the nearest ancestor's attachment of that name (and digest).

    Only ancestors of the same document count: a digest that resolved across documents would
    tell a client what others have stored. Raises MissingStub.
    """
    for rev in tree.ancestry(parent) if parent is not None and parent in tree else ():
        body = tree.nodes[rev].body
        if body is None:
            continue
        (text,) = connection.execute(
            "SELECT attachments FROM body WHERE number = ?", (body,)
        ).fetchone()
        info = records.load_attachments(text).get(name) if text else None
        if info is not None and stub.digest in (None, info.digest):
            return info
    raise MissingStub(
        f"The attachment {name!r} was sent as a stub, but no ancestor of this revision here"
        " has it: send its data."
    )


def save(connection: sqlite3.Connection, document: int, contents: Mapping[str, bytes]) -> None:
    """Keep contents by digest; one that the document has already is not stored twice."""
    connection.executemany(
        "INSERT INTO attachment (document, digest, content) VALUES (?, ?, ?)"
        " ON CONFLICT (document, digest) DO NOTHING",
        [(document, digest, content) for digest, content in contents.items()],
    )


def drop_unused(connection: sqlite3.Connection, document: int, used: set[str]) -> None:
    for number, digest in connection.execute(
        "SELECT number, digest FROM attachment WHERE document = ?", (document,)
    ).fetchall():
        if digest not in used:
            connection.execute("DELETE FROM attachment WHERE number = ?", (number,))


class Content(io.RawIOBase):
    """A stored content as a seekable stream.

    Each read opens the row anew: a client may take minutes over one photo, and a transaction
    held for so long would keep the write-ahead log from being emptied.
    """

    def __init__(self, connections: Connections, number: int, length: int) -> None:
        super().__init__()
        self._connections = connections
        self._number = number
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._length if size < 0 else min(self._length, self._position + size)
        if end <= self._position:
            return b""
        with (
            self._connections.read() as connection,
            connection.blobopen("attachment", "content", self._number, readonly=True) as blob,
        ):
            blob.seek(self._position)
            data = blob.read(end - self._position)
        self._position = end
        return data

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def stream(
    connection: sqlite3.Connection, connections: Connections, document: int, digest: str
) -> BinaryIO:
    """A content of a document. Raises NotFound."""
    row = connection.execute(
        "SELECT number, length(content) FROM attachment WHERE document = ? AND digest = ?",
        (document, digest),
    ).fetchone()
    if row is None:
        raise NotFound("missing")
    return cast(BinaryIO, Content(connections, *row))
