"""A household as a community extension worker registers it."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from schemas.envelope import Envelope
from schemas.fields import CODES, choice, day, flag, labelled, matching, text, whole

NATIONAL_ID = r"\d{9}(\(\d{2}\))?"
CARD = r"\d{8}-(\d{4}|[59]\d{3})"
E164 = r"\+[1-9]\d{7,14}"
SEXES = ("female", "male")
LEVELS = ("1", "2", "none", "unknown")


class Head(Schema):
    """The head of the household; names are surname first, in at least one script."""

    class Meta:
        unknown = INCLUDE

    surname_km = text("Surname (Khmer)", "នាមត្រកូល")
    given_name_km = text("Given name (Khmer)", "នាមខ្លួន")
    surname_latin = text("Surname (Latin)", "នាមត្រកូល (ឡាតាំង)")
    given_name_latin = text("Given name (Latin)", "នាមខ្លួន (ឡាតាំង)")
    sex = choice("Sex", "ភេទ", SEXES, required=True)
    birth_year = whole("Year of birth", "ឆ្នាំកំណើត", least=1900, most=2100)
    birth_year_estimated = flag("Year is estimated", "ឆ្នាំប៉ាន់ស្មាន")

    @validates_schema(skip_on_field_errors=False)
    def named_in_one_script(self, data: dict[str, Any], **_: Any) -> None:
        scripts = (("surname_km", "given_name_km"), ("surname_latin", "given_name_latin"))
        if not any(all(data.get(part) for part in script) for script in scripts):
            raise ValidationError("name", "surname_km")


class EquityCard(Schema):
    """What was known of the household's poverty level on a day."""

    class Meta:
        unknown = INCLUDE

    level = choice("Level", "កម្រិត", LEVELS, required=True)
    card = text("Card number", "លេខប័ណ្ណ", validate=matching(CARD, "card"))
    expires = text("Valid until", "ផុតកំណត់", validate=day)
    observed_on = text("Observed on", "ថ្ងៃពិនិត្យ", required=True, validate=day)


class Position(Schema):
    """Where the house stands; `accuracy_m` in metres."""

    class Meta:
        unknown = INCLUDE

    latitude = fields.Float(required=True, error_messages=CODES)
    longitude = fields.Float(required=True, error_messages=CODES)
    accuracy_m = fields.Float(error_messages=CODES)


class Consent(Schema):
    class Meta:
        unknown = INCLUDE

    date = text("Date of consent", "ថ្ងៃយល់ព្រម", required=True, validate=day)
    method = text("Given by", "វិធីយល់ព្រម", required=True)


class Household(Envelope):
    village = text("Village", "ភូមិ", required=True, validate=matching(r"\d{8}", "village"))
    head = fields.Nested(
        Head, required=True, metadata=labelled("Head of household", "មេគ្រួសារ"), error_messages=CODES
    )
    phone = text("Phone", "លេខទូរស័ព្ទ", "latest", validate=matching(E164, "phone"))
    national_id = text(
        "National id", "លេខអត្តសញ្ញាណប័ណ្ណ", validate=matching(NATIONAL_ID, "national_id")
    )
    members_total = whole("Members", "ចំនួនសមាជិក", least=1, most=30, required=True)
    members_women = whole("Women and girls", "ចំនួនស្រី", least=0, most=30, required=True)
    id_poor = fields.List(
        fields.Nested(EquityCard),
        metadata=labelled("Equity card", "ប័ណ្ណសមធម៌", "keyed:observed_on"),
        error_messages=CODES,
    )
    disability = flag("Member with a disability", "សមាជិកមានពិការភាព")
    ethnicity = text("Ethnicity", "ជនជាតិ")
    gps = fields.Nested(
        Position, metadata=labelled("Position", "ទីតាំង", "latest"), error_messages=CODES
    )
    consent = fields.Nested(
        Consent,
        required=True,
        metadata=labelled("Consent", "ការយល់ព្រម"),
        error_messages=CODES,
    )

    @validates_schema(skip_on_field_errors=True)
    def women_are_members(self, data: dict[str, Any], **_: Any) -> None:
        if data["members_women"] > data["members_total"]:
            raise ValidationError("women", "members_women")
