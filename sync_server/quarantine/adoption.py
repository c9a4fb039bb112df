"""Adopting: what an author had no right to write becomes a revision in an admin's name.

    new, or made on the winner            made on something older than the winner

    1-a ── 2-b ── 3-adopted               1-a ── 2-c ── 3-adopted
    (winner) └ as it was sent                └── 2-b ── 3-ended†
                                                 └ as it was sent

The revision that was refused is stored beneath, as it was sent: the tablet that made it has it, and
finds the adopted one above it, or its branch ended as a merge ends one. Where its generation is out
of all proportion it is left out, and the content adopted alone.

What is written is decided before the step is taken, and kept with it: whoever finds a step that
storage has not seen writes the same revisions, which storage knows if they are there.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from conflict.branches import MERGED_INTO
from conflict.revision import generation
from sync_server.errors import BadRequest, MissingStub
from sync_server.quarantine.contents import KeptAttachment
from sync_server.quarantine.entries import Entry
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    DocumentState,
    Origin,
    Revision,
    Revisions,
    RevisionWrite,
)

MAX_RATIO = 200
"""Times that storage lets a gzip attachment grow."""
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The revisions that an adoption writes."""

    adopted: Revisions
    sent: Revisions | None
    """The refused revision, stored beneath or beside; None to leave it out."""
    ended: bool
    """It stands beside, and its branch ends there."""
    area: str

    def as_json(self) -> str:
        sent = list(self.sent) if self.sent else None
        return orjson.dumps([list(self.adopted), sent, self.ended, self.area]).decode()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        adopted, sent, ended, area = orjson.loads(text)
        return cls(Revisions(*adopted), sent and Revisions(*sent), ended, area)


def plan(
    database: Database, entry: Entry, sent: Revisions | None, area: str, most_generations: int
) -> Plan:
    """How to adopt an entry as its document stands now. `most_generations`: how far the refused
    revision may be above what is stored.
    """
    (stored,) = database.states([entry.doc_id])
    if entry.is_edit or (sent and not _is_near(sent, stored, most_generations)):
        sent = None
    if sent is not None and stored is not None and _is_known(database, entry.doc_id, sent.rev):
        sent = None
    if stored is None or sent is not None and stored.winner.rev in sent.revs():
        above = sent
    else:
        above = _revision(stored.winner.rev)
    beside = sent is not None and above is not sent
    return Plan(
        _child(entry, above, "adopted"),
        None if beside and entry.deleted else sent,
        beside and not entry.deleted,
        area,
    )


def _is_near(sent: Revisions, stored: DocumentState | None, most: int) -> bool:
    known = max((generation(leaf.rev) for leaf in stored.leaves), default=0) if stored else 0
    return sent.start <= known + most


def _is_known(database: Database, doc_id: str, rev: str) -> bool:
    return doc_id not in database.revs_diff({doc_id: [rev]})


def _revision(rev: str) -> Revisions:
    """A revision that storage has, its ancestry left to it."""
    return Revisions(generation(rev), [rev.partition("-")[2]])


def _child(entry: Entry, above: Revisions | None, word: str) -> Revisions:
    parent = above.rev if above else ""
    named = f"{word}\n{entry.database}\n{entry.number}\n{entry.doc_id}\n{parent}".encode()
    digest = hashlib.md5(named, usedforsecurity=False).hexdigest()
    return Revisions(above.start + 1 if above else 1, [digest, *(above.ids if above else ())])


def write(
    database: Database,
    entry: Entry,
    planned: Plan,
    body: bytes,
    attachments: Mapping[str, AttachmentWrite],
) -> None:
    """Store what was planned, in the name of who took the step; twice is as good as once."""
    writes = [
        RevisionWrite(entry.doc_id, revisions, body, entry.deleted, attachments, planned.area)
        for revisions in (planned.sent, planned.adopted)
        if revisions is not None
    ]
    if planned.ended:
        ended = _child(entry, planned.sent, "ended")
        tombstone = orjson.dumps({MERGED_INTO: planned.adopted.rev})
        writes.append(
            RevisionWrite(entry.doc_id, ended, tombstone, deleted=True, area=planned.area)
        )
    origin = Origin(entry.settled_by or "", entry.device, entry.settled_at or 0)
    for result in database.bulk_docs(writes, new_edits=False, origin=origin):
        if result.error is not None:
            raise result.error


def attachment_write(kept: KeptAttachment, data: bytes) -> AttachmentWrite:
    """Raises BadRequest for a content that storage could not take."""
    if kept.encoding not in (None, "gzip"):
        raise BadRequest(f"The attachment {kept.name!r} has an unknown encoding: return it.")
    if kept.encoding is not None and not _is_gzip(data):
        raise BadRequest(f"The attachment {kept.name!r} is damaged: return it.")
    return AttachmentWrite(kept.content_type, data, encoding=kept.encoding)


def _is_gzip(data: bytes) -> bool:
    """Whether it unpacks, and to no more than storage takes; never held unpacked."""
    inflater, left = zlib.decompressobj(zlib.MAX_WBITS | 16), MAX_RATIO * len(data) + 1024
    pending = data
    try:
        while not inflater.eof and left > 0 and (piece := inflater.decompress(pending, _PIECE)):
            left -= len(piece)
            pending = inflater.unconsumed_tail
    except zlib.error:
        return False
    return inflater.eof and left > 0


def find_stub(
    database: Database, entry: Entry, sent: Revisions | None, stub: KeptAttachment
) -> tuple[bytes, str | None]:
    """Content and encoding of what a stub stands for: the nearest ancestor's attachment of that
    name, else a leaf's of the same document with the digest that the stub claims.

    Raises MissingStub, saying which.
    """
    for revision in _holders(database, entry, sent, stub.digest is not None):
        info = revision.attachments.get(stub.name)
        if info is not None and stub.digest in (None, info.digest):
            _, opened = database.attachment(entry.doc_id, revision.rev, stub.name)
            with opened as stream:
                return stream.read(), info.encoding
    raise MissingStub(
        f"The attachment {stub.name!r} was sent as a stub, and no ancestor of this revision here "
        "has it: return the document, so that its author sends it whole."
    )


def _holders(
    database: Database, entry: Entry, sent: Revisions | None, leaves_too: bool
) -> Sequence[Revision]:
    """Stored revisions that may have an attachment of the entry's, the nearest first."""
    asked = [(entry.doc_id, rev) for rev in (sent.revs() if sent else ())]
    groups = database.bulk_get(asked)
    if leaves_too:
        groups.append(database.open_revs(entry.doc_id, None))
    return [one for group in groups for one in group if isinstance(one, Revision)]
