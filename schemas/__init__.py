"""The documents of the programme: fields, labels in both languages, merge policies, checks."""

from schemas.registry import label, policies_for, schema_for, validate
from schemas.texts import Problem

__all__ = ["Problem", "label", "policies_for", "schema_for", "validate"]
