"""Marshmallow fields with a label in both languages and a merge policy.

The policy names what a merge does where two tablets changed the field differently; it is plain
data here, and `conflict.policies` knows what the names mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

CODES: dict[str, str | list[Any] | dict[Any, Any]] = {
    "required": "required",
    "null": "required",
    "invalid": "invalid",
    "type": "invalid",
}


def labelled(en: str, km: str, policy: str = "manual") -> dict[str, str]:
    """Metadata of a field."""
    return {"label_en": en, "label_km": km, "policy": policy}


def text(en: str, km: str, policy: str = "manual", **options: Any) -> fields.String:
    return fields.String(metadata=labelled(en, km, policy), error_messages=CODES, **options)


def whole(
    en: str,
    km: str,
    policy: str = "manual",
    *,
    least: int | None = None,
    most: int | None = None,
    **options: Any,
) -> fields.Integer:
    """A whole number; a float or a number in quotes is none."""
    in_range = validate.Range(least, most, error="range")
    return fields.Integer(
        strict=True,
        validate=[_is_int, in_range],
        metadata=labelled(en, km, policy),
        error_messages={**CODES, "too_large": "range"},
        **options,
    )


def _is_int(value: Any) -> None:
    if type(value) is not int:
        raise ValidationError("invalid")


def flag(en: str, km: str, policy: str = "manual", **options: Any) -> fields.Boolean:
    return fields.Boolean(
        truthy={True},
        falsy={False},
        metadata=labelled(en, km, policy),
        error_messages=CODES,
        **options,
    )


def choice(
    en: str, km: str, values: Sequence[str], policy: str = "manual", **options: Any
) -> fields.String:
    return text(en, km, policy, validate=validate.OneOf(values, error="choice"), **options)


def matching(pattern: str, code: str) -> Callable[[str], None]:
    """A check of a text's form; `code` names the problem."""
    compiled = re.compile(pattern)

    def check(value: str) -> None:
        if compiled.fullmatch(value) is None:
            raise ValidationError(code)

    return check


def reference(en: str, km: str, type_name: str, **options: Any) -> fields.String:
    """The id of another document, which a document names for good."""
    named = matching(rf"{type_name}:.+", type_name)
    return text(en, km, "immutable", validate=named, **options)


def moment(value: str) -> None:
    """ISO 8601 with an offset from UTC."""
    try:
        said = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValidationError("date") from error
    if said.tzinfo is None:
        raise ValidationError("date")


def day(value: str) -> None:
    """ISO 8601 date."""
    matching(r"\d{4}-\d{2}-\d{2}", "date")(value)
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise ValidationError("date") from error
