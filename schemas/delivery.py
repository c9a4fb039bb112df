"""Inputs handed over for a proposal. Append-only: a delivery that was wrong is reversed by another.

Quantities are in the unit of the line; who received is named with their relation to the household.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from schemas.envelope import Envelope
from schemas.fields import CODES, choice, day, labelled, reference, text, whole
from schemas.proposal import UNITS


def _quantity(en: str, km: str) -> fields.Decimal:
    return fields.Decimal(
        required=True,
        validate=validate.Range(min=Decimal(0), max=Decimal(10**6), error="range"),
        metadata=labelled(en, km),
        error_messages={**CODES, "special": "invalid"},
    )


class DeliveredLine(Schema):
    class Meta:
        unknown = INCLUDE

    item = text("Input", "ធាតុ", required=True)
    unit = choice("Unit", "ឯកតា", UNITS, required=True)
    delivered = _quantity("Delivered", "បរិមាណប្រគល់")
    accepted = _quantity("Accepted", "បរិមាណទទួលយក")


class Delivery(Envelope):
    proposal = reference("Proposal", "សំណើ", "proposal", required=True)
    household = reference("Household", "គ្រួសារ", "household", required=True)
    delivered_on = text("Delivered on", "ថ្ងៃប្រគល់", required=True, validate=day)
    supplier = text("Supplier", "អ្នកផ្គត់ផ្គង់", required=True)
    lines = fields.List(
        fields.Nested(DeliveredLine),
        required=True,
        validate=validate.Length(min=1, error="lines"),
        metadata=labelled("Inputs", "ធាតុចូល"),
        error_messages=CODES,
    )
    dead_on_arrival = whole("Chicks dead on arrival", "កូនមាន់ងាប់ពេលមកដល់", least=0, most=10**6)
    receiver = text("Received by", "អ្នកទទួល", required=True)
    relation = text("Relation to the household", "ត្រូវជាអ្វីនឹងគ្រួសារ", required=True)
    reverses = reference("Reverses the delivery", "លុបចោលការប្រគល់", "delivery")
    reason = text("Reason", "មូលហេតុ", "latest")

    @validates_schema(skip_on_field_errors=True)
    def accepted_was_delivered(self, data: dict[str, Any], **_: Any) -> None:
        if any(line["accepted"] > line["delivered"] for line in data["lines"]):
            raise ValidationError("accepted", "lines")

    @validates_schema(skip_on_field_errors=True)
    def a_reversal_has_a_reason(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("reverses") and not data.get("reason"):
            raise ValidationError("reason", "reason")
