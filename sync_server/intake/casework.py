"""What the resolve stage hands over to people: cases, and notices of values that were not taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import schemas
from conflict.canonical import MISSING
from conflict.merge import Override
from conflict.resolution import DELETED, RESOLVER, Case, Plan
from sync_server.access.areas import office_of
from sync_server.branches import Disputed
from sync_server.cases import opening, overrides, telling
from sync_server.cases.audience import within_reach
from sync_server.cases.opening import Finding
from sync_server.cases.outbox import unwritten
from sync_server.cases.overrides import NotTaken
from sync_server.cases.reading import every_leaf, with_a_say
from sync_server.cases.records import (
    BASE,
    CONTESTED,
    LEAF,
    CaseVersion,
    open_cases,
    recorded,
    type_of,
)
from sync_server.cases.records import Case as OpenCase
from sync_server.cases.telling import Judgement
from sync_server.cases.writers import writers
from sync_server.intake.stage import Arrival, Intake
from sync_server.storage.base import Revision, RevisionWrite


def waiting(intake: Intake, arrivals: Sequence[Arrival]) -> set[str]:
    """Documents that have an open case for the leaves that they have now."""
    with intake.sql.connect().execution_options(read_only=True) as connection:
        found = open_cases(connection, intake.database.name, [one.doc_id for one in arrivals])
    return {
        one.doc_id
        for one in arrivals
        if one.doc_id in found and _is_about(found[one.doc_id].leaves, one)
    }


def _is_about(leaves: Iterable[str], arrival: Arrival) -> bool:
    every = {leaf.rev for leaf in arrival.state.leaves}
    live = {leaf.rev for leaf in arrival.state.leaves if not leaf.deleted}
    return live <= set(leaves) <= every


def open_for(
    intake: Intake, cases: Sequence[tuple[Disputed, Case]], areas: Mapping[str, str]
) -> None:
    """Open the cases, or bring them up to date."""
    if not cases:
        return
    bases = _bases(intake, [one for one, _ in cases])
    findings = [
        _finding(intake, one, case, areas[one.doc_id], bases.get(one.doc_id)) for one, case in cases
    ]
    with intake.sql.begin() as connection:
        opening.keep(connection, intake.database.name, findings, intake.now())


def _bases(intake: Intake, disputed: Sequence[Disputed]) -> dict[str, Revision]:
    wanted = [(one.doc_id, one.base.rev) for one in disputed if one.base]
    answers = intake.database.bulk_get(wanted) if wanted else []
    return {one.doc_id: one for answer in answers for one in answer if isinstance(one, Revision)}


def _finding(
    intake: Intake, one: Disputed, case: Case, area: str, base: Revision | None
) -> Finding:
    fields = [conflict.field for conflict in case.conflicts]
    return Finding(
        document=one.doc_id,
        area=office_of(area),
        reason=case.reason,
        fields=fields,
        resolver=RESOLVER,
        leaves=[
            version(intake, leaf, one.base.rev if one.base else None, one.leaves, fields)
            for leaf in one.leaves
            if leaf.rev in set(case.leaves)
        ],
        extra=[recorded(base, BASE)] if base else [],
    )


def version(
    intake: Intake,
    leaf: Revision,
    base: str | None,
    leaves: Sequence[Revision],
    fields: Sequence[str],
) -> CaseVersion:
    """A leaf as a case keeps it, with who wrote what it says of these fields."""
    if leaf.deleted:
        return recorded(leaf, LEAF)
    named = [name for name in fields if name != DELETED]
    tombstones = [one for one in leaves if one.deleted]
    return recorded(leaf, LEAF, writers=writers(intake.database, leaf, base, tombstones, named))


def close(intake: Intake, doc_ids: Sequence[str]) -> None:
    """Of these documents no leaves are in dispute: their cases are moot, unless contested."""
    name = intake.database.name
    with intake.sql.connect().execution_options(read_only=True) as connection:
        found = open_cases(connection, name, doc_ids) if doc_ids else {}
        contested = opening.contested(connection, [case.number for case in found.values()])
    if not found:
        return
    staying = [doc_id for doc_id, case in found.items() if case.number in contested]
    findings = _contested(intake, staying, found)
    with intake.sql.begin() as connection:
        pending = unwritten(connection, [case.number for case in found.values()])
        opening.keep(
            connection,
            name,
            [one for one in findings if found[one.document].number not in pending],
            intake.now(),
        )
        for doc_id, case in found.items():
            if doc_id not in staying and case.number not in pending:
                opening.close(connection, case, intake.now())


def _contested(
    intake: Intake, doc_ids: Sequence[str], found: Mapping[str, OpenCase]
) -> list[Finding]:
    """What the contested documents say by now."""
    if not doc_ids:
        return []
    every = every_leaf(intake.database, doc_ids)
    states = zip(doc_ids, intake.database.states(doc_ids), strict=True)
    areas = {doc_id: state.area for doc_id, state in states if state is not None}
    return [
        Finding(
            document=doc_id,
            area=office_of(areas.get(doc_id, found[doc_id].area)),
            reason=CONTESTED,
            fields=(),
            resolver=RESOLVER,
            leaves=[
                version(intake, leaf, None, every[doc_id], found[doc_id].fields)
                for leaf in with_a_say(every[doc_id])
            ],
        )
        for doc_id in doc_ids
    ]


# -- values that were not taken --------------------------------------------------------


def overridden(intake: Intake, plans: Sequence[tuple[Disputed, Plan]]) -> list[RevisionWrite]:
    """Keep what the policies did not take, and tell its authors; the notices are to be stored in
    the transaction of the merge.
    """
    rows = [
        NotTaken(
            one.doc_id,
            plan.rev,
            one.branches.leaves,
            [_kept(one, override) for override in plan.overrides],
        )
        for one, plan in plans
        if plan.overrides
    ]
    if not rows:
        return []
    overrides.keep(intake.sql, intake.database.name, rows, intake.now())
    told = [(one.doc_id, notice) for one, plan in plans for notice in _notices(intake, one, plan)]
    heard = within_reach(intake.sql, intake.database, told, intake.now())
    return telling.writes(intake.database, heard) if heard else []


def _kept(one: Disputed, override: Override) -> dict[str, object]:
    accounts = {leaf.rev: leaf.origin.account for leaf in one.leaves}
    values = {"value": override.value, "chosen": override.chosen}
    return {
        "field": override.field,
        "rev": override.rev,
        "account": accounts.get(override.rev, ""),
        **{name: value for name, value in values.items() if value is not MISSING},
    }


def _notices(intake: Intake, one: Disputed, plan: Plan) -> list[telling.Notice]:
    told = [override for override in plan.overrides if override.field not in schemas.BOOKKEEPING]
    if not told:
        return []
    fields = sorted({override.field for override in told})
    base = one.base.rev if one.base else None
    leaves = [
        version(intake, leaf, base, one.leaves, fields) for leaf in one.leaves if not leaf.deleted
    ]
    judgement = Judgement(one.doc_id, type_of(leaves[0].fields), plan.rev)
    return telling.notices(judgement, telling.by_policy(told, leaves))
