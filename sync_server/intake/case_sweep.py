"""Looks at all that is in question: what a crash, or a restored database of the service, left
behind is put right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from sync_server.access.placing import NO_PLACES, Places
from sync_server.cases import contests, queries
from sync_server.intake.contest import CONTEST
from sync_server.intake.pipeline import BATCH, now_ms, process
from sync_server.intake.stage import Intake
from sync_server.metrics import Metrics
from sync_server.storage.base import Database, DocumentStore

_AFTER_CONTESTS = CONTEST[:-1] + chr(ord(CONTEST[-1]) + 1)


def sweep_cases(
    store: DocumentStore,
    sql: Engine,
    name: str,
    *,
    places: Places = NO_PLACES,
    now: Callable[[], int] = now_ms,
    metrics: Metrics | None = None,
) -> None:
    """Judge the documents of open cases again, and take up contests that no case knows of.
    Conflicted documents without a case are `pipeline.sweep`'s.
    """
    intake = Intake(store.database(name), sql, now, places, metrics or Metrics())
    for doc_ids in [*_in_question(sql, name), *_unknown_contests(sql, intake.database)]:
        process(intake, doc_ids)


def rebuild_cases(
    store: DocumentStore,
    sql: Engine,
    name: str,
    *,
    places: Places = NO_PLACES,
    now: Callable[[], int] = now_ms,
) -> int:
    """Judge every document that has more than one leaf: for a database of the service that was
    restored from an older backup. Answers how many documents were looked at.
    """
    intake = Intake(store.database(name), sql, now, places)
    since, count = "0", 0
    while (page := intake.database.changes(since, limit=BATCH)).rows:
        doc_ids = [row.doc_id for row in page.rows if len(row.leaves) > 1 and not row.deleted]
        process(intake, doc_ids)
        since, count = page.last_seq, count + len(doc_ids)
    sweep_cases(store, sql, name, places=places, now=now)
    return count


def _in_question(sql: Engine, name: str) -> Iterator[list[str]]:
    after = ""
    while True:
        with sql.connect().execution_options(read_only=True) as connection:
            doc_ids = queries.open_documents(connection, name, after, BATCH)
        if not doc_ids:
            return
        yield doc_ids
        after = doc_ids[-1]


def _unknown_contests(sql: Engine, database: Database) -> Iterator[list[str]]:
    start = CONTEST
    while True:
        page = database.all_docs(startkey=start, endkey=_AFTER_CONTESTS, limit=BATCH)
        doc_ids = [row.doc_id for row in page.rows if row]
        with sql.connect().execution_options(read_only=True) as connection:
            known = contests.known(connection, database.name, doc_ids)
        if unknown := [doc_id for doc_id in doc_ids if doc_id not in known]:
            yield unknown
        if len(doc_ids) < BATCH:
            return
        start = doc_ids[-1] + "\0"
