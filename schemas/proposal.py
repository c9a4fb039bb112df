"""A proposal: inputs that a household asks for. Money is in whole US cents."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from schemas.envelope import Envelope
from schemas.fields import CODES, choice, flag, labelled, matching, text, whole

ACTIVITIES = ("vegetable", "chicken")
UNITS = ("g", "kg", "head", "m", "m2", "piece", "set")
MOST_CENTS = 10**9


class Line(Schema):
    class Meta:
        unknown = INCLUDE

    item = text("Input", "ធាតុ", required=True)
    quantity = fields.Decimal(
        required=True,
        validate=validate.Range(
            min=Decimal(0), max=Decimal(10**6), min_inclusive=False, error="range"
        ),
        metadata=labelled("Quantity", "បរិមាណ"),
        error_messages={**CODES, "special": "invalid"},
    )
    unit = choice("Unit", "ឯកតា", UNITS, required=True)
    unit_price_cents = whole("Unit price", "តម្លៃឯកតា", least=0, most=MOST_CENTS, required=True)


class Proposal(Envelope):
    household = text(
        "Household", "គ្រួសារ", required=True, validate=matching(r"household:.+", "household")
    )
    activity = choice("Activity", "សកម្មភាព", ACTIVITIES, required=True)
    lines = fields.List(
        fields.Nested(Line),
        required=True,
        validate=validate.Length(min=1, error="lines"),
        metadata=labelled("Inputs", "ធាតុចូល"),
        error_messages=CODES,
    )
    own_contribution_cents = whole("Own contribution", "ការចូលរួមចំណែក", least=0, most=MOST_CENTS)
    requested_total_cents = whole(
        "Total requested", "ចំនួនស្នើសុំសរុប", least=0, most=MOST_CENTS, required=True
    )
    area_m2 = whole("Area in m²", "ផ្ទៃដី (ម៉ែត្រការ៉េ)", least=0, most=10**7)
    birds = whole("Number of birds", "ចំនួនមាន់", least=0, most=10**6)
    submitted = flag("Submitted", "បានបញ្ជូន", "latest", required=True)
    withdrawn = flag("Withdrawn", "បានដក", "latest")
    withdrawn_reason = text("Reason for withdrawal", "មូលហេតុនៃការដក", "latest")

    @validates_schema(skip_on_field_errors=True)
    def total_is_the_sum_of_the_lines(self, data: dict[str, Any], **_: Any) -> None:
        total = sum(line["quantity"] * line["unit_price_cents"] for line in data["lines"])
        if total != data["requested_total_cents"]:
            raise ValidationError("total", "requested_total_cents")

    @validates_schema(skip_on_field_errors=True)
    def a_withdrawal_has_a_reason(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("withdrawn") and not data.get("withdrawn_reason"):
            raise ValidationError("reason", "withdrawn_reason")
