"""Payloads of the JSON API about tablets. Times in milliseconds since 1970."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MOST_MINUTES = 7 * 24 * 60


class Replica(Schema):
    database = fields.String(required=True)
    acknowledged = fields.String(
        required=True, metadata={"description": "Update sequence that the tablet has reached."}
    )
    at = fields.Integer(required=True)
    behind = fields.Integer(
        allow_none=True, metadata={"description": "Documents that have changed since."}
    )


class Device(Schema):
    account = fields.String(required=True)
    name = fields.String(required=True)
    enrolled_at = fields.Integer(required=True)
    revoked_at = fields.Integer(allow_none=True)
    revoke_reason = fields.String(allow_none=True)
    readmitted_at = fields.Integer(
        allow_none=True, metadata={"description": "When it was enrolled again after a revocation."}
    )
    last_seen_at = fields.Integer(allow_none=True)
    client = fields.String(required=True)
    app_version = fields.String(required=True)
    clock_skew_ms = fields.Integer(
        allow_none=True, metadata={"description": "Above zero: the tablet's clock is ahead."}
    )
    pushed = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    conflicting = fields.Integer(required=True)
    replicas = fields.List(fields.Nested(Replica), required=True)


class Devices(Schema):
    devices = fields.List(fields.Nested(Device), required=True)


class Offer(Schema):
    account = fields.String(required=True)
    device = fields.String(required=True)
    database = fields.String(required=True)
    minutes = fields.Integer(strict=True, load_default=60, validate=validate.Range(1, MOST_MINUTES))


class OfferedCode(Schema):
    """`link` is what the QR code holds; the code is shown this once."""

    account = fields.String(required=True)
    device = fields.String(required=True)
    database = fields.String(required=True)
    code = fields.String(required=True)
    expires_at = fields.Integer(required=True)
    link = fields.String(required=True)
    qr_svg = fields.String(required=True)


class Code(Schema):
    code = fields.String(required=True, validate=validate.Length(1, 60))


class Enrolled(Schema):
    """`token` is the tablet's, shown this once; `url` is where it syncs."""

    account = fields.String(required=True)
    device = fields.String(required=True)
    token = fields.String(required=True)
    database = fields.String(required=True)
    url = fields.String(required=True)


class Revocation(Schema):
    reason = fields.String(required=True, validate=validate.Length(1, 500))
    shared = fields.Boolean(
        load_default=False,
        metadata={"description": "For all accounts that have a device of this name."},
    )


class Revoked(Schema):
    accounts = fields.List(fields.String(), required=True)
