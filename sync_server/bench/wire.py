"""Bytes on the wire: what a first sync costs where every kilobyte crosses a 2G link."""

from __future__ import annotations

from dataclasses import dataclass

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import households
from sync_server.bench.http import Connection
from sync_server.bench.peers import Peer, sync_server
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
    task = run.progress.add_task("bytes", total=1 + len(ENCODINGS))
    with sync_server(run.folder / "sync-server") as peer:
        peer.create(DATABASE)
        with Connection(peer.endpoint) as connection:
            tablet = Tablet(connection, peer.database(DATABASE), "seed")
            prepare_push(tablet, households(documents, seed=1))()
        run.progress.advance(task)
        traffic = {}
        for encoding in ENCODINGS:
            traffic[encoding] = _first_sync(peer.accepting(encoding), encoding, documents)
            run.progress.advance(task)
    return _figures(traffic, documents)


def _first_sync(peer: Peer, encoding: str, documents: int) -> Traffic:
    with Connection(peer.endpoint) as connection:
        pull(Tablet(connection, peer.database(DATABASE), encoding), expected=documents)
        return Traffic(connection.sent_bytes, connection.received_bytes)


def _figures(traffic: dict[str, Traffic], documents: int) -> list[Figure]:
    plain = traffic["identity"]
    figures = [
        Figure("bytes.identity_kb", plain.total / 1000, "kB", f"{documents} households"),
        Figure("bytes.requests_kb", plain.sent / 1000, "kB", "of these, sent by the tablet"),
    ]
    for encoding in ENCODINGS[1:]:
        took = traffic[encoding]
        note = f"{took.total / 1000:.0f} kB in both directions, of uncompressed"
        figures.append(Figure(f"bytes.{encoding}", 100 * took.total / plain.total, "%", note))
        figures.append(
            Figure(
                f"bytes.{encoding}_received",
                100 * took.received / plain.received,
                "%",
                "received alone, of uncompressed",
            )
        )
    return figures


BENCHMARK = Benchmark("bytes", "bytes on the wire of a first sync", measure, TARGETS)
