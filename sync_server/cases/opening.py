"""Opening cases, keeping them up to date with the leaves, and closing those that are moot.

A case is known by its document and the set of leaves: the same set is the same case, so opening
it again changes nothing. When the set changes, the open case takes on the new one and remembers
the versions it had.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, insert, select, update

from sync_server.access import audit
from sync_server.cases import filing
from sync_server.cases.filing import Filed
from sync_server.cases.outbox import unwritten
from sync_server.cases.records import (
    BASE,
    CLAIM,
    CONTESTED,
    FORMER,
    OBSOLETE,
    OPEN,
    SETTLED,
    Case,
    CaseVersion,
    latest,
    shape,
    type_of,
    versions,
    with_role,
)
from sync_server.cases.tables import cases, contests, one_writer

STORED_WITHIN_MS = 60_000
"""For how long a stage may still see the leaves of before a decision that is stored already."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person must settle. `leaves`: the winner first; `extra`: the base, contested values.

    `reason`: `fields`, `no_base`, `several_bases`, `edit_delete`, `too_many_merges` or `contested`.
    """

    document: str
    area: str
    reason: str
    fields: Sequence[str]
    resolver: str
    leaves: Sequence[CaseVersion]
    extra: Sequence[CaseVersion] = ()

    @property
    def revs(self) -> list[str]:
        return sorted(version.rev for version in self.leaves)

    @property
    def type(self) -> str:
        every = [*self.leaves, *self.extra]
        return next(filter(None, (type_of(version.fields) for version in every)), "")


def keep(connection: Connection, database: str, findings: Sequence[Finding], now: int) -> list[int]:
    """Open a case for each finding, or bring the open one up to date; answers their numbers."""
    one_writer(connection, cases)
    known = latest(connection, database, [finding.document for finding in findings])
    lost = _decided_and_lost(connection, known.values(), now)
    fresh = [one for one in findings if _is_new(one, known.get(one.document), lost)]
    numbers = _open(connection, database, fresh, now)
    for finding in findings:
        if finding.document not in numbers:
            case = known[finding.document]
            numbers[finding.document] = case.number
            if case.state != SETTLED:  # decided: its revisions are about to be written
                _update(connection, case, finding, now)
    return [numbers[finding.document] for finding in findings]


def _is_new(finding: Finding, last: Case | None, lost: Collection[int]) -> bool:
    """Whether the last case of the document is about something else, or was decided in vain."""
    if last is None or last.state == OPEN:
        return last is None
    if last.state != SETTLED or last.leaves != finding.revs:
        return last.leaves != finding.revs
    return finding.reason == CONTESTED or last.number in lost


def _decided_and_lost(connection: Connection, last: Iterable[Case], now: int) -> set[int]:
    """Cases that were decided so long ago that what was decided stands, if it ever will.

    Where their leaves are there all the same, the documents were put back to a time before it.
    """
    old = [
        case.number
        for case in last
        if case.state == SETTLED and now - (case.closed_at or now) > STORED_WITHIN_MS
    ]
    return set(old) - unwritten(connection, old) if old else set()


def _open(
    connection: Connection, database: str, findings: Sequence[Finding], now: int
) -> dict[str, int]:
    """Answers the number of each document's new case."""
    if not findings:
        return {}
    rows = [
        {
            "database": database,
            "document": finding.document,
            "state": OPEN,
            "opened_at": now,
            **_described(finding, finding.fields, finding.reason, now),
        }
        for finding in findings
    ]
    made = insert(cases).returning(cases.c.number, sort_by_parameter_order=True)
    numbers = list(connection.execute(made, rows).scalars())
    opened = list(zip(numbers, findings, strict=True))
    filing.add(
        connection,
        [
            Filed(number, [*finding.leaves, *finding.extra], finding.fields)
            for number, finding in opened
        ],
    )
    _record(connection, "case.open", database, opened)
    return {finding.document: number for number, finding in opened}


