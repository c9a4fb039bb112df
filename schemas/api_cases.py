"""Payloads of the JSON API about cases. Times in milliseconds since 1970."""

from __future__ import annotations

import json
from typing import Any

import orjson
from marshmallow import Schema, ValidationError, fields, validate

from schemas.api import Error

MOST_CASES = 1000
STATES = ("open", "settled", "obsolete", "all")


def plain_json(value: Any) -> None:
    """What every parser of JSON reads alike: no NaN, no huge integer, no lone surrogate."""
    try:
        json.dumps(value, allow_nan=False)
        orjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError("This is no JSON value that can be kept.") from error


def named(en: str) -> dict[str, str]:
    return {"description": en}


# -- asking ----------------------------------------------------------------------------


class CaseFilters(Schema):
    area = fields.String(load_default=None, metadata=named("An area, with all that lies in it."))
    type = fields.String(load_default=None)
    field = fields.String(load_default=None, metadata=named("A field in question."))
    author = fields.String(load_default=None, metadata=named("Whose version stands in question."))
    reason = fields.String(load_default=None)
    state = fields.String(load_default="open", validate=validate.OneOf(STATES))
    document = fields.String(load_default=None)
    older_than_days = fields.Integer(load_default=None, validate=validate.Range(0, 36_500))


class CasesQuery(CaseFilters):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500))
    after = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 2**62),
        metadata=named("`next` of the last page."),
    )


class CaseSettlement(Schema):
    """One of: by field (`take`, `set`, `remove`), `version`, `document`, `delete`, `rule`."""

    leaves = fields.List(
        fields.String(), required=True, metadata=named("The leaves that were on screen.")
    )
    take = fields.Dict(
        fields.String(),
        fields.String(),
        load_default=dict,
        metadata=named("Field → the revision of a version, or `base`."),
    )
    set = fields.Dict(
        fields.String(),
        fields.Raw(allow_none=True),
        load_default=dict,
        validate=plain_json,
        metadata=named("Field → what it becomes, if no version says it."),
    )
    remove = fields.List(
        fields.String(), load_default=list, metadata=named("Fields and attachments to leave out.")
    )
    version = fields.String(
        allow_none=True, load_default=None, metadata=named("A version that is taken as a whole.")
    )
    document = fields.Dict(fields.String(), allow_none=True, load_default=None, validate=plain_json)
    delete = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    rule = fields.String(
        allow_none=True,
        load_default=None,
        metadata=named("`latest`, `earliest`, `base`, `winner` or `author:<account>`."),
    )
    reason = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=2000))


class SeenCase(Schema):
    case = fields.Integer(strict=True, required=True)
    leaves = fields.List(fields.String(), required=True)


class CaseSettlements(Schema):
    """Cases of one shape, by one rule."""

    type = fields.String(required=True)
    fields_ = fields.List(
        fields.String(), required=True, data_key="fields", metadata=named("All in question.")
    )
    rule = fields.String(required=True)
    cases = fields.List(
        fields.Nested(SeenCase), required=True, validate=validate.Length(1, MOST_CASES)
    )
    reason = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=2000))


class Undoing(Schema):
    cases = fields.List(
        fields.Integer(strict=True), required=True, validate=validate.Length(1, MOST_CASES)
    )


# -- answers ---------------------------------------------------------------------------


class FieldName(Schema):
    field = fields.String(required=True)
    label_en = fields.String(required=True)
    label_km = fields.String(required=True)


class Case(Schema):
    case = fields.Integer(required=True)
    document = fields.String(required=True)
    type = fields.String(required=True)
    area = fields.String(required=True)
    reason = fields.String(required=True)
    in_question = fields.List(fields.Nested(FieldName), required=True)
    leaves = fields.List(fields.String(), required=True)
    authors = fields.List(fields.String(), required=True)
    state = fields.String(required=True)
    opened_at = fields.Integer(required=True)
    changed_at = fields.Integer(required=True)
    closed_by = fields.String(allow_none=True)
    closed_at = fields.Integer(allow_none=True)


class Cases(Schema):
    cases = fields.List(fields.Nested(Case), required=True)
    next = fields.Integer(allow_none=True, metadata=named("Pass as `after` for the next page."))


class CaseShape(Schema):
    type = fields.String(required=True)
    in_question = fields.List(fields.Nested(FieldName), required=True)
    cases = fields.Integer(required=True)
    oldest = fields.Integer(required=True)


class Shapes(Schema):
    shapes = fields.List(fields.Nested(CaseShape), required=True)


class CaseVersion(Schema):
    """`role`: `leaf`, `base`, or `claim` (a contested value)."""

    rev = fields.String(required=True)
    role = fields.String(required=True)
    winner = fields.Boolean(required=True)
    deleted = fields.Boolean(required=True)
    account = fields.String(required=True)
    device = fields.String(required=True)
    captured_at = fields.Integer(allow_none=True)
    received_at = fields.Integer(required=True)
    speaks_of = fields.List(fields.String(), allow_none=True)
    attachments = fields.Dict(
        fields.String(),
        fields.Raw(),
        metadata=named("Name → `digest`, `content_type`, `length`, and `url` of the content."),
    )


class CaseField(FieldName):
    """`values` by revision; `absent`: versions without the field."""

    policy = fields.String(required=True)
    in_question = fields.Boolean(required=True)
    base = fields.Raw()
    values = fields.Dict(fields.String(), fields.Raw())
    absent = fields.List(fields.String())
    writers = fields.Dict(fields.String(), fields.String())
    policy_chooses = fields.Raw()


class CaseContest(Schema):
    contest = fields.String(required=True)
    notice = fields.String(required=True)
    account = fields.String(required=True)
    text = fields.String(required=True)
    at = fields.Integer(required=True)
    withdrawn = fields.Boolean(required=True)


class CaseDecision(Schema):
    action = fields.String(required=True)
    by = fields.String(required=True)
    at = fields.Integer(required=True)
    leaves = fields.List(fields.String(), required=True)
    rev = fields.String(required=True)
    how = fields.Dict()
    written = fields.Boolean(required=True)
    failed = fields.String(allow_none=True)


class WholeCase(Case):
    versions = fields.List(fields.Nested(CaseVersion), required=True)
    fields_ = fields.List(fields.Nested(CaseField), required=True, data_key="fields")
    contests = fields.List(fields.Nested(CaseContest), required=True)
    decisions = fields.List(fields.Nested(CaseDecision), required=True)


class Settled(Schema):
    case = fields.Integer(required=True)
    rev = fields.String(required=True, metadata=named("What it makes of the winning revision."))


class Refused(Error):
    """Of a stale decision: `changed`, `gone`, `leaves`. Of an invalid result: `problems`."""

    changed = fields.List(fields.Raw())
    gone = fields.List(fields.String())
    leaves = fields.List(fields.String())
    problems = fields.List(fields.Raw())


class CaseOutcome(Refused):
    """`status`: what the decision alone would have been answered with."""

    case = fields.Integer(required=True)
    status = fields.Integer(required=True)
    rev = fields.String()
    error = fields.String()
    reason = fields.String()


class CaseOutcomes(Schema):
    outcomes = fields.List(fields.Nested(CaseOutcome), required=True)
