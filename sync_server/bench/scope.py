"""Whether a worker's sync costs what their commune holds, or what the country holds.

A database of 1,000,000 households in 1,600 communes, and one that holds a single commune, take
turns: the first sync of a commune, and a sync that finds nothing, each by a worker who sees that
commune and signs in with their tablet's token. Then 200 workers of different communes sync at
once, 50 new households each.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.communes import Worker, communes, fill, workers
from sync_server.bench.figures import Figure, Target
from sync_server.bench.http import Connection
from sync_server.bench.peers import Peer, sync_server
from sync_server.bench.swarm import Swarm, pull_script
from sync_server.bench.traffic import Tablet, idle_sync, pull
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings
from sync_server.storage.sqlite import open_store

COUNTRY, ALONE = "country", "commune"
"""The two databases."""
EACH = 625
"""Households of a commune."""
FRESH = 50
"""New households of a commune, in a sync of many at once."""
WARM_UP = 5
TARGETS = (
    Target("scope.first_ratio", "at most", 1.3),
    Target("scope.idle_ratio", "at most", 1.3),
    Target("scope.crowd_p95", "at most", 2),
)

Samples = dict[tuple[str, str], list[float]]
"""Milliseconds by kind of sync and database."""


def measure(run: Run) -> list[Figure]:
    """Milliseconds of both kinds of sync in both databases, their ratios, and the crowd's."""
    places = communes(run.amount(1_600, 50))
    folder = run.folder / "sync-server"
    _fill(run, folder / "databases", places)
    with sync_server(folder) as peer, closing(open_parts(Settings(data_dir=folder))) as parts:
        made = workers(parts, places[: run.amount(200, 20)], (COUNTRY, ALONE))
        samples = _in_turns(run, peer, made)
        crowd = _crowd(run, peer, parts, made)
    return _figures(samples, crowd, len(places) * EACH, len(made))


def _fill(run: Run, folder: Path, places: Sequence[str]) -> None:
    task = run.progress.add_task("scope: filling", total=(len(places) + 1) * EACH)
    with closing(open_store(folder)) as store:
        for name, held in ((ALONE, places[:1]), (COUNTRY, places)):
            store.create(name)
            database = store.database(name)
            fill(database, held, EACH, len(held), lambda count: run.progress.advance(task, count))


def _in_turns(run: Run, peer: Peer, made: Sequence[Worker]) -> Samples:
    """Each worker of the country in turn with the one whose commune is alone in a database; a sync
    that finds nothing follows each first sync.
    """
    samples: Samples = defaultdict(list)
    task = run.progress.add_task("scope: syncing", total=WARM_UP + len(made))
    with ExitStack() as stack:
        alone = stack.enter_context(Connection(made[0].endpoint(peer.endpoint)))
        for number in range(-WARM_UP, len(made)):
            worker = made[number]
            with Connection(worker.endpoint(peer.endpoint)) as connection:
                for database, used in ((COUNTRY, connection), (ALONE, alone)):
                    tablet = Tablet(used, peer.database(database), f"sync{number}")
                    laps = _first_and_idle(tablet)
                    if number >= 0:
                        for kind, lap in laps.items():
                            samples[kind, database].append(lap)
            run.progress.advance(task)
    return samples


def _first_and_idle(tablet: Tablet) -> dict[str, float]:
    """Milliseconds. Signing in, once per connection, is not part of a sync."""
    tablet.read_database()
    first = pull(tablet, expected=EACH)
    since = update_seq_of(tablet)
    tablet.write_checkpoint(since)
    idle = [idle_sync(tablet, since).seconds for _ in range(5)]
    return {"first": 1000 * first.seconds, "idle": 1000 * median(idle)}


def update_seq_of(tablet: Tablet) -> object:
    """The latest update sequence, as this tablet is told it."""
    return tablet.read_database().json()["update_seq"]


def _crowd(run: Run, peer: Peer, parts: Parts, made: Sequence[Worker]) -> list[float]:
    """Seconds from when all workers begin until each is done, over several rounds."""
    rounds = run.amount(5, 2)
    task = run.progress.add_task("scope: all at once", total=rounds)
    place = peer.accepting("gzip").endpoint
    database = parts.store.database(COUNTRY)
    took: list[float] = []
    with Swarm([worker.endpoint(place) for worker in made]) as swarm:
        for number in range(rounds):
            tablets = [
                (tablet := _crowd_tablet(worker, peer), update_seq_of(tablet)) for worker in made
            ]
            held = [worker.commune for worker in made]
            fill(database, held, FRESH, seed=1_000_000 + number)
            laps = swarm.run([pull_script(tablet, since, FRESH) for tablet, since in tablets])
            took += [lap.seconds for lap in laps]
            for tablet, _ in tablets:
                tablet.connection.close()
            run.progress.advance(task)
    return took


def _crowd_tablet(worker: Worker, peer: Peer) -> Tablet:
    connection = Connection(worker.endpoint(peer.accepting("gzip").endpoint))
    return Tablet(connection, peer.database(COUNTRY), f"crowd-{worker.name}")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _figures(samples: Samples, crowd: Sequence[float], size: int, tablets: int) -> list[Figure]:
    figures = []
    for kind, note in (
        ("first", f"first sync of a commune's {EACH} documents"),
        ("idle", "sync that finds nothing"),
    ):
        many, few = (median(samples[kind, name]) for name in (COUNTRY, ALONE))
        figures += [
            Figure(f"scope.{kind}.country", many, "ms", note, samples[kind, COUNTRY]),
            Figure(f"scope.{kind}.commune", few, "ms", note, samples[kind, ALONE]),
            Figure(f"scope.{kind}_ratio", many / few, "×", f"{size:,} documents to {EACH}"),
        ]
    note = f"{FRESH} documents each, {tablets} tablets at once"
    figures.append(Figure("scope.crowd_median", median(crowd), "s", note))
    figures.append(Figure("scope.crowd_p95", percentile(crowd, 0.95), "s", note, list(crowd)))
    return figures


BENCHMARK = Benchmark("scope", "a worker's sync in a whole country's database", measure, TARGETS)