def _update(connection: Connection, case: Case, finding: Finding, now: int) -> None:
    """Take on the finding; what is contested in the case stays contested."""
    known = versions(connection, [case.number])[case.number]
    if case.state == OPEN and case.leaves == finding.revs and _knows_more(known, finding):
        return
    claims = [one for one in known if one.role == CLAIM]
    disputed = {name for one in [*claims, *finding.extra] for name in one.speaks_of or ()}
    fields = sorted({*finding.fields, *disputed})
    described = _described(finding, fields, finding.reason, now)
    if case.state == OPEN and _stands(case, described) and not _new(known, finding):
        return
    connection.execute(
        update(cases)
        .where(cases.c.number == case.number)
        .values(state=OPEN, closed_by=None, closed_at=None, **described)
    )
    filing.replace(connection, Filed(case.number, _remembering(known, finding), fields))
    _record(connection, "case.change", case.database, [(case.number, finding)])


def _described(finding: Finding, fields: Sequence[str], reason: str, now: int) -> dict[str, object]:
    return {
        "type": finding.type,
        "area": finding.area,
        "reason": reason,
        "fields": orjson.dumps(sorted(fields)).decode(),
        "shape": shape(finding.type, fields),
        "leaves": orjson.dumps(finding.revs).decode(),
        "resolver": finding.resolver,
        "changed_at": now,
    }


def _stands(case: Case, described: dict[str, object]) -> bool:
    """Whether the case says this already."""
    return (
        orjson.dumps(case.leaves).decode() == described["leaves"]
        and orjson.dumps(case.fields).decode() == described["fields"]
        and all(
            getattr(case, name) == described[name]
            for name in ("type", "area", "reason", "resolver")
        )
    )


def _knows_more(known: Sequence[CaseVersion], finding: Finding) -> bool:
    """Whether the case still has the base, where compaction has dropped it since."""
    has, brings = (any(one.role == BASE for one in some) for some in (known, finding.extra))
    return has and not brings and finding.reason != CONTESTED


def _new(known: Sequence[CaseVersion], finding: Finding) -> bool:
    """Whether the finding brings a contested value that the case does not have."""
    return any(one.role == CLAIM and one not in known for one in finding.extra)


def _remembering(known: Sequence[CaseVersion], finding: Finding) -> list[CaseVersion]:
    """The versions of the finding, contested ones, and those that the case had before."""
    now_there = {(one.rev, one.role): one for one in [*finding.leaves, *finding.extra]}
    before = [
        one if one.role in (CLAIM, FORMER) else with_role(one, FORMER)
        for one in known
        if (one.rev, one.role) not in now_there
    ]
    return list({**{(one.rev, one.role): one for one in before}, **now_there}.values())


def _record(
    connection: Connection, action: str, database: str, cases_: Sequence[tuple[int, Finding]]
) -> None:
    audit.record_all(
        connection,
        audit.SERVER,
        action,
        [
            (
                finding.document,
                {
                    "case": number,
                    "reason": finding.reason,
                    "fields": list(finding.fields),
                    "leaves": finding.revs,
                },
            )
            for number, finding in cases_
        ],
        database=database,
    )


def contested(connection: Connection, numbers: Sequence[int]) -> set[int]:
    """Those of the cases that somebody contests: they stay open until a person closes them."""
    query = select(contests.c.case_number).where(
        contests.c.case_number.in_(numbers), contests.c.withdrawn.is_(False)
    )
    return set(connection.execute(query).scalars())


def close(connection: Connection, case: Case, now: int) -> None:
    """The conflict is gone without a decision."""
    connection.execute(
        update(cases)
        .where(cases.c.number == case.number, cases.c.state == OPEN)
        .values(state=OBSOLETE, closed_by=audit.SERVER, closed_at=now, changed_at=now)
    )
    audit.record(
        connection,
        audit.SERVER,
        "case.obsolete",
        case.document,
        database=case.database,
        details={"case": case.number, "leaves": list(case.leaves)},
    )
