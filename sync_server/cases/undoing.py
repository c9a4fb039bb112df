"""Undoing a decision: every leaf that it saw is live again as it was, and the case is open.

What the leaves said is in the case, so compaction cannot take it away; only the content of an
attachment can be gone, and then undoing is refused. So it is when the document has moved on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Row, select, update

from sync_server.access import audit
from sync_server.cases import outbox, writing
from sync_server.cases.filing import swap_leaves
from sync_server.cases.outbox import SETTLE, UNDO, Entry
from sync_server.cases.reading import Known, read
from sync_server.cases.records import (
    CLAIM,
    OPEN,
    SETTLED,
    CaseVersion,
    open_cases,
    recorded,
)
from sync_server.cases.settling import Outcome, write
from sync_server.cases.staleness import moved_on
from sync_server.cases.tables import case_decisions, cases
from sync_server.errors import Conflict, NotFound, SyncError
from sync_server.storage.base import Database, Origin, Revision

DAY_MS = 86_400_000


def undo(
    sql: Engine, database: Database, numbers: Sequence[int], by: Origin, undo_days: int
) -> list[Outcome]:
    """Undo the last decision of each of the cases; each stands for itself."""
    outbox.write_pending(sql, database)
    outcomes: list[Outcome] = []
    for start in range(0, len(numbers), outbox.BATCH):
        batch = numbers[start : start + outbox.BATCH]
        outcomes += _undo(sql, database, batch, by, undo_days)
    return outcomes


def _undo(
    sql: Engine, database: Database, numbers: Sequence[int], by: Origin, undo_days: int
) -> list[Outcome]:
    known = read(sql, database, numbers)
    with sql.connect().execution_options(read_only=True) as connection:
        decisions = _last_decisions(connection, list(known))
    oldest = by.received_at - undo_days * DAY_MS
    done: list[Entry | SyncError] = []
    for number in numbers:
        try:
            entry = _entry(database, known.get(number), decisions.get(number), by, oldest)
            with sql.begin() as connection:
                done.append(_committed(connection, entry, known[number].versions))
        except SyncError as error:
            done.append(error)
    failed = write(sql, database)
    return [_outcome(number, one, failed) for number, one in zip(numbers, done, strict=True)]


def _outcome(number: int, done: Entry | SyncError, failed: dict[int, str]) -> Outcome:
    if isinstance(done, SyncError):
        return Outcome(number, None, done)
    if done.number in failed:
        return Outcome(number, None, Conflict(failed[done.number]))
    return Outcome(number, done.rev)


# -- what is to be written -----------------------------------------------------------


def _last_decisions(connection: Connection, numbers: Sequence[int]) -> dict[int, Row[Any]]:
    """The decision that settled each case."""
    query = (
        select(case_decisions)
        .where(case_decisions.c.case_number.in_(numbers), case_decisions.c.failed.is_(None))
        .order_by(case_decisions.c.number)
    )
    return {row.case_number: row for row in connection.execute(query) if row.action == SETTLE}


def _entry(
    database: Database, known: Known | None, decision: Row[Any] | None, by: Origin, oldest: int
) -> Entry:
    if known is None:
        raise NotFound("There is no such case.")
    case = known.case
    if case.state != SETTLED or decision is None:
        raise Conflict(f"Case {case.number} is {case.state}: there is no decision to undo.")
    if decision.at < oldest:
        raise Conflict(
            f"Case {case.number} was settled too long ago to be undone: edit the document instead."
        )
    details = orjson.loads(decision.details)
    ends = _ends(database, known, details["ends"])
    by_rev = {one.rev: one for one in known.versions if one.role != CLAIM}
    former = [by_rev[rev] for rev in ends]
    kept = _revisions(database, case.document, [*(end.rev for end in ends.values()), *ends])
    revisions = writing.restoration([(one, ends[one.rev]) for one in former], kept)
    return Entry(
        case=case.number,
        database=case.database,
        document=case.document,
        action=UNDO,
        origin=by,
        seen=[end.rev for end in ends.values()],
        details={
            "decision": decision.number,
            "made": [one.rev for one in revisions],
            "former": [one.rev for one in former],
            "leaves": list(case.leaves),
            "closed_by": case.closed_by,
            "closed_at": case.closed_at,
        },
        revisions=revisions,
        withdrawn=details["told"],
    )


def _ends(database: Database, known: Known, ends: Mapping[str, str]) -> dict[str, Revision]:
    """Former leaf → what the decision put on it. Raises Conflict where the document moved on."""
    document = known.case.document
    written = {one.rev: one for one in _revisions(database, document, ends.values())}
    (state,) = database.states([document])
    leaves = {leaf.rev for leaf in state.leaves} if state else set()
    decided = next(iter(ends.values()))
    if [leaf.rev for leaf in known.leaves] != [decided] or not set(ends.values()) <= leaves:
        versions = [*known.versions, *(recorded(one) for one in written.values())]
        raise moved_on(known.case, [decided], known.leaves, versions)
    return {former: written[end] for former, end in ends.items()}


def _revisions(database: Database, document: str, revs: Iterable[str]) -> list[Revision]:
    """Those that are kept."""
    answers = database.bulk_get([(document, rev) for rev in revs])
    return [one for answer in answers for one in answer if isinstance(one, Revision)]


# -- and committed -------------------------------------------------------------------


def _committed(connection: Connection, entry: Entry, versions: Sequence[CaseVersion]) -> Entry:
    """Raises Conflict."""
    others = open_cases(connection, entry.database, [entry.document])
    if entry.document in others:
        number = others[entry.document].number
        raise Conflict(f"Case {number} is open on this document: settle that one.", case=number)
    done = connection.execute(
        update(cases)
        .where(cases.c.number == entry.case, cases.c.state == SETTLED)
        .values(state=OPEN, closed_by=None, closed_at=None, changed_at=entry.origin.received_at)
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else has just changed this case: look at it again.")
    _stand_on_the_restored(connection, entry, versions)
    audit.record(
        connection,
        entry.origin.account,
        "case.undo",
        entry.document,
        database=entry.database,
        details={"case": entry.case, "decision": entry.details["decision"], "rev": entry.rev},
    )
    return replace(entry, number=outbox.add(connection, entry))


def _stand_on_the_restored(
    connection: Connection, entry: Entry, versions: Sequence[CaseVersion]
) -> None:
    by_rev = {one.rev: one for one in versions if one.role != CLAIM}
    restored = [
        replace(by_rev[former], rev=made.rev)
        for former, made in zip(entry.details["former"], entry.revisions, strict=True)
    ]
    swap_leaves(connection, entry.case, [one.rev for one in restored], restored)
