"""A day on which everybody comes back at once: many conflicts arrive while tablets push.

The conflicts are written into the database file from outside, all in one transaction, so that
they are there at one moment; the service finds them as it finds what a web worker has stored. A
tablet pushes new households to the same database: alone first, then while the conflicts are being
settled, until the last one is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from rich.progress import Progress, TaskID

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.clients import Clients
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import Household, households
from sync_server.bench.http import Connection
from sync_server.bench.peers import Peer, PeerError, sync_server
from sync_server.bench.traffic import Lap, Tablet, TrafficError, prepare_push, rate
from sync_server.intake.pipeline import position
from sync_server.storage.base import Database, Origin, Revisions, RevisionWrite
from sync_server.storage.sqlite import open_store

DATABASE = "rushit"
"""A programme database: the intake follows it."""
PATIENCE = 300.0
"""Seconds within which everything must be settled."""
PAUSE = 0.02
REPETITIONS = 3
PUSHED = 12
"""Households at hand to be pushed meanwhile, for each conflict."""
EDITS: Sequence[dict[str, Any]] = (
    {"phone": "+85599999999", "device": "tablet-a", "captured_at": "2025-01-02T10:00:00+07:00"},
    {"members_total": 9, "device": "tablet-b", "captured_at": "2025-01-02T11:00:00+07:00"},
)
"""Two tablets' edits of one household: of different fields, but for the envelope's, where the
later capture counts."""
TARGETS = (
    Target("conflicts.settled", "at least", 1000),
    Target("conflicts.push_ratio", "at least", 0.5),
)


@dataclass(frozen=True, slots=True)
class PushUntil:
    """A first push of up to `count` households that ends once there is a file `stop`."""

    peer: Peer
    client: str
    count: int
    seed: int
    stop: Path

    def prepare(self) -> Callable[[], Lap]:
        tablet = Tablet(Connection(self.peer.endpoint), self.peer.database(DATABASE), self.client)
        return prepare_push(tablet, households(self.count, self.seed), self.stop.exists)


def measure(run: Run) -> list[Figure]:
    """Documents settled per second, and what that leaves of the speed of pushes: the medians of
    some repetitions, each with a new server.
    """
    count = run.amount(10_000, 1_000)
    times = run.amount(REPETITIONS, 1)
    task = run.progress.add_task("conflicts", total=4 * count * times)
    shown = (run.progress, task)
    samples = [_once(run.folder / str(number), count, shown) for number in range(times)]
    settled, alone, during = zip(*samples, strict=True)
    ratios = [meanwhile / before for meanwhile, before in zip(during, alone, strict=True)]
    note = f"{count:,} documents, two leaves each, with a tablet pushing"
    return [
        Figure("conflicts.settled", median(settled), "docs/s", note, settled),
        Figure("conflicts.push_alone", median(alone), "docs/s", "one tablet's first push", alone),
        Figure(
            "conflicts.push_during",
            median(during),
            "docs/s",
            "while conflicts are settled",
            during,
        ),
        Figure("conflicts.push_ratio", median(ratios), "×", "during to alone", ratios),
    ]


def _once(folder: Path, count: int, shown: tuple[Progress, TaskID]) -> tuple[float, float, float]:
    """Per second: documents settled, pushed alone, and pushed meanwhile."""
    progress, task = shown
    with sync_server(folder) as peer, Clients(1) as clients, _opened(folder) as database:
        documents = list(households(count, seed=1))
        store(database, [_base(household) for household in documents])
        _wait(lambda: _has_caught_up(database), "the intake to catch up")
        progress.advance(task, count)
        alone = rate(clients.run([PushUntil(peer, "alone", count, 2, folder / "never")]))
        _wait(lambda: _has_caught_up(database), "the intake to catch up")
        progress.advance(task, count)
        settled, during = _settle(peer, database, documents, clients, shown)
    return settled, alone, during


@contextmanager
def _opened(folder: Path) -> Iterator[Database]:
    engine = open_store(folder / "databases")
    try:
        yield engine.database(DATABASE)
    finally:
        engine.close()


def _settle(
    peer: Peer,
    database: Database,
    documents: Sequence[Household],
    clients: Clients,
    shown: tuple[Progress, TaskID],
) -> tuple[float, float]:
    """Documents settled per second, and pushed per second meanwhile."""
    progress, task = shown
    stop = Path(str(peer.data)) / "settled"
    job = PushUntil(peer, "during", PUSHED * len(documents), 3, stop)
    laps: list[Lap] = []
    pushing = threading.Thread(target=lambda: laps.extend(clients.run([job])))
    edits = [edit for household in documents for edit in edits_of(household)]
    pushing.start()
    _wait(lambda: not _has_caught_up(database), "the tablet to push")
    progress.advance(task, len(documents))
    store(database, edits)
    start, before = time.perf_counter(), database.info().doc_count
    _wait(lambda: not database.conflicted(limit=1), "the conflicts to be settled")
    end, after = time.perf_counter(), database.info().doc_count
    stop.touch()
    pushing.join()
    progress.advance(task, len(documents))
    verify(database, documents)
    # Where the tablet had nothing left to push, its time ended then.
    pushed = (after - before) / (min(end, laps[0].end) - start)
    return len(documents) / (end - start), pushed


def _base(household: Household) -> RevisionWrite:
    revisions = Revisions(household.generation, household.revision_ids)
    return RevisionWrite(household.doc_id, revisions, household.body_json())


def edits_of(household: Household) -> Iterator[RevisionWrite]:
    """The two leaves that make the conflict."""
    for digit, changes in zip("ab", EDITS, strict=True):
        revisions = Revisions(household.generation + 1, [digit * 32, *household.revision_ids])
        body = orjson.dumps({**household.body, **changes})
        yield RevisionWrite(household.doc_id, revisions, body)


def store(database: Database, writes: Sequence[RevisionWrite]) -> None:
    database.bulk_docs(writes, new_edits=False, origin=Origin(account="bench"))


def verify(database: Database, documents: Sequence[Household]) -> None:
    """Raises TrafficError unless every document has what both tablets wrote."""
    wanted = {key: EDITS[key == "members_total"][key] for key in ("phone", "members_total")}
    winners = database.winners([household.doc_id for household in documents])
    bodies = [orjson.loads(winner.body) for winner in winners if winner is not None]
    merged = sum(all(body.get(key) == wanted[key] for key in wanted) for body in bodies)
    if merged != len(documents):
        raise TrafficError(f"{merged} of {len(documents)} documents were merged")


def _has_caught_up(database: Database) -> bool:
    return position(database) == database.update_seq()


def _wait(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise PeerError(f"waited {PATIENCE:g} s for {what}")
        time.sleep(PAUSE)


BENCHMARK = Benchmark(
    "conflicts", "conflicts that arrive at once, and tablets that push meanwhile", measure, TARGETS
)
