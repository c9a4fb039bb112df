"""Decisions on their way from SQL into the database of documents.

A decision is committed in SQL first: the case's new state, the audit entry, and in full the
revisions that follow from it. Then they are stored, then the mark is taken off. A crash in
between leaves the mark, and whoever comes by next (the API, the intake, the job) writes them:
their ids are fixed, so storing them twice changes nothing. Revisions that arrived meanwhile are
branches beside the decision, and are resolved as any others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, insert, select, update

from sync_server.access import audit
from sync_server.cases import telling
from sync_server.cases.audience import within_reach
from sync_server.cases.filing import swap_leaves
from sync_server.cases.records import OPEN, SETTLED, open_cases
from sync_server.cases.tables import case_decisions, cases
from sync_server.cases.telling import Notice
from sync_server.cases.writing import NewRevision, revisions_of
from sync_server.errors import SyncError, Unavailable
from sync_server.storage.base import AttachmentWrite, Database, Origin, RevisionWrite

BATCH = 50
SETTLE = "settle"
UNDO = "undo"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision, and what it writes."""

    case: int
    database: str
    document: str
    action: str
    origin: Origin
    """The admin, and when they decided."""
    seen: Sequence[str]
    details: Mapping[str, Any]
    revisions: Sequence[NewRevision]
    told: Sequence[Notice] = ()
    withdrawn: Sequence[str] = ()
    number: int = 0

    @property
    def rev(self) -> str:
        return self.revisions[0].rev


def add(connection: Connection, entry: Entry) -> int:
    """Keep a decision in the caller's transaction; answers its number."""
    done = connection.execute(
        insert(case_decisions).values(
            case_number=entry.case,
            database=entry.database,
            document=entry.document,
            action=entry.action,
            actor=entry.origin.account,
            device=entry.origin.device,
            at=entry.origin.received_at,
            seen=orjson.dumps(sorted(entry.seen)).decode(),
            rev=entry.rev,
            details=orjson.dumps(entry.details).decode(),
            writes=_encode(entry),
        )
    )
    return int(done.inserted_primary_key[0]) if done.inserted_primary_key else 0


def _encode(entry: Entry) -> str:
    return orjson.dumps(
        {
            "revisions": [
                [list(one.history), one.body.decode(), one.deleted, dict(one.attachments)]
                for one in entry.revisions
            ],
            "told": [[one.doc_id, one.area, one.body.decode()] for one in entry.told],
            "withdrawn": list(entry.withdrawn),
        }
    ).decode()


def _decode(row: Any) -> Entry:
    written = orjson.loads(row.writes)
    return Entry(
        case=row.case_number,
        database=row.database,
        document=row.document,
        action=row.action,
        origin=Origin(row.actor, row.device, row.at),
        seen=orjson.loads(row.seen),
        details=orjson.loads(row.details),
        revisions=[
            NewRevision(
                history,
                body.encode(),
                deleted,
                {name: (rev, kind, digest) for name, (rev, kind, digest) in files.items()},
            )
            for history, body, deleted, files in written["revisions"]
        ],
        told=[Notice(doc_id, area, body.encode()) for doc_id, area, body in written["told"]],
        withdrawn=written["withdrawn"],
        number=row.number,
    )


@dataclass(frozen=True, slots=True)
class Report:
    """What `write_pending` did."""

    documents: set[str] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    """Why, for decisions that cannot be stored: their cases are open again."""


def write_pending(sql: Engine, database: Database) -> Report:
    """Store what was decided and is not there yet."""
    report = Report()
    while entries := _pending(sql, database.name):
        report.documents.update(entry.document for entry in entries)
        report.failed.update(_write(sql, database, entries))
    return report


def _pending(sql: Engine, database: str) -> list[Entry]:
    query = (
        select(case_decisions)
        .where(case_decisions.c.database == database, case_decisions.c.writes.is_not(None))
        .order_by(case_decisions.c.number)
        .limit(BATCH)
    )
    with sql.connect().execution_options(read_only=True) as connection:
        return [_decode(row) for row in connection.execute(query)]


