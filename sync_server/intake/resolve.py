"""First stage: concurrent edits become one revision again, or a case for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from conflict.canonical import MISSING
from conflict.merge import Base, Version
from conflict.merge_base import History
from conflict.resolution import MERGED_INTO, RESOLVER, Case, Leaf, Plan, base_candidates, resolve
from schemas import policies_for
from sync_server.errors import NotFound
from sync_server.intake import notices
from sync_server.intake.stage import Arrival, Intake
from sync_server.storage.base import AttachmentWrite, Database, Revision, Revisions, RevisionWrite

CLOCK_SKEW_MS = 120_000
"""How far a tablet's clock may run ahead of the receipt before it counts as wrong."""
CONFLICT = "conflict"


def resolve_conflicts(intake: Intake, arrivals: Sequence[Arrival]) -> None:
    """Merge what can be merged; tell the authors where a person must decide."""
    settled = [arrival.doc_id for arrival in arrivals if not arrival.is_conflicted]
    notices.withdraw(intake, CONFLICT, settled)
    for arrival in arrivals:
        if arrival.is_conflicted:
            _resolve(intake, arrival)


def _resolve(intake: Intake, arrival: Arrival) -> None:
    found = [
        revision
        for revision in intake.database.open_revs(arrival.doc_id, None)
        if isinstance(revision, Revision)
    ]
    leaves = [_leaf(revision) for revision in found if not revision.deleted]
    if len(leaves) < 2:
        return
    bases = base_candidates(leaves, _merged(found))
    base = _read_base(intake.database, arrival.doc_id, bases)
    policies = policies_for(str(leaves[0].version.fields.get("type", "")))
    outcome = resolve(leaves, bases, base, policies)
    if isinstance(outcome, Case):
        content = _case_notice(outcome, leaves)
        notices.tell(intake, CONFLICT, {arrival.doc_id: (arrival.state.area, content)})
    else:
        intake.store(_writes(intake.database, arrival.doc_id, outcome), new_edits=False)
        notices.withdraw(intake, CONFLICT, [arrival.doc_id])


def _leaf(revision: Revision) -> Leaf:
    fields: dict[str, Any] = orjson.loads(revision.body)
    version = Version(
        rev=revision.rev,
        fields=fields,
        attachments={name: info.digest for name, info in revision.attachments.items()},
        captured_at=captured_at(fields, revision.origin.received_at),
        device=str(fields.get("device", revision.origin.device)),
        account=revision.origin.account,
    )
    return Leaf(revision.revisions.revs(), version)


def captured_at(fields: Mapping[str, Any], received_at: int) -> int:
    """When the edit was made, in ms, but not after it was received: a tablet whose clock says
    2031 does not win for ever. The receipt, where nothing usable is said.
    """
    try:
        said = int(datetime.fromisoformat(fields["captured_at"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError, OverflowError):
        return received_at
    return min(said, received_at + CLOCK_SKEW_MS)


def _merged(found: Sequence[Revision]) -> dict[str, list[History]]:
    """What earlier merges took in, as their tombstones tell."""
    merged: dict[str, list[History]] = {}
    for revision in found:
        if revision.deleted:
            into = orjson.loads(revision.body).get(MERGED_INTO)
            if type(into) is str:
                merged.setdefault(into, []).append(revision.revisions.revs()[1:])
    return merged


def _read_base(database: Database, doc_id: str, bases: Sequence[str]) -> Base | None:
    if len(bases) != 1:
        return None
    try:
        revision = database.get(doc_id, bases[0])
    except NotFound:
        return None
    digests = {name: info.digest for name, info in revision.attachments.items()}
    return Base(revision.rev, orjson.loads(revision.body), digests)


def _writes(database: Database, doc_id: str, plan: Plan) -> list[RevisionWrite]:
    merged = RevisionWrite(
        doc_id,
        _revisions(plan.history),
        plan.body,
        attachments={
            name: _copy(database, doc_id, rev, name) for name, rev in plan.attachments.items()
        },
    )
    tombstones = [
        RevisionWrite(doc_id, _revisions(tombstone.history), tombstone.body, deleted=True)
        for tombstone in plan.tombstones
    ]
    return [merged, *tombstones]


def _copy(database: Database, doc_id: str, rev: str, name: str) -> AttachmentWrite:
    info, content = database.attachment(doc_id, rev, name)
    with content as stream:
        data = stream.read()
    return AttachmentWrite(
        info.content_type, data, digest=info.digest, revpos=info.revpos, encoding=info.encoding
    )


def _revisions(history: Sequence[str]) -> Revisions:
    start = int(history[0].partition("-")[0])
    return Revisions(start, [rev.partition("-")[2] for rev in history])


def _case_notice(case: Case, leaves: Sequence[Leaf]) -> dict[str, Any]:
    fields = [conflict.field for conflict in case.conflicts]
    return {
        "resolver": RESOLVER,
        "leaves": list(case.leaves),
        "reason": case.reason,
        "fields": fields,
        "values": {
            conflict.field: {
                rev: None if value is MISSING else value for rev, value in conflict.values.items()
            }
            for conflict in case.conflicts
        },
        "authors": sorted({leaf.version.account for leaf in leaves}),
        "text_en": "This was changed on two tablets at once, in the same place. An administrator"
        " will settle it; you need to do nothing.",
        "text_km": "ទិន្នន័យនេះត្រូវបានកែប្រែលើថេប្លេតពីរក្នុងពេលតែមួយ នៅកន្លែងដដែល។"
        " អ្នកគ្រប់គ្រងនឹងដោះស្រាយ អ្នកមិនចាំបាច់ធ្វើអ្វីទេ។",
    }
