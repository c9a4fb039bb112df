"""First stage: concurrent edits become one revision again, or a case for a person.

The documents of a batch are read together and written together. What one document needs is in
one transaction, whole or not at all, and is the same whoever writes it: a crash, a second worker
or another server that does it again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conflict.branches import merged_into
from conflict.canonical import MISSING
from conflict.resolution import NO_BASE, RESOLVER, Case, Plan, Written, keep_winner
from sync_server.branches import Disputed, may_be_disputed, read_disputed
from sync_server.cases import telling
from sync_server.intake import casework, notices
from sync_server.intake.stage import Arrival, Intake
from sync_server.storage.base import AttachmentWrite, Revision, Revisions, RevisionWrite

CONFLICT = "conflict"
SERVERS_OWN = ("notice:", "review:")
MOST_MERGES = 20
"""Merges of one document within `MERGE_PERIOD_MS`: what goes round and round beyond that, be it
two releases that merge differently, stops with a person."""
MERGE_PERIOD_MS = 3_600_000
WRITE_BYTES = 1 << 20
"""Bodies in one transaction, about: tablets that push wait for its end."""

Planned = tuple[Disputed, Plan]
Opened = tuple[Disputed, Case]


def resolve_conflicts(intake: Intake, arrivals: Sequence[Arrival]) -> set[str]:
    """Merge what can be merged; tell the authors where a person must decide.

    Answers which documents were merged.
    """
    standing = notices.standing(intake.database, CONFLICT, [one.doc_id for one in arrivals])
    told = {one.doc_id for one in arrivals if _is_known(one, standing.get(one.doc_id, {}))}
    waiting = told & casework.waiting(intake, arrivals)
    suspects = [one.doc_id for one in arrivals if _is_suspect(one) and one.doc_id not in waiting]
    plans: list[Planned] = []
    cases: list[Opened] = []
    for one in read_disputed(intake.database, suspects):
        outcome = _resolve(one, intake.now())
        if isinstance(outcome, Plan):
            plans.append((one, outcome))
        else:
            cases.append((one, outcome))
    _carry_out(intake, plans)
    areas = {one.doc_id: one.state.area for one in arrivals}
    casework.open_for(intake, cases, areas)
    new = [case for case in cases if not _is_same(*case, standing.get(case[0].doc_id, {}))]
    _tell(intake, new, areas)
    open_ids = waiting | {one.doc_id for one, _ in cases}
    notices.withdraw(intake, CONFLICT, sorted(standing.keys() - open_ids))
    casework.close(intake, [one.doc_id for one in arrivals if one.doc_id not in open_ids])
    return {one.doc_id for one, _ in plans}


def _is_suspect(arrival: Arrival) -> bool:
    """What only servers write is in dispute where two of them wrote; nobody's deletion counts."""
    if arrival.doc_id.startswith(SERVERS_OWN):
        return arrival.is_conflicted
    return may_be_disputed(arrival.state)


def _is_known(arrival: Arrival, notice: Mapping[str, Any]) -> bool:
    """Whether these very leaves are a case already, for this resolver: here or on a server that
    this one replicates with. One that only lacked the base is no judge of who may have it.
    """
    seen = _key(leaf.rev for leaf in arrival.state.leaves)
    return notice.get("seen") == seen and notice.get("reason") != NO_BASE


def _is_same(one: Disputed, case: Case, notice: Mapping[str, Any]) -> bool:
    """Whether the notice says so already: two servers would take turns in rewriting it."""
    seen = _key(leaf.rev for leaf in one.leaves)
    return notice.get("seen") == seen and notice.get("reason") == case.reason


def _key(leaves: Iterable[str]) -> str:
    named = "\n".join([RESOLVER, *sorted(leaves)]).encode()
    return hashlib.md5(named, usedforsecurity=False).hexdigest()


def _resolve(one: Disputed, now: int) -> Plan | Case:
    if one.doc_id.startswith(SERVERS_OWN):
        return keep_winner(one.branches)
    outcome = one.resolve()
    if (
        isinstance(outcome, Plan)
        and _merges_since(one.leaves, now - MERGE_PERIOD_MS) >= MOST_MERGES
    ):
        return Case(one.branches.leaves, [], "too_often")
    return outcome


def _merges_since(leaves: Iterable[Revision], start: int) -> int:
    """As the tombstones tell, by when this server got them: it is this server that must rest."""
    recent = (leaf for leaf in leaves if leaf.deleted and leaf.origin.received_at >= start)
    return len({merged_into(leaf.body) for leaf in recent} - {None})


def _carry_out(intake: Intake, plans: Sequence[Planned]) -> None:
    for portion in _portions(plans):
        writes = [_write(one, written) for one, plan in portion for written in plan.writes]
        writes += casework.overridden(intake, portion)
        results = intake.store(writes, new_edits=False, whole=True)
        changed = {result.doc_id for result in results if result.changed}
        merged = changed & {one.doc_id for one, _ in portion}
        intake.metrics.documents_merged.inc(len(merged))
        intake.metrics.notices_written.labels(telling.KIND).inc(len(changed - merged))


def _portions(plans: Sequence[Planned]) -> Iterator[list[Planned]]:
    """Plans that are written together; one document's revisions are never apart."""
    portion: list[Planned] = []
    size = 0
    for one, plan in plans:
        portion.append((one, plan))
        size += sum(len(written.body) for written in plan.writes)
        if size >= WRITE_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _write(one: Disputed, written: Written) -> RevisionWrite:
    leaves = {leaf.rev: leaf for leaf in one.leaves}
    attachments = {
        name: _taken_from(one, leaves[rev], name) for name, rev in written.attachments.items()
    }
    start = int(written.history[0].partition("-")[0])
    revisions = Revisions(start, [rev.partition("-")[2] for rev in written.history])
    return RevisionWrite(one.doc_id, revisions, written.body, written.deleted, attachments)


def _taken_from(one: Disputed, leaf: Revision, name: str) -> AttachmentWrite:
    info = leaf.attachments[name]
    is_ancestor = leaf is one.leaves[0]
    of = None if is_ancestor else leaf.rev
    return AttachmentWrite(info.content_type, None, digest=info.digest, of=of)


def _tell(intake: Intake, cases: Sequence[Opened], areas: Mapping[str, str]) -> None:
    told = {one.doc_id: (areas[one.doc_id], _notice(one, case)) for one, case in cases}
    notices.tell(intake, CONFLICT, told)
    for _, case in cases:
        intake.metrics.cases_opened.labels(case.reason).inc()


def _notice(one: Disputed, case: Case) -> dict[str, Any]:
    return {
        "resolver": RESOLVER,
        "seen": _key(leaf.rev for leaf in one.leaves),
        "leaves": list(case.leaves),
        "reason": case.reason,
        "fields": [conflict.field for conflict in case.conflicts],
        "values": {
            conflict.field: {
                rev: None if value is MISSING else value for rev, value in conflict.values.items()
            }
            for conflict in case.conflicts
        },
        "authors": sorted({leaf.version.account for leaf in one.branches.live}),
        "text_en": "This was changed on two tablets at once, in the same place. An administrator"
        " will settle it; you need to do nothing.",
        "text_km": "ទិន្នន័យនេះត្រូវបានកែប្រែលើថេប្លេតពីរក្នុងពេលតែមួយ នៅកន្លែងដដែល។"
        " អ្នកគ្រប់គ្រងនឹងដោះស្រាយ អ្នកមិនចាំបាច់ធ្វើអ្វីទេ។",
    }
