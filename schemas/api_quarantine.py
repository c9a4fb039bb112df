"""Payloads of the API for quarantine and the audit log. Times in milliseconds since 1970."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MOST_TEXT = 2000


def _reason(**options: object) -> fields.String:
    return fields.String(validate=validate.Length(max=MOST_TEXT), **options)  # type: ignore[arg-type]


class QuarantineQuery(Schema):
    area = fields.String(
        load_default=None, metadata={"description": "What lies in it is meant, too."}
    )
    account = fields.String(load_default=None, metadata={"description": "Who sent it."})
    device = fields.String(load_default=None)
    reason = fields.String(load_default=None, metadata={"description": "A code, as `outside`."})
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(["kept", "returned", "adopted", "discarded", "answered"]),
    )
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500))
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 2**62),
        metadata={"description": "`next` of the last page."},
    )


class Entry(Schema):
    """A document that was refused. `rev` is the parent where `is_edit`."""

    number = fields.Integer(required=True)
    account = fields.String(required=True)
    device = fields.String(required=True)
    doc_id = fields.String(required=True)
    rev = fields.String(allow_none=True)
    is_edit = fields.Boolean(required=True)
    deleted = fields.Boolean(required=True)
    reason = fields.String(required=True)
    told = fields.String(
        required=True, metadata={"description": "The reason that the author was told."}
    )
    area = fields.String(required=True)
    size = fields.Integer(required=True)
    received_at = fields.Integer(required=True)
    last_received_at = fields.Integer(required=True)
    times = fields.Integer(required=True)
    state = fields.String(required=True)
    assigned_area = fields.String(allow_none=True)
    assigned_account = fields.String(allow_none=True)
    settled_by = fields.String(allow_none=True)
    settled_at = fields.Integer(allow_none=True)
    note = fields.String(allow_none=True)
    version = fields.Integer(required=True)
    adopted_rev = fields.String(allow_none=True)


class EntryPage(Schema):
    entries = fields.List(fields.Nested(Entry), required=True)
    next = fields.Integer(
        allow_none=True, metadata={"description": "Pass as `after` for the next page."}
    )


class KeptAttachment(Schema):
    """`kept`: whether the content can be downloaded; a stub came without."""

    name = fields.String(required=True)
    content_type = fields.String(required=True)
    encoding = fields.String(allow_none=True)
    digest = fields.String(allow_none=True)
    length = fields.Integer(allow_none=True)
    kept = fields.Boolean(required=True)


class EntryWithDocument(Entry):
    text_en = fields.String(required=True)
    text_km = fields.String(required=True)
    document = fields.Dict(
        required=True,
        metadata={"description": "As it was sent, contents of attachments left out."},
    )
    attachments = fields.List(fields.Nested(KeptAttachment), required=True)


class Adopt(Schema):
    """`version`: the entry's, as it was on screen."""

    version = fields.Integer(load_default=None, allow_none=True)


class Reassign(Adopt):
    area = fields.String(load_default=None, allow_none=True)
    account = fields.String(load_default=None, allow_none=True)
    reason = _reason(load_default=None, allow_none=True)


class Settle(Adopt):
    reason = _reason(required=True, metadata={"description": "The author is told."})


class AuditQuery(Schema):
    subject = fields.String(load_default=None)
    database = fields.String(load_default=None)
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 500))
    before = fields.Integer(
        load_default=None,
        validate=validate.Range(0, 2**62),
        metadata={"description": "`next` of the last page."},
    )


class AuditEntry(Schema):
    number = fields.Integer(required=True)
    at = fields.Integer(required=True)
    actor = fields.String(required=True)
    action = fields.String(required=True)
    subject = fields.String(required=True)
    database = fields.String(required=True)
    details = fields.Dict(required=True)


class AuditPage(Schema):
    entries = fields.List(fields.Nested(AuditEntry), required=True)
    next = fields.Integer(
        allow_none=True, metadata={"description": "Pass as `before` for the next page."}
    )
