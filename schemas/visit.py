"""A visit to a household that verifies a proposal or a delivery. Append-only: a visit that was
wrong is followed by another.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from schemas.envelope import Envelope
from schemas.fields import CODES, choice, day, flag, labelled, reference, text
from schemas.household import Position

RESULTS = ("confirmed", "discrepancy", "not_found")


class Check(Schema):
    """An item of the checklist."""

    class Meta:
        unknown = INCLUDE

    item = text("Item", "ចំណុច", required=True)
    fulfilled = flag("Fulfilled", "បានបំពេញ", required=True)
    remark = text("Remark", "កំណត់សម្គាល់")


class Visit(Envelope):
    household = reference("Household", "គ្រួសារ", "household", required=True)
    proposal = reference("Proposal", "សំណើ", "proposal")
    delivery = reference("Delivery", "ការប្រគល់", "delivery")
    visited_on = text("Visited on", "ថ្ងៃចុះពិនិត្យ", required=True, validate=day)
    checklist = fields.List(
        fields.Nested(Check),
        metadata=labelled("Checklist", "បញ្ជីពិនិត្យ", "keyed:item"),
        error_messages=CODES,
    )
    gps = fields.Nested(
        Position, metadata=labelled("Position", "ទីតាំង", "latest"), error_messages=CODES
    )
    result = choice("Result", "លទ្ធផល", RESULTS, required=True)
    remark = text("Remark", "កំណត់សម្គាល់", "latest")

    @validates_schema(skip_on_field_errors=True)
    def names_what_it_verifies(self, data: dict[str, Any], **_: Any) -> None:
        if not data.get("proposal") and not data.get("delivery"):
            raise ValidationError("verifies", "proposal")
