"""Whether a case is still what somebody saw; if not, what has changed: by whom, which fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import schemas
from conflict.canonical import same
from conflict.merge import ATTACHMENTS
from sync_server.cases.records import OPEN, Case, CaseVersion
from sync_server.cases.writers import value_in
from sync_server.errors import Conflict
from sync_server.storage.base import Revision


def require_open(case: Case) -> None:
    """Raises Conflict."""
    if case.state != OPEN:
        raise Conflict(
            f"This case is {case.state} by now, by {case.closed_by}: look at it again.",
            state=case.state,
            closed_by=case.closed_by,
            closed_at=case.closed_at,
        )


def require_seen(
    case: Case, seen: Sequence[str], present: Sequence[Revision], known: Sequence[CaseVersion]
) -> None:
    """The leaves that somebody saw are those that are there, and that the case was opened for.

    `known`: versions of the case, former ones too. Raises Conflict that says what changed.
    """
    revs = sorted(revision.rev for revision in present)
    if sorted(seen) != revs:
        raise moved_on(case, seen, present, known)
    if list(case.leaves) != revs:
        raise Conflict(
            "What has just arrived is still being looked at: try again in a moment.",
            leaves=revs,
        )


def moved_on(
    case: Case, seen: Sequence[str], present: Sequence[Revision], known: Sequence[CaseVersion]
) -> Conflict:
    """The error that says how the leaves differ from those that were seen."""
    changed = [
        _described(case, revision, known) for revision in present if revision.rev not in set(seen)
    ]
    gone = sorted(set(seen) - {revision.rev for revision in present})
    told = "; ".join(_sentence(one) for one in changed) or f"{', '.join(gone)} is no leaf now"
    return Conflict(
        f"{case.document} has changed since you saw it: {told}. Look at it again.",
        leaves=[revision.rev for revision in present],
        changed=changed,
        gone=gone,
    )


def _described(case: Case, revision: Revision, known: Sequence[CaseVersion]) -> dict[str, Any]:
    by_rev = {version.rev: version for version in known}
    above = next((by_rev[rev] for rev in revision.revisions.revs()[1:] if rev in by_rev), None)
    return {
        "rev": revision.rev,
        "deleted": revision.deleted,
        "account": revision.origin.account,
        "device": revision.origin.device,
        "received_at": revision.origin.received_at,
        "since": above.rev if above else None,
        "fields": [
            {
                "field": name,
                "label_en": schemas.label(case.type, name, "en"),
                "label_km": schemas.label(case.type, name, "km"),
            }
            for name in _differing(revision, above)
        ],
    }


def _differing(revision: Revision, above: CaseVersion | None) -> list[str]:
    """Fields that the revision changed; every one where it is not known what it changed."""
    names = {*_names(revision), *(above.fields if above else ())}
    names |= {ATTACHMENTS + name for name in (above.attachments if above else ())}
    return sorted(
        name
        for name in names - schemas.BOOKKEEPING
        if above is None or not same(value_in(revision, name), above.value(name))
    )


def _names(revision: Revision) -> set[str]:
    fields = CaseVersion(revision.rev, "", revision.body).fields
    return {*fields, *(ATTACHMENTS + name for name in revision.attachments)}


def _sentence(change: dict[str, Any]) -> str:
    who = change["account"] or "somebody"
    if change["deleted"]:
        return f"{who} deleted it ({change['rev']})"
    fields = ", ".join(one["field"] for one in change["fields"]) or "nothing that can be seen"
    return f"{who} changed {fields} ({change['rev']})"
