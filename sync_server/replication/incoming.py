"""Documents as clients send them, made into the writes that storage takes."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from sync_server.errors import BadRequest, DocumentInvalid, DocumentTooLarge
from sync_server.replication.identifiers import ancestry, document_id
from sync_server.replication.limits import over_limit
from sync_server.replication.parsing import encode_document, parse_object, without_halves
from sync_server.settings import Settings
from sync_server.storage.base import NO_ATTACHMENTS, AttachmentWrite, Revisions, RevisionWrite

_KNOWN = frozenset(
    (
        "_id",
        "_rev",
        "_revisions",
        "_deleted",
        "_attachments",
        # Given by reads and meaningless in writes: clients send them back unasked.
        "_revs_info",
        "_local_seq",
        "_conflicts",
        "_deleted_conflicts",
    )
)

_OWN = frozenset(("_id", "_rev", "_revisions", "_deleted"))
"""Those whose values are looked at as they are read; the others are kept as they came."""

ANCESTRY_NEEDED = (
    "With `new_edits: false` a document needs `_rev` or `_revisions`: it names its own revision."
)

Parts = Mapping[str, bytes]
"""Contents by attachment name, of a document that came as multipart/related."""


class Incoming(NamedTuple):
    """A document as it was sent, and the write that it means."""

    write: RevisionWrite
    fields: Mapping[str, Any]
    """Its content, to be judged by: the members that do not start with an underscore."""
    special: Mapping[str, Any]
    """The members that do; contents of attachments left out."""
    over: DocumentTooLarge | None = None
    """The limit that it is over, if it is."""


def read_document(
    document: Any,
    settings: Settings,
    *,
    new_edits: bool,
    doc_id: str | None = None,
    contents: Parts | None = None,
) -> Incoming:
    """The write that a document means. The document's underscore members are taken out of it.

    `doc_id` stands for a missing `_id`. Raises DocumentInvalid, BadRequest or IllegalDocumentId,
    each saying which document.
    """
    if type(document) is not dict:
        raise BadRequest("A document must be a JSON object.")
    special = _take_special(document)
    doc_id = document_id(special.get("_id", doc_id))
    deleted = special.get("_deleted", False)
    if type(deleted) is not bool:
        raise DocumentInvalid(f"`_deleted` of {doc_id} must be true or false.")
    attachments = read_attachments(special.get("_attachments"), contents)
    if attachments:
        special["_attachments"] = _described(special["_attachments"])
    revisions = _revisions(special, new_edits)
    body, fault = encode_document(document)
    write = RevisionWrite(doc_id, revisions, body, deleted, attachments)
    over = over_limit(write, settings, fault=fault)
    fields = without_halves(document) if fault == "text" else document
    return Incoming(write, fields, special, over)


def made_here(write: RevisionWrite, settings: Settings) -> Incoming:
    """A write that came in another form than a document, as if it had been sent as one."""
    special: dict[str, Any] = {"_id": write.doc_id}
    if write.revisions is not None:
        special["_rev"] = write.revisions.rev
    if write.deleted:
        special["_deleted"] = True
    if write.attachments:
        special["_attachments"] = {
            name: {"content_type": sent.content_type}
            if sent.data is not None
            else {"content_type": sent.content_type, "digest": sent.digest, "stub": True}
            for name, sent in write.attachments.items()
        }
    return Incoming(write, parse_object(write.body), special, over_limit(write, settings))


def _described(attachments: Mapping[str, Any]) -> dict[str, Any]:
    """Attachments without their contents, which are in the write: a photo is not held twice."""
    return {
        name: {key: value for key, value in described.items() if key != "data"}
        for name, described in attachments.items()
    }


def _take_special(document: dict[str, Any]) -> dict[str, Any]:
    """Take the underscore members out of the document. Raises DocumentInvalid."""
    special = {key: value for key, value in document.items() if key[:1] == "_"}
    for key in special:
        del document[key]
    if not _KNOWN.issuperset(special):
        unknown = min(special.keys() - _KNOWN)
        raise DocumentInvalid(f"Bad special document member: {unknown}")
    if not _OWN.issuperset(special):
        _check_storable(special)
    return special


def _check_storable(special: Mapping[str, Any]) -> None:
    try:
        orjson.dumps(special)
    except orjson.JSONEncodeError:
        raise DocumentInvalid("An underscore member holds what cannot be stored.") from None


def _revisions(special: Mapping[str, Any], new_edits: bool) -> Revisions | None:
    revisions = ancestry(special.get("_rev"), special.get("_revisions"))
    if revisions is None and not new_edits:
        raise BadRequest(ANCESTRY_NEEDED)
    return revisions


def read_attachments(value: Any, contents: Parts | None = None) -> Mapping[str, AttachmentWrite]:
    """The `_attachments` member. Raises DocumentInvalid, BadRequest."""
    if not value:
        if value is None or value == {}:
            return NO_ATTACHMENTS
        raise DocumentInvalid("`_attachments` must be an object.")
    if type(value) is not dict:
        raise DocumentInvalid("`_attachments` must be an object.")
    return {
        attachment_name(name): _attachment(name, described, contents or {})
        for name, described in value.items()
    }


def attachment_name(name: str) -> str:
    """The name, if an attachment may have it. Raises BadRequest."""
    if not name:
        raise BadRequest("An attachment's name must not be empty.")
    if name[0] == "_":
        raise BadRequest(f"Attachment name {name!r} starts with prohibited character '_'")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadRequest("Attachment name is not UTF-8 encoded") from None
    return name


def _attachment(name: str, described: Any, contents: Parts) -> AttachmentWrite:
    if type(described) is not dict:
        raise DocumentInvalid(f"Attachment {name!r} must be an object.")
    content_type = _text(name, described, "content_type") or "application/octet-stream"
    revpos = described.get("revpos")
    if revpos is not None and (type(revpos) is not int or not 0 <= revpos < 2**53):
        raise DocumentInvalid(f"`revpos` of attachment {name!r} must be a positive integer.")
    digest = _text(name, described, "digest")
    # Couchbase Lite names contents by SHA-1, which says nothing about what is stored here.
    digest = digest if digest is not None and digest.startswith("md5-") else None
    if described.get("stub"):
        return AttachmentWrite(content_type, None, digest, revpos)
    data = _data(name, described, contents)
    return AttachmentWrite(content_type, data, digest, revpos, _text(name, described, "encoding"))


def _data(name: str, described: Mapping[str, Any], contents: Parts) -> bytes:
    if described.get("follows"):
        if name not in contents:
            raise BadRequest(f"No part of the multipart body holds attachment {name!r}.")
        return contents[name]
    data = described.get("data")
    if type(data) is not str:
        raise DocumentInvalid(f"Attachment {name!r} needs `data`, `stub` or `follows`.")
    try:
        return _base64(data)
    except ValueError:
        raise BadRequest(f"`data` of attachment {name!r} is not valid base64.") from None


def _base64(data: str) -> bytes:
    if not data:
        return b""
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:  # Some encoders wrap lines.
        return binascii.a2b_base64("".join(data.split()), strict_mode=True)


def _text(name: str, described: Mapping[str, Any], key: str) -> str | None:
    value = described.get(key)
    if value is not None and type(value) is not str:
        raise DocumentInvalid(f"`{key}` of attachment {name!r} must be a string.")
    return value
