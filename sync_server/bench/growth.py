"""Whether a sync costs what it brings, or what lies behind it.

Databases of 1,000, 100,000 and 1,000,000 documents in one server take turns. They are filled
through the storage seam, which is the same code as behind `_bulk_docs`, before the server
starts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.progress import Progress, TaskID

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import Household, households
from sync_server.bench.http import Connection
from sync_server.bench.peers import Peer, sync_server
from sync_server.bench.traffic import BATCH, Lap, Tablet, idle_sync, prepare_push, pull, pull_batch
from sync_server.storage.base import Database, Origin, Revisions, RevisionWrite
from sync_server.storage.sqlite import open_store

SMALL = 20
"""Documents of a small pull."""
SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000, 50_000)
SEED_BATCH = 2_000
WARM_UP = 10
KINDS = {
    "pull": f"pull of the last {SMALL} documents",
    "idle": "sync that finds nothing",
    "first_batch": f"first {BATCH} documents of a first pull",
    "push": f"push of {BATCH} new documents",
}
TARGETS = (
    Target("growth.pull_ratio", "at most", 1.5),
    Target("growth.idle_ratio", "at most", 1.5),
)


Samples = dict[tuple[str, int], list[float]]
"""Milliseconds by kind of sync and size."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A filled database and where in its feed the tablets stand."""

    size: int
    near_end: str
    """Before its last `SMALL` documents."""
    end: str

    @property
    def name(self) -> str:
        return f"growth{self.size}"


def measure(run: Run) -> list[Figure]:
    """Milliseconds of each kind of sync at each size, and of the largest to the smallest."""
    sizes = QUICK_SIZES if run.quick else SIZES
    task = run.progress.add_task("growth: filling", total=sum(sizes))
    folder = run.folder / "sync-server"
    grown = fill(folder / "databases", sizes, run.progress, task)
    with sync_server(folder) as peer:
        samples = _in_turns(run, peer, grown)
    return _figures(samples, sizes)


def fill(folder: Path, sizes: tuple[int, ...], progress: Progress, task: TaskID) -> list[Grown]:
    """A database per size in a data folder that no server has open."""
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(folder)
    try:
        grown = []
        for size in sizes:
            name = f"growth{size}"
            store.create(name)
            database = store.database(name)
            documents = households(size, seed=size)
            for count in _portions(size - SMALL):
                _store(database, [next(documents) for _ in range(count)])
                progress.advance(task, count)
            near_end = database.update_seq()
            _store(database, list(documents))
            progress.advance(task, SMALL)
            grown.append(Grown(size, near_end, database.update_seq()))
        return grown
    finally:
        store.close()


def _portions(total: int) -> list[int]:
    whole, rest = divmod(total, SEED_BATCH)
    return [SEED_BATCH] * whole + ([rest] if rest else [])


def _store(database: Database, batch: list[Household]) -> None:
    writes = [
        RevisionWrite(
            household.doc_id,
            Revisions(household.generation, household.revision_ids),
            household.body_json(),
        )
        for household in batch
    ]
    database.bulk_docs(writes, new_edits=False, origin=Origin(account="bench"))


def _in_turns(run: Run, peer: Peer, grown: list[Grown]) -> Samples:
    """The databases take turns in every repetition. Pushes come last: they move the end of the
    feed that the others stand at.
    """
    samples: Samples = defaultdict(list)
    repetitions = run.amount(200, 30)
    task = run.progress.add_task("growth: syncing", total=2 * (WARM_UP + repetitions))
    with ExitStack() as stack:
        visits = [
            (database, _tablet(stack.enter_context(Connection(peer.endpoint)), database))
            for database in grown
        ]
        for step in (_read, _push):
            for repetition in range(-WARM_UP, repetitions):
                for database, tablet in visits:
                    for kind, lap in step(tablet, database, repetition).items():
                        if repetition >= 0:
                            samples[kind, database.size].append(1000 * lap.seconds)
                run.progress.advance(task)
    return samples


def _tablet(connection: Connection, grown: Grown) -> Tablet:
    return Tablet(connection, f"/db/{grown.name}", "growth")


def _read(tablet: Tablet, grown: Grown, repetition: int) -> dict[str, Lap]:
    """The pull first: it writes the checkpoint that an idle sync reads."""
    return {
        "pull": pull(tablet, grown.near_end, expected=SMALL),
        "idle": idle_sync(tablet, grown.end),
        "first_batch": pull_batch(tablet, 0),
    }


def _push(tablet: Tablet, grown: Grown, repetition: int) -> dict[str, Lap]:
    fresh = households(BATCH, seed=grown.size * 1000 + repetition)
    return {"push": prepare_push(tablet, fresh)()}


def _figures(samples: Samples, sizes: Sequence[int]) -> list[Figure]:
    figures = []
    for kind, note in KINDS.items():
        medians = [median(samples[kind, size]) for size in sizes]
        figures += [
            Figure(f"growth.{kind}.{size}", took, "ms", note, samples[kind, size])
            for size, took in zip(sizes, medians, strict=True)
        ]
        ratio = medians[-1] / medians[0]
        note = f"{sizes[-1]:,} documents to {sizes[0]:,}"
        figures.append(Figure(f"growth.{kind}_ratio", ratio, "×", note))
    return figures


BENCHMARK = Benchmark("growth", "what lies behind a small sync must not slow it", measure, TARGETS)
