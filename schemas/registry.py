"""From a document's type to its schema, and what the schema says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from marshmallow import Schema

from schemas.contest import Contest
from schemas.delivery import Delivery
from schemas.envelope import Envelope
from schemas.household import Household
from schemas.proposal import Proposal
from schemas.published import Notice, Review
from schemas.texts import Problem, problem
from schemas.training import Attendance, Training
from schemas.visit import Visit

SCHEMAS: Mapping[str, type[Schema]] = {
    "household": Household,
    "proposal": Proposal,
    "visit": Visit,
    "delivery": Delivery,
    "training": Training,
    "attendance": Attendance,
    "contest": Contest,
    "review": Review,
    "notice": Notice,
}
WHOLE = "_schema"
ATTACHMENT = "_attachments/"
ATTACHED = {"en": "Attachment", "km": "ឯកសារភ្ជាប់"}
BOOKKEEPING = frozenset(Envelope().fields)
"""Fields that say who captured a document where and when, not what."""


@cache
def schema_for(type_name: str) -> Schema | None:
    """The schema of a document type, None for a type that is not known."""
    schema = SCHEMAS.get(type_name)
    return schema() if schema else None


@cache
def policies_for(type_name: str) -> Mapping[str, str]:
    """Merge policies by field; a field that is not named is merged by hand."""
    schema = schema_for(type_name)
    if schema is None:
        return {}
    return {
        name: str(field.metadata["policy"])
        for name, field in schema.fields.items()
        if "policy" in field.metadata
    }


def label(type_name: str, field: str, language: str) -> str:
    """A field's label in `en` or `km`; its name where it has none. An attachment goes by
    `_attachments/<name>`.
    """
    if field.startswith(ATTACHMENT):
        return f"{ATTACHED[language]} {field.removeprefix(ATTACHMENT)}"
    schema = schema_for(type_name)
    known = schema.fields.get(field) if schema else None
    return str(known.metadata.get(f"label_{language}", field)) if known else field


def validate(fields: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a document's body; a type that is not known is not judged."""
    schema = schema_for(str(fields.get("type", "")))
    if schema is None:
        return []
    found = sorted(set(_flatten(schema.validate(fields))))
    return [problem(path, code) for path, code in found]


def _flatten(messages: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages as pairs of path and code."""
    if isinstance(messages, dict):
        for name, below in messages.items():
            inner = path if name == WHOLE else f"{path}.{name}" if path else str(name)
            yield from _flatten(below, inner)
    else:
        for code in messages if isinstance(messages, list) else [messages]:
            yield path, str(code)
