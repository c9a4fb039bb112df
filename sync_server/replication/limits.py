"""What one document may be.

A document over a limit is refused by itself and the others of its batch are stored. Replicators
take a 4xx of the whole request as a reason to stop and to send the same batch again, for ever; a
row that is `forbidden` they note, and go on. So what a replicator sends is `forbidden`; whoever
edits a document here gets a 413.
"""

from __future__ import annotations

from sync_server.access.refusals import LIMITS
from sync_server.errors import DocumentTooLarge
from sync_server.replication.parsing import is_deeper
from sync_server.settings import Settings
from sync_server.storage.base import RevisionWrite


def over_limit(
    write: RevisionWrite, settings: Settings, *, fault: str | None = None
) -> DocumentTooLarge | None:
    """The first limit that this document is over; None where it is within all.

    `fault`: what in it cannot be stored (see `parsing.encode_document`).
    """
    if fault is not None:
        return _too_large(_FAULTS[fault].format(write.doc_id), fault)
    if len(write.body) > settings.max_document_bytes:
        return _refusal("document_bytes", write, len(write.body), settings.max_document_bytes)
    if write.attachments:
        refused = _attachments_over_limit(write, settings)
        if refused is not None:
            return refused
    if write.revisions is not None and len(write.revisions.ids) > settings.max_revisions:
        count = len(write.revisions.ids)
        return _refusal("revisions", write, count, settings.max_revisions)
    if is_deeper(write.body, settings.max_json_depth):
        return _too_large(
            f"Document {write.doc_id} is nested deeper than {settings.max_json_depth} levels.",
            "depth",
        )
    return None


def _attachments_over_limit(write: RevisionWrite, settings: Settings) -> DocumentTooLarge | None:
    if len(write.attachments) > settings.max_attachments:
        return _refusal("attachments", write, len(write.attachments), settings.max_attachments)
    for name, sent in write.attachments.items():
        if sent.data is not None and len(sent.data) > settings.max_attachment_bytes:
            return _too_large(
                f"Attachment {name!r} of document {write.doc_id} holds {len(sent.data)} bytes, "
                f"and {settings.max_attachment_bytes} are taken: send a smaller one.",
                "attachment_bytes",
            )
    return None


_FAULTS = {
    "integers": "An integer in document {} does not fit 64 bits: send it as a string.",
    "text": "A text in document {} holds half a character: do not cut texts inside of one.",
}

_WORDS = {
    "document_bytes": ("bytes", "move what is large to attachments"),
    "attachments": ("attachments", "spread them over several documents"),
    "revisions": ("revisions of history", "compact it before it is sent"),
}


def _refusal(code: str, write: RevisionWrite, count: int, limit: int) -> DocumentTooLarge:
    what, advice = _WORDS[code]
    return _too_large(
        f"Document {write.doc_id} has {count} {what}, and {limit} are taken: {advice}.", code
    )


def _too_large(reason: str, code: str) -> DocumentTooLarge:
    return DocumentTooLarge(f"{reason} / {LIMITS[code].text_km}", code)
