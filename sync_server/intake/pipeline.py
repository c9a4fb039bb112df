"""The follower: reads the changes of a programme database in order, and passes them on.

Its checkpoint is a local document, written after the stages are done with a batch. A crash
between repeats the batch, and every stage is idempotent; what the stages write comes by as
changes of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import orjson
from sqlalchemy import Engine

from sync_server.access.placing import NO_PLACES, Places
from sync_server.errors import NotFound, Unavailable
from sync_server.intake.contest import take_up_contests
from sync_server.intake.decisions import write_decisions
from sync_server.intake.locate import locate
from sync_server.intake.resolve import resolve_conflicts
from sync_server.intake.screen import read, screen
from sync_server.intake.stage import Intake, Stage
from sync_server.intake.validate import validate
from sync_server.metrics import Metrics
from sync_server.storage.base import Database, DocumentStore

STAGES: Sequence[Stage] = (
    write_decisions,
    resolve_conflicts,
    take_up_contests,
    locate,
    validate,
    screen,
)
BATCH = 250
IDLE_SECONDS = 5.0
OWNER = "_intake"
CHECKPOINT = "checkpoint"

_log = logging.getLogger(__name__)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Pipeline:
    """Followers of the programme databases; only one process runs them at a time."""

    def __init__(
        self,
        store: DocumentStore,
        sql: Engine,
        databases: Sequence[str],
        *,
        places: Places = NO_PLACES,
        now: Callable[[], int] = now_ms,
        stages: Sequence[Stage] = STAGES,
        metrics: Metrics | None = None,
    ) -> None:
        self._store = store
        self._sql = sql
        self._databases = databases
        self._places = places
        self._now = now
        self._stages = stages
        self._metrics = metrics or Metrics()
        self._broken = threading.Event()

    def run_forever(self, stop: threading.Event) -> None:
        """Follow every database, each in a thread, until `stop` is set or one fails."""
        threads = [
            threading.Thread(target=self._follow_or_stop, args=(name, stop), name=f"intake-{name}")
            for name in self._databases
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def drain(self) -> None:
        """Process what is there, and what that leads to; then return."""
        for name in self._databases:
            intake = self._intake(name)
            while self.step(intake):
                pass

    def step(self, intake: Intake) -> bool:
        """One batch; False where nothing was left."""
        since = position(intake.database)
        page = intake.database.changes(since, limit=BATCH)
        if page.rows:
            process(intake, [row.doc_id for row in page.rows], self._stages)
        if page.last_seq != since:
            body = orjson.dumps({"seq": page.last_seq})
            intake.database.put_local(OWNER, CHECKPOINT, None, body)
        return bool(page.rows)

    def _follow_or_stop(self, name: str, stop: threading.Event) -> None:
        """A follower that fails stops the others: the process ends, and is started anew."""
        try:
            self._follow(name, stop)
        except BaseException:
            _log.exception("intake of %s failed", name)
            self._broken.set()

    def _follow(self, name: str, stop: threading.Event) -> None:
        while not stop.is_set() and not self._broken.is_set():
            try:
                intake = self._intake(name)
                while not stop.is_set() and self.step(intake):
                    pass
                if not stop.is_set():
                    intake.database.wait(position(intake.database), 1.0)
            except (NotFound, Unavailable) as error:
                _log.warning("intake of %s waits: %s", name, error.reason)
                stop.wait(IDLE_SECONDS)

    def _intake(self, name: str) -> Intake:
        database = self._store.database(name)
        return Intake(database, self._sql, self._now, self._places, self._metrics)


def position(database: Database) -> str:
    """The update sequence up to which the follower is done."""
    try:
        seq = orjson.loads(database.get_local(OWNER, CHECKPOINT).body)["seq"]
    except NotFound:
        return "0"
    return str(seq)


def process(intake: Intake, doc_ids: Sequence[str], stages: Sequence[Stage] = STAGES) -> None:
    """A document that makes a stage fail is left behind alone, and named in the log."""
    try:
        run_stages(intake, doc_ids, stages)
    except Unavailable:
        raise
    except Exception:
        for doc_id in doc_ids:
            try:
                run_stages(intake, [doc_id], stages)
            except Unavailable:
                raise
            except Exception:
                _log.exception("intake failed for %s in %s", doc_id, intake.database.name)


def run_stages(intake: Intake, doc_ids: Sequence[str], stages: Sequence[Stage] = STAGES) -> None:
    arrivals = read(intake.database, doc_ids)
    for stage in stages:
        changed = stage(intake, arrivals)
        if changed:
            arrivals = [one for one in arrivals if one.doc_id not in changed]


def sweep(
    store: DocumentStore,
    sql: Engine,
    databases: Sequence[str],
    *,
    places: Places = NO_PLACES,
    now: Callable[[], int] = now_ms,
    stages: Sequence[Stage] = STAGES,
    metrics: Metrics | None = None,
) -> int:
    """Look again at every conflicted document: a new release may merge what the last could not,
    and a document that was left behind gets another chance. Answers how many were looked at.
    """
    count = 0
    for name in databases:
        intake = Intake(store.database(name), sql, now, places, metrics or Metrics())
        after = ""
        while doc_ids := intake.database.conflicted(after, BATCH):
            process(intake, doc_ids, stages)
            after = doc_ids[-1]
            count += len(doc_ids)
    return count
