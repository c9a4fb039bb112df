"""Tablets that wait: what 2,000 idle longpolls hold in memory, and how soon a write wakes them."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sync_server.bench.benchmark import Benchmark, Run
from sync_server.bench.figures import Figure, Target
from sync_server.bench.households import households
from sync_server.bench.http import RECEIVE_BYTES, Connection, Endpoint, Response, ResponseReader
from sync_server.bench.peers import Peer, sync_server
from sync_server.bench.processes import (
    allow_open_files,
    family,
    processor_seconds,
    proportional_memory,
)
from sync_server.bench.traffic import Tablet, TrafficError, prepare_push, update_seq

CONNECTIONS = 2_000
BYSTANDERS = 50
"""Longpolls on another database, which the write must leave alone."""
HEARTBEAT_MS = 10_000
"""What PouchDB asks for."""
WAKE_TIMEOUT = 60.0
CONCERNED, OTHER = "longpolls", "bystanders"
TARGETS = (
    Target("longpolls.memory", "at most", 400),
    Target("longpolls.wake", "at most", 1),
)


@dataclass(slots=True)
class Waiting:
    """One longpoll."""

    socket: socket.socket
    reader: ResponseReader
    response: Response | None = None
    woken_at: float | None = None
    """By the monotonic clock, once the whole response was here."""

    def receive(self) -> None:
        self.response = self.reader.feed(self.socket.recv(RECEIVE_BYTES))
        if self.response is not None:
            self.woken_at = time.perf_counter()


class Longpolls:
    """Many longpolls on one selector."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.waiting: list[Waiting] = []

    def open(self, endpoint: Endpoint, request: bytes) -> Waiting:
        connected = socket.create_connection((endpoint.host, endpoint.port), 30)
        connected.sendall(request)
        connected.setblocking(False)
        waiting = Waiting(connected, ResponseReader())
        self._selector.register(connected, selectors.EVENT_READ, waiting)
        self.waiting.append(waiting)
        return waiting

    def listen(self, seconds: float, until_woken: Iterable[Waiting] = ()) -> None:
        """Take what arrives for so long, or until these are woken."""
        pending = list(until_woken)
        stop_when_woken = bool(pending)
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            for key, _ in self._selector.select(min(left, 0.2)):
                waiting: Waiting = key.data
                waiting.receive()
                if waiting.response is not None:
                    self._selector.unregister(waiting.socket)
            if stop_when_woken:
                pending = [waiting for waiting in pending if waiting.response is None]
                if not pending:
                    return

    def close(self) -> None:
        for waiting in self.waiting:
            waiting.socket.close()
        self._selector.close()


def measure(run: Run) -> list[Figure]:
    """Memory and processor time while all wait, then the time until all are woken."""
    count = run.amount(CONNECTIONS, 200)
    allow_open_files(2 * (count + BYSTANDERS) + 500)
    task = run.progress.add_task("longpolls", total=count + BYSTANDERS + 2)
    with sync_server(run.folder / "sync-server") as peer:
        for database in (CONCERNED, OTHER):
            peer.create(database)
            _write(peer, database, seed=1)
        before = _memory(peer)
        polls = Longpolls()
        try:
            requests = {name: poll_request(peer, name) for name in (CONCERNED, OTHER)}
            for number in range(count + BYSTANDERS):
                name = CONCERNED if number < count else OTHER
                polls.open(peer.endpoint, requests[name])
                run.progress.advance(task)
            figures = _hold(run, peer, polls, before)
            run.progress.advance(task)
            figures += _wake(peer, polls, count)
            run.progress.advance(task)
        finally:
            polls.close()
    return figures


def poll_request(peer: Peer, database: str) -> bytes:
    """A longpoll for what comes after the database's latest change, as a live PouchDB sends."""
    path = peer.database(database)
    since = update_seq(peer.endpoint, path)
    target = (
        f"{path}/_changes?style=all_docs&feed=longpoll&heartbeat={HEARTBEAT_MS}"
        f"&since={since}&limit=100"
    )
    return peer.endpoint.request("GET", target)


def _hold(run: Run, peer: Peer, polls: Longpolls, before: float) -> list[Figure]:
    seconds = run.amount(25, 12)
    polls.listen(2)
    processor = _processor(peer)
    polls.listen(seconds)
    share = 100 * (_processor(peer) - processor) / seconds
    held = [waiting for waiting in polls.waiting if waiting.response is None]
    if len(held) < len(polls.waiting):
        raise TrafficError(f"{len(polls.waiting) - len(held)} longpolls ended with no change")
    if unanswered := [waiting for waiting in held if waiting.reader.status != 200]:
        raise TrafficError(f"{len(unanswered)} longpolls had no answer and no heartbeat")
    note = f"PSS of all processes with {len(held)} longpolls; {before:.0f} MB with none"
    return [
        Figure("longpolls.memory", _memory(peer), "MB", note),
        Figure("longpolls.memory_before", before, "MB", "PSS of all processes with none"),
        Figure("longpolls.processor", share, "%", "of one core while they wait, heartbeats sent"),
    ]


def _wake(peer: Peer, polls: Longpolls, count: int) -> list[Figure]:
    concerned, bystanders = polls.waiting[:count], polls.waiting[count:]
    start = time.perf_counter()
    _write(peer, CONCERNED, seed=2)
    stored = time.perf_counter()
    polls.listen(WAKE_TIMEOUT, until_woken=concerned)
    woken = sorted(waiting.woken_at for waiting in concerned if waiting.woken_at is not None)
    if len(woken) < count:
        raise TrafficError(f"only {len(woken)} of {count} longpolls woke in {WAKE_TIMEOUT:g} s")
    if any(not _brought_a_change(waiting) for waiting in concerned):
        raise TrafficError("a longpoll woke without the change that was written")
    polls.listen(0.5)
    if any(waiting.response is not None for waiting in bystanders):
        raise TrafficError("a write woke longpolls of another database")
    return [
        Figure("longpolls.wake", woken[-1] - start, "s", f"one write to the last of {count}"),
        Figure("longpolls.wake_median", woken[count // 2] - start, "s", "to half of them"),
        Figure("longpolls.wake_first", woken[0] - start, "s", "to the first"),
        Figure("longpolls.write", stored - start, "s", "until the write was acknowledged"),
    ]


def _brought_a_change(waiting: Waiting) -> bool:
    assert waiting.response is not None
    return waiting.response.status == 200 and len(waiting.response.json()["results"]) == 1


def _write(peer: Peer, database: str, seed: int) -> None:
    with Connection(peer.endpoint) as connection:
        prepare_push(Tablet(connection, peer.database(database), "w"), households(1, seed))()


def _memory(peer: Peer) -> float:
    """Megabytes."""
    assert peer.pid is not None
    return proportional_memory(family(peer.pid)) / 1e6


def _processor(peer: Peer) -> float:
    assert peer.pid is not None
    return processor_seconds(family(peer.pid))


BENCHMARK = Benchmark("longpolls", "memory and waking of waiting tablets", measure, TARGETS)
