"""Payloads of the JSON API. Amounts in whole US cents, times in milliseconds since 1970."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

MOST_DECISIONS = 500


class Error(Schema):
    """Every error of the service."""

    error = fields.String(required=True)
    reason = fields.String(required=True)


class Decision(Schema):
    proposal = fields.String(required=True, metadata={"description": "The proposal's id."})
    rev = fields.String(required=True, metadata={"description": "The revision that was on screen."})
    action = fields.String(required=True, validate=validate.OneOf(["approve", "reject", "return"]))
    amount_cents = fields.Integer(
        strict=True, allow_none=True, load_default=None, validate=validate.Range(1, 10**9)
    )
    reason = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=2000))


class Decisions(Schema):
    decisions = fields.List(
        fields.Nested(Decision),
        required=True,
        validate=validate.Length(1, MOST_DECISIONS),
    )


class Outcome(Schema):
    """`status`: what the decision alone would have been answered with."""

    proposal = fields.String(required=True)
    status = fields.Integer(required=True)
    state = fields.String()
    error = fields.String()
    reason = fields.String()


class Outcomes(Schema):
    outcomes = fields.List(fields.Nested(Outcome), required=True)


class Proposal(Schema):
    proposal = fields.String(required=True)
    household = fields.String(required=True)
    author = fields.String(required=True)
    area = fields.String(required=True)
    activity = fields.String(required=True)
    state = fields.String(required=True)
    revision = fields.String(required=True)
    requested_cents = fields.Integer(required=True)
    amount_cents = fields.Integer(allow_none=True)
    reason = fields.String(allow_none=True)
    received_at = fields.Integer(required=True)
    changed_at = fields.Integer(required=True)


class Step(Schema):
    """A row of the ledger."""

    from_state = fields.String(allow_none=True)
    to_state = fields.String(required=True)
    actor = fields.String(required=True)
    at = fields.Integer(required=True)
    revision = fields.String(required=True)
    amount_cents = fields.Integer(allow_none=True)
    reason = fields.String(allow_none=True)


class ProposalWithHistory(Proposal):
    history = fields.List(fields.Nested(Step), required=True)


class QueueQuery(Schema):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500))
    after = fields.String(load_default=None, metadata={"description": "`next` of the last page."})


class Queue(Schema):
    proposals = fields.List(fields.Nested(Proposal), required=True)
    next = fields.String(
        allow_none=True, metadata={"description": "Pass as `after` for the next page."}
    )
