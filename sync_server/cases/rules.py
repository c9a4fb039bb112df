"""Rules by which many cases are settled at once.

latest, earliest     of those who changed the field, who did so last (or first)
base                 the state before the edits
winner               the revision that every replica shows
author:<account>     what that person wrote; of several, the latest
"""

from __future__ import annotations

from conflict.canonical import same
from conflict.resolution import DELETED
from sync_server.cases.contents import Contents
from sync_server.cases.records import CaseVersion
from sync_server.errors import BadRequest

RULES = ("latest", "earliest", "base", "winner")
AUTHOR = "author:"


def is_rule(text: str) -> bool:
    return text in RULES or (text.startswith(AUTHOR) and len(text) > len(AUTHOR))


def choose(known: Contents, field: str | None, rule: str) -> CaseVersion:
    """The version that the rule takes a field from; of the whole document, for None.

    Raises BadRequest where there is none.
    """
    if rule == "base":
        return known.required_base()
    if rule == "winner":
        return known.leaves[0]
    found = _candidates(known, field)
    if rule.startswith(AUTHOR):
        found = [one for one in found if _wrote(one, field) == rule.removeprefix(AUTHOR)]
    if not found:
        raise BadRequest(f"No version of this case fits the rule {rule}: settle it alone.")
    ordered = sorted(found, key=lambda one: (one.at, one.device, one.rev))
    return ordered[0] if rule == "earliest" else ordered[-1]


def _candidates(known: Contents, field: str | None) -> list[CaseVersion]:
    """Versions that changed the field, where it is known what it was."""
    every = [*known.leaves, *known.claims]
    if field is None:
        return [one for one in every if one.speaks_of is None]
    said = [one for one in every if one.says(field) and (field == DELETED or not one.deleted)]
    if known.base is None or field == DELETED:
        return said
    before = known.base.value(field)
    return [one for one in said if not same(one.value(field), before)]


def _wrote(version: CaseVersion, field: str | None) -> str:
    return version.account if field is None else version.writer(field)
