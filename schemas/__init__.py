"""The documents of the programme: fields, labels in both languages, merge policies, checks."""

from schemas.registry import BOOKKEEPING, label, policies_for, schema_for, validate
from schemas.texts import Problem

__all__ = ["BOOKKEEPING", "Problem", "label", "policies_for", "schema_for", "validate"]
