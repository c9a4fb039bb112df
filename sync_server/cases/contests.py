"""Contests: an author says that a value of theirs, which was not taken, is the right one.

The notice says which values; the case that a contest opens shows them beside what the document
says now, and stays open until an admin settles it or the author withdraws the contest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from conflict.merge import ATTACHMENTS
from sync_server.access import audit
from sync_server.cases.opening import Finding, close, contested, keep
from sync_server.cases.records import (
    BASE,
    CLAIM,
    CONTESTED,
    FORMER,
    LEAF,
    OPEN,
    Case,
    CaseVersion,
    find,
    open_cases,
    versions,
    with_role,
)
from sync_server.cases.tables import cases, contests


@dataclass(frozen=True, slots=True)
class Contest:
    """`fields`: as the notice tells them (see `telling.py`). `at`: when it was received."""

    doc_id: str
    notice: str
    account: str
    device: str
    text: str
    at: int
    document: str
    fields: Sequence[Mapping[str, Any]]
    deleted_by: int | None = None
    """The case by which the document was deleted, where that is contested."""


def known(connection: Connection, database: str, doc_ids: Sequence[str]) -> dict[str, str]:
    """Contests that were taken up, withdrawn ones too, and the documents that they are about."""
    query = (
        select(contests.c.contest, cases.c.document)
        .join(cases, cases.c.number == contests.c.case_number)
        .where(contests.c.database == database, contests.c.contest.in_(doc_ids))
    )
    return {row.contest: row.document for row in connection.execute(query)}


def take_up(
    connection: Connection,
    database: str,
    contest: Contest,
    area: str,
    leaves: Sequence[CaseVersion],
    resolver: str,
    now: int,
) -> int:
    """Open a case, or add to the one that is open; answers its number. `leaves`: those that the
    document has now.
    """
    present = open_cases(connection, database, [contest.document]).get(contest.document)
    finding = Finding(
        document=contest.document,
        area=area,
        reason=present.reason if present else CONTESTED,
        fields=sorted({*(present.fields if present else ()), *_names(contest)}),
        resolver=resolver,
        leaves=leaves,
        extra=[*_of_present(connection, present), *_claims(connection, database, contest, present)],
    )
    (number,) = keep(connection, database, [finding], now)
    _record(connection, database, contest, number, now)
    return number


def _names(contest: Contest) -> list[str]:
    return [str(told["field"]) for told in contest.fields]


def _of_present(connection: Connection, present: Case | None) -> list[CaseVersion]:
    """The base of the open case, which it must not lose."""
    if present is None:
        return []
    every = versions(connection, [present.number])[present.number]
    return [one for one in every if one.role == BASE]


def _claims(
    connection: Connection, database: str, contest: Contest, present: Case | None
) -> list[CaseVersion]:
    if contest.deleted_by is not None:
        return _deleted_versions(connection, database, contest)
    before = versions(connection, [present.number])[present.number] if present else []
    claims = {one.rev: one for one in before if one.role == CLAIM}
    for told in contest.fields:
        rev = str(told["your_revision"])
        claims[rev] = _with_value(claims.get(rev) or _claim(contest, rev), contest, told)
    return list(claims.values())


def _deleted_versions(connection: Connection, database: str, contest: Contest) -> list[CaseVersion]:
    """What the author had written, whole, from the case by which the document was deleted."""
    number = contest.deleted_by or 0
    if number not in find(connection, database, [number]):
        return []
    return [
        with_role(one, CLAIM)
        for one in versions(connection, [number])[number]
        if one.role in (LEAF, FORMER) and not one.deleted and one.account == contest.account
    ][-1:]


def _claim(contest: Contest, rev: str) -> CaseVersion:
    return CaseVersion(
        rev=rev,
        role=CLAIM,
        body=b"{}",
        account=contest.account,
        device=contest.device,
        captured_at=contest.at,
        received_at=contest.at,
        speaks_of=[],
    )


def _with_value(claim: CaseVersion, contest: Contest, told: Mapping[str, Any]) -> CaseVersion:
    name = str(told["field"])
    fields, files = dict(claim.fields), dict(claim.attachments)
    if "yours" in told and name.startswith(ATTACHMENTS):
        files[name.removeprefix(ATTACHMENTS)] = {
            "digest": told["yours"],
            "content_type": "",
            "length": 0,
        }
    elif "yours" in told:
        fields[name] = told["yours"]
    return replace(
        claim,
        body=orjson.dumps(fields),
        attachments=files,
        speaks_of=sorted({*(claim.speaks_of or ()), name}),
        writers={**claim.writers, name: contest.account},
    )


def _record(connection: Connection, database: str, contest: Contest, number: int, now: int) -> None:
    connection.execute(
        insert(contests).values(
            database=database,
            contest=contest.doc_id,
            case_number=number,
            notice=contest.notice,
            account=contest.account,
            text=contest.text,
            at=now,
            withdrawn=False,
        )
    )
    audit.record(
        connection,
        contest.account,
        "case.contest",
        contest.document,
        database=database,
        details={"case": number, "contest": contest.doc_id, "notice": contest.notice},
    )


def withdraw(connection: Connection, database: str, doc_id: str, by: str, now: int) -> None:
    """The author takes the contest back: its case is moot, unless something else holds it open.
    Nobody else can: where another account deletes the document, the case stays as it is.
    """
    row = connection.execute(
        select(contests.c.case_number, contests.c.account).where(
            contests.c.database == database,
            contests.c.contest == doc_id,
            contests.c.account == by,
            contests.c.withdrawn.is_(False),
        )
    ).first()
    if row is None:
        return
    connection.execute(
        update(contests)
        .where(contests.c.database == database, contests.c.contest == doc_id)
        .values(withdrawn=True)
    )
    case = find(connection, database, [row.case_number])[row.case_number]
    audit.record(
        connection,
        row.account,
        "case.withdraw",
        case.document,
        database=database,
        details={"case": case.number, "contest": doc_id},
    )
    alone = case.reason == CONTESTED and not contested(connection, [case.number])
    if case.state == OPEN and alone:
        close(connection, case, now)


def of_case(connection: Connection, number: int) -> list[Mapping[str, Any]]:
    """The contests of a case, withdrawn ones too, oldest first."""
    query = select(contests).where(contests.c.case_number == number).order_by(contests.c.at)
    return [dict(row) for row in connection.execute(query).mappings()]