def unwritten(connection: Connection, cases_: Sequence[int]) -> set[int]:
    """Those of the cases whose last decision is not stored yet."""
    query = select(case_decisions.c.case_number).where(
        case_decisions.c.case_number.in_(cases_), case_decisions.c.writes.is_not(None)
    )
    return set(connection.execute(query).scalars())


def _write(sql: Engine, database: Database, entries: Sequence[Entry]) -> dict[int, str]:
    failed: dict[int, str] = {}
    for origin, group in groupby(entries, key=lambda entry: entry.origin):
        failed.update(_store(database, list(group), origin))
    done = [entry for entry in entries if entry.number not in failed]
    told = [(entry.document, notice) for entry in done for notice in entry.told]
    notices = telling.writes(
        database,
        within_reach(sql, database, told, entries[-1].origin.received_at),
        [doc_id for entry in done for doc_id in entry.withdrawn],
    )
    database.bulk_docs(
        notices,
        new_edits=False,
        origin=Origin(audit.SERVER, "", entries[-1].origin.received_at),
        whole=True,
    )
    with sql.begin() as connection:
        _mark(connection, [entry.number for entry in done])
        for entry in entries:
            if entry.number in failed:
                _fail(connection, entry, failed[entry.number])
    return failed


def _store(database: Database, entries: Sequence[Entry], origin: Origin) -> dict[int, str]:
    """In one transaction if it can be, else each for itself; answers why some cannot."""
    writes = [write for entry in entries for write in _revisions(entry)]
    try:
        database.bulk_docs(writes, new_edits=False, origin=origin, whole=True)
    except Unavailable:
        raise
    except SyncError as error:
        if len(entries) == 1:
            return {entries[0].number: error.reason}
        failed: dict[int, str] = {}
        for entry in entries:
            failed.update(_store(database, [entry], origin))
        return failed
    return {}


def _revisions(entry: Entry) -> list[RevisionWrite]:
    return [
        RevisionWrite(
            entry.document,
            revisions_of(one.history),
            one.body,
            one.deleted,
            {name: _stub(*source) for name, source in one.attachments.items()},
        )
        for one in entry.revisions
    ]


def _stub(rev: str, content_type: str, digest: str) -> AttachmentWrite:
    return AttachmentWrite(content_type, None, digest=digest, of=rev)


def _mark(connection: Connection, numbers: Sequence[int]) -> None:
    connection.execute(
        update(case_decisions).where(case_decisions.c.number.in_(numbers)).values(writes=None)
    )


def _fail(connection: Connection, entry: Entry, reason: str) -> None:
    """The decision cannot be written: the case is as it was before, unless it went on."""
    _log.error("decision %d on %s cannot be written: %s", entry.number, entry.document, reason)
    connection.execute(
        update(case_decisions)
        .where(case_decisions.c.number == entry.number)
        .values(writes=None, failed=reason)
    )
    (reopen if entry.action == SETTLE else settle_again)(connection, entry)
    audit.record(
        connection,
        audit.SERVER,
        "case.fail",
        entry.document,
        database=entry.database,
        details={"case": entry.case, "action": entry.action, "reason": reason},
    )


def reopen(connection: Connection, entry: Entry) -> None:
    """The case is open again, unless the document has another one by now."""
    if not open_cases(connection, entry.database, [entry.document]):
        connection.execute(
            update(cases)
            .where(cases.c.number == entry.case, cases.c.state == SETTLED)
            .values(state=OPEN, closed_by=None, closed_at=None)
        )


def settle_again(connection: Connection, entry: Entry) -> None:
    """The undoing did not come about."""
    swap_leaves(connection, entry.case, entry.details["leaves"])
    connection.execute(
        update(cases)
        .where(cases.c.number == entry.case, cases.c.state == OPEN)
        .values(
            state=SETTLED,
            closed_by=entry.details["closed_by"],
            closed_at=entry.details["closed_at"],
        )
    )
