"""Many tablets at once on one selector, so that a process of little weight drives them all.

What a tablet does is a generator: it yields requests as bytes and is sent the responses.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from types import TracebackType

from sync_server.bench.http import RECEIVE_BYTES, Endpoint, Response, ResponseReader
from sync_server.bench.traffic import BATCH, Lap, Tablet, TrafficError, documents_of, require

Script = Generator[bytes, Response, int]
"""Answers how many documents it brought."""

PATIENCE = 120.0
"""Seconds after which tablets that are still at it are given up."""


def pull_script(tablet: Tablet, since: object, expected: int) -> Script:
    """A pull of what came after `since`, from reading the database to the last checkpoint."""
    for request in (tablet.read_database_request(), tablet.read_checkpoint_request()):
        require((yield request), {200, 404})
    brought = 0
    while True:
        response = yield tablet.changes_request(since)
        require(response, {200})
        page = response.json()
        rows = page["results"]
        if rows:
            brought += documents_of((yield tablet.bulk_get_request(rows)), len(rows))
            since = page["last_seq"]
            require((yield tablet.read_checkpoint_request()), {200, 404})
            written = yield tablet.write_checkpoint_request(since)
            require(written, {201})
            tablet.checkpoint_written(written)
        if len(rows) < BATCH:
            break
    if brought != expected:
        raise TrafficError(f"a pull brought {brought} documents, not {expected}")
    return brought


@dataclass(slots=True)
class _Running:
    """A tablet in the middle of its script."""

    socket: socket.socket
    script: Script
    reader: ResponseReader
    finished_at: float = 0.0
    brought: int = 0

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has arrived and go on with the script; whether it has ended."""
        response = self.reader.feed(self.socket.recv(RECEIVE_BYTES))
        if response is None:
            return False
        self.reader = ResponseReader()
        try:
            self.send(self.script.send(response))
        except StopIteration as end:
            self.finished_at = time.perf_counter()
            self.brought = end.value
            return True
        return False


class Swarm:
    """Connections of several tablets, which are kept from one run to the next."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._sockets = [_connect(endpoint) for endpoint in endpoints]

    def run(self, scripts: Sequence[Script]) -> list[Lap]:
        """Start one script per connection, all at once; answers when each of them ended.

        Raises TrafficError where one fails or takes too long.
        """
        with selectors.DefaultSelector() as selector:
            running = [
                _Running(connected, script, ResponseReader())
                for connected, script in zip(self._sockets, scripts, strict=True)
            ]
            first = [next(one.script) for one in running]
            start = time.perf_counter()
            for one, request in zip(running, first, strict=True):
                selector.register(one.socket, selectors.EVENT_READ, one.receive)
                one.send(request)
            self._listen(selector, start)
        return [Lap(start, one.finished_at, one.brought) for one in running]

    @staticmethod
    def _listen(selector: selectors.BaseSelector, start: float) -> None:
        while selector.get_map():
            ready = selector.select(1.0)
            for key, _ in ready:
                receive: Callable[[], bool] = key.data
                if receive():
                    selector.unregister(key.fileobj)
            if time.perf_counter() - start > PATIENCE:
                raise TrafficError(f"{len(selector.get_map())} tablets took too long")

    def __enter__(self) -> Swarm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connected in self._sockets:
            connected.close()


def _connect(endpoint: Endpoint) -> socket.socket:
    connected = socket.create_connection((endpoint.host, endpoint.port), 30)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected
