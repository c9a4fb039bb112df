"""Push, pull and idle sync of a tablet, here and at other servers, in turns.

The peers take turns within each repetition, so that a slow minute of the machine slows all of
them; what is compared are medians. Each repetition uses a new database, and the first ones are
warm-up and do not count.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.clients import Clients, Job
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import households
from sync_server.bench.http import Connection
from sync_server.bench.peers import Peer, couchdb, pouchdb_server, sync_server
from sync_server.bench.traffic import (
    Lap,
    Tablet,
    idle_sync,
    prepare_push,
    pull,
    rate,
    update_seq,
)

OURS, REFERENCE = "sync-server", "pouchdb-server"
SEVERAL = 4
UNITS = {"push": "docs/s", "pull": "docs/s", "pull_gzip": "docs/s", "idle": "syncs/s"}
TARGETS = (
    Target("replication.push_ratio", "at least", 3),
    Target("replication.pull_ratio", "at least", 5),
    Target("replication.idle_ratio", "at least", 4),
)


@dataclass(frozen=True, slots=True)
class Push:
    """A first push of `count` households."""

    peer: Peer
    database: str
    client: str
    count: int
    seed: int

    def prepare(self) -> Callable[[], Lap]:
        return prepare_push(_tablet(self), households(self.count, self.seed))


@dataclass(frozen=True, slots=True)
class Pull:
    """A first pull of a database that holds `count` documents."""

    peer: Peer
    database: str
    client: str
    count: int

    def prepare(self) -> Callable[[], Lap]:
        tablet = _tablet(self)
        return lambda: pull(tablet, expected=self.count)


@dataclass(frozen=True, slots=True)
class Idle:
    """`count` syncs that find nothing, of a tablet that has pulled before."""

    peer: Peer
    database: str
    client: str
    count: int

    def prepare(self) -> Callable[[], Lap]:
        tablet = _tablet(self)
        since = update_seq(self.peer.endpoint, tablet.database)
        tablet.write_checkpoint(since)
        return lambda: idle_sync(tablet, since, self.count)


def _tablet(job: Push | Pull | Idle) -> Tablet:
    connection = Connection(job.peer.endpoint)
    return Tablet(connection, job.peer.database(job.database), job.client)


def measure(run: Run) -> list[Figure]:
    """Rates of every peer with one client and with several, and our ratios to them."""
    rates: dict[str, list[float]] = defaultdict(list)
    repetitions, warm_up = run.amount(7, 2), run.amount(2, 1)
    documents, syncs = run.amount(3000, 1000), run.amount(300, 100)
    with _peers(run) as peers, Clients(1) as one, Clients(SEVERAL) as several:
        task = run.progress.add_task("replication", total=(repetitions + warm_up) * 2)
        for repetition in range(-warm_up, repetitions):
            for label, clients, count in (("", one, 1), (f"_{SEVERAL}", several, SEVERAL)):
                name = f"bench{label}{repetition + warm_up}"
                steps = _steps(name, documents, syncs, count, seed=repetition + warm_up)
                found = _in_turns(peers, name, clients, steps)
                if repetition >= 0:
                    for key, value in found.items():
                        rates[f"{key}{label}"].append(value)
                run.progress.advance(task)
        return _figures(rates, [peer.name for peer in peers])


@contextmanager
def _peers(run: Run) -> Iterator[list[Peer]]:
    with ExitStack() as stack:
        peers = [
            stack.enter_context(sync_server(run.folder / OURS)),
            stack.enter_context(pouchdb_server(run.folder / REFERENCE)),
        ]
        if url := os.environ.get("COUCHDB_URL"):
            peers.append(couchdb(url))
        yield peers


def _steps(
    name: str, documents: int, syncs: int, clients: int, seed: int
) -> dict[str, Callable[[Peer], list[Job]]]:
    """What the clients do at each peer, in this order; several push to the same database."""
    share = documents // clients
    each = range(clients)

    def pulls(peer: Peer, kind: str) -> list[Job]:
        return [Pull(peer, name, f"{kind}{number}", share * clients) for number in each]

    return {
        "push": lambda peer: [
            Push(peer, name, f"push{number}", share, seed * 100 + number) for number in each
        ],
        "pull": lambda peer: pulls(peer, "pull"),
        "pull_gzip": lambda peer: pulls(peer.accepting("gzip"), "gzip"),
        "idle": lambda peer: [Idle(peer, name, f"idle{number}", syncs) for number in each],
    }


def _in_turns(
    peers: Sequence[Peer],
    database: str,
    clients: Clients,
    steps: dict[str, Callable[[Peer], list[Job]]],
) -> dict[str, float]:
    """Rates by `<peer>.<step>`."""
    for peer in peers:
        peer.create(database)
    rates = {
        f"{peer.name}.{step}": rate(clients.run(jobs(peer)))
        for step, jobs in steps.items()
        for peer in peers
    }
    for peer in peers:
        peer.delete(database)
    return rates


def _figures(rates: dict[str, list[float]], peers: Sequence[str]) -> list[Figure]:
    figures = []
    for label, note in (("", "1 client"), (f"_{SEVERAL}", f"{SEVERAL} clients")):
        for step, unit in UNITS.items():
            for peer in peers:
                samples = rates[f"{peer}.{step}{label}"]
                name = f"replication.{step}{label}.{peer}"
                figures.append(Figure(name, median(samples), unit, note, samples))
            figures += _ratios(rates, step, label, note, peers)
    return figures


def _ratios(
    rates: dict[str, list[float]], step: str, label: str, note: str, peers: Sequence[str]
) -> list[Figure]:
    ours = median(rates[f"{OURS}.{step}{label}"])
    return [
        Figure(
            f"replication.{step}{label}_ratio" + ("" if peer == REFERENCE else f".{peer}"),
            ours / median(rates[f"{peer}.{step}{label}"]),
            "×",
            f"{OURS} to {peer}, {note}",
        )
        for peer in peers
        if peer != OURS
    ]


BENCHMARK = Benchmark(
    "replication", "push, pull and idle sync beside PouchDB Server", measure, TARGETS
)
