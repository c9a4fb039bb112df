"""Contents of attachments in quarantine: kept once each, in pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from sync_server.errors import NotFound
from sync_server.quarantine.tables import attachments, contents

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptAttachment:
    """An attachment of an entry. A stub has no `length`; nor a `content`, until it is adopted."""

    name: str
    content_type: str
    encoding: str | None
    digest: str | None
    """`md5-<base64>`; of a stub, what it claims, if anything."""
    length: int | None
    """Bytes as sent: encoded where `encoding` is given."""
    content: str | None
    """SHA-256."""


_COLUMNS = [attachments.c[name] for name in KeptAttachment.__dataclass_fields__]


def name_of(data: bytes) -> str:
    """What a content is kept under: no client can make another with the same."""
    return hashlib.sha256(data).hexdigest()


def save(connection: Connection, content: str, data: bytes) -> None:
    """Keep a content, unless it is there."""
    known = select(contents.c.piece).where(contents.c.content == content).limit(1)
    if connection.execute(known).first() is not None:
        return
    view = memoryview(data)
    for piece, start in enumerate(range(0, max(len(data), 1), PIECE_BYTES)):
        connection.execute(
            insert(contents).values(
                content=content, piece=piece, data=bytes(view[start : start + PIECE_BYTES])
            )
        )


def of_entry(connection: Connection, entry: int) -> Sequence[KeptAttachment]:
    rows = connection.execute(
        select(*_COLUMNS).where(attachments.c.entry == entry).order_by(attachments.c.name)
    )
    return [KeptAttachment(*row) for row in rows]


def attachment(connection: Connection, entry: int, name: str) -> KeptAttachment:
    """Raises NotFound for one that is not there, and for a stub: its content never came."""
    for found in of_entry(connection, entry):
        if found.name == name and found.content is not None:
            return found
    raise NotFound("This entry has no content for an attachment of that name.")


def pieces(connection: Connection, content: str) -> Iterator[bytes]:
    rows = connection.execute(
        select(contents.c.data)
        .where(contents.c.content == content)
        .order_by(contents.c.piece)
        .execution_options(yield_per=1)
    )
    for (data,) in rows:
        yield data


def read(connection: Connection, content: str) -> bytes:
    return b"".join(pieces(connection, content))


def fill_stub(
    connection: Connection, entry: int, name: str, data: bytes, encoding: str | None
) -> None:
    """Keep what a stub was found to stand for: compaction may drop it where it was found."""
    content = name_of(data)
    save(connection, content, data)
    connection.execute(
        update(attachments)
        .where(attachments.c.entry == entry, attachments.c.name == name)
        .values(content=content, encoding=encoding)
    )
