"""Admins settle cases, one or many: each decision stands for itself and has its own outcome.

A decision names the leaves that were on screen, and is refused when others are there. What is
decided is in SQL before it is in the database of documents, see `outbox.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import Connection, Engine, update

from sync_server.access import audit
from sync_server.cases import outbox, telling, writing
from sync_server.cases.outbox import BATCH, SETTLE, Entry
from sync_server.cases.reading import Known, read
from sync_server.cases.records import OPEN, SETTLED
from sync_server.cases.results import Decision, result
from sync_server.cases.staleness import require_open, require_seen
from sync_server.cases.tables import cases
from sync_server.cases.telling import Judgement
from sync_server.errors import Conflict, NotFound, SyncError, Unavailable
from sync_server.storage.base import Database, Origin, Revision

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one decision. `rev`: what it makes of the winning revision."""

    case: int
    rev: str | None = None
    error: SyncError | None = None


def settle(
    sql: Engine, database: Database, decisions: Sequence[Decision], by: Origin
) -> list[Outcome]:
    """Take decisions; outcomes stand in their order. `by`: the admin, their device, and now."""
    outbox.write_pending(sql, database)
    outcomes: list[Outcome] = []
    for start in range(0, len(decisions), BATCH):
        outcomes += _settle(sql, database, decisions[start : start + BATCH], by)
    return outcomes


def _settle(
    sql: Engine, database: Database, decisions: Sequence[Decision], by: Origin
) -> list[Outcome]:
    known = read(sql, database, [decision.case for decision in decisions])
    planned = [_planned(database, known.get(one.case), one, by) for one in decisions]
    with sql.begin() as connection:
        committed = [
            _committed(connection, entry) if isinstance(entry, Entry) else entry
            for entry in planned
        ]
    failed = write(sql, database)
    return [_outcome(one, entry, failed) for one, entry in zip(decisions, committed, strict=True)]


def write(sql: Engine, database: Database) -> dict[int, str]:
    """What is decided stands, even where it cannot be stored at this moment."""
    try:
        return outbox.write_pending(sql, database).failed
    except Unavailable as error:
        _log.warning("decisions in %s are written later: %s", database.name, error.reason)
        return {}


def _outcome(decision: Decision, entry: Entry | SyncError, failed: dict[int, str]) -> Outcome:
    if isinstance(entry, SyncError):
        return Outcome(decision.case, None, entry)
    if entry.number in failed:
        return Outcome(decision.case, None, Conflict(failed[entry.number]))
    return Outcome(decision.case, entry.rev)


# -- what is to be written -----------------------------------------------------------


def _planned(
    database: Database, known: Known | None, decision: Decision, by: Origin
) -> Entry | SyncError:
    try:
        return _entry(database, known, decision, by)
    except SyncError as error:
        return error


def _entry(database: Database, known: Known | None, decision: Decision, by: Origin) -> Entry:
    if known is None:
        raise NotFound(f"There is no case {decision.case}.")
    case = known.case
    require_open(case)
    require_seen(case, decision.leaves, known.leaves, known.versions)
    if decision.shape not in (None, case.shape):
        raise Conflict(f"Case {case.number} is about other fields by now: look at it again.")
    made = result(known.contents, decision)
    revisions = writing.settlement(made, known.leaves, _kept(database, known))
    judgement = Judgement(
        case.document, case.type, revisions[0].rev, by.account, case.number, made.fields is None
    )
    told = telling.notices(judgement, telling.by_decision(known.contents, made, by.account))
    return Entry(
        case=case.number,
        database=case.database,
        document=case.document,
        action=SETTLE,
        origin=by,
        seen=decision.leaves,
        details={
            "how": decision.how(),
            "made": [one.rev for one in revisions],
            "told": [one.doc_id for one in told],
            "ends": {leaf.rev: one.rev for leaf, one in zip(known.leaves, revisions, strict=True)},
        },
        revisions=revisions,
        told=told,
        withdrawn=known.notices,
    )


def _kept(database: Database, known: Known) -> list[Revision]:
    """Where attachments may be copied from: the leaves, and what else has some."""
    present = known.contents
    others = [present.base, *present.claims] if present.base else present.claims
    wanted = [(known.case.document, one.rev) for one in others if one.attachments]
    answers = database.bulk_get(wanted) if wanted else []
    return [
        *known.leaves,
        *(one for found in answers for one in found if isinstance(one, Revision)),
    ]


# -- and committed -------------------------------------------------------------------


def _committed(connection: Connection, entry: Entry) -> Entry | SyncError:
    """In the caller's transaction; the error where somebody else was faster."""
    done = connection.execute(
        update(cases)
        .where(
            cases.c.number == entry.case,
            cases.c.state == OPEN,
            cases.c.leaves == orjson.dumps(sorted(entry.seen)).decode(),
        )
        .values(
            state=SETTLED,
            closed_by=entry.origin.account,
            closed_at=entry.origin.received_at,
            changed_at=entry.origin.received_at,
        )
    )
    if done.rowcount != 1:
        return Conflict("Somebody else has just settled this case: look at it again.")
    audit.record(
        connection,
        entry.origin.account,
        "case.settle",
        entry.document,
        database=entry.database,
        details={
            "case": entry.case,
            "leaves": sorted(entry.seen),
            "rev": entry.rev,
            **entry.details["how"],
        },
    )
    return replace(entry, number=outbox.add(connection, entry))
