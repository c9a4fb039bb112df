"""Bytes on the wire: what a first sync costs where every kilobyte crosses a 2G link.

The target holds for what the server sends. Of what a tablet sends in a first pull, nine parts in
ten are the random ids and revisions in `_bulk_get`, and the clients in use send them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import households
from sync_server.bench.http import Connection, Endpoint
from sync_server.bench.peers import sync_server
from sync_server.bench.traffic import Tablet, prepare_push, pull

ENCODINGS = ("identity", "gzip", "br", "zstd")
DATABASE = "first-sync"
TARGETS = (Target("bytes.gzip", "at most", 20),)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of a whole sync: request lines, headers, bodies and chunk framing."""

    sent: int
    received: int

    @property
    def total(self) -> int:
        return self.sent + self.received


def measure(run: Run) -> list[Figure]:
    """A first pull of 5,000 households in every encoding that the server offers."""
    documents = run.amount(5000, 500)
    task = run.progress.add_task("bytes", total=2 + len(ENCODINGS))
    with sync_server(run.folder / "sync-server") as peer:
        peer.create(DATABASE)
        with Connection(peer.endpoint) as connection:
            tablet = Tablet(connection, peer.database(DATABASE), "seed")
            prepare_push(tablet, households(documents, seed=1))()
        run.progress.advance(task)
        traffic = {}
        for encoding in ENCODINGS:
            traffic[encoding] = _first_sync(peer.accepting(encoding).endpoint, documents)
            run.progress.advance(task)
        both = replace(peer.accepting("gzip").endpoint, gzip_requests=True)
        traffic["gzip_both"] = _first_sync(both, documents)
        run.progress.advance(task)
    return _figures(traffic, documents)


def _first_sync(endpoint: Endpoint, documents: int) -> Traffic:
    with Connection(endpoint) as connection:
        replication_id = f"{endpoint.accept_encoding}{endpoint.gzip_requests}"
        pull(Tablet(connection, f"/db/{DATABASE}", replication_id), expected=documents)
        return Traffic(connection.sent_bytes, connection.received_bytes)


def _figures(traffic: dict[str, Traffic], documents: int) -> list[Figure]:
    plain = traffic["identity"]
    figures = [
        Figure("bytes.identity_received", plain.received / 1000, "kB", f"{documents} households"),
        Figure("bytes.identity_sent", plain.sent / 1000, "kB", "by the tablet"),
    ]
    for encoding in ENCODINGS[1:]:
        share = 100 * traffic[encoding].received / plain.received
        note = f"{traffic[encoding].received / 1000:.0f} kB received, of uncompressed"
        figures.append(Figure(f"bytes.{encoding}", share, "%", note))
    for name, requests in (("gzip", "plain"), ("gzip_both", "gzip")):
        share = 100 * traffic[name].total / plain.total
        note = f"both directions, responses gzip, requests {requests}"
        figures.append(Figure(f"bytes.total_{requests}_requests", share, "%", note))
    return figures


BENCHMARK = Benchmark("bytes", "bytes on the wire of a first sync", measure, TARGETS)
