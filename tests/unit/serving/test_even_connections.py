"""Workers take connections in turns: whoever has taken one leaves the next to the others."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack

import gevent
import pytest

from sync_server.serving import connections
from sync_server.serving.connections import EvenServer


def test_who_has_taken_a_connection_leaves_the_next_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: Counter[int] = Counter()
    monkeypatch.setattr(connections, "ACCEPT_PAUSE", 3_600)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listener.getsockname()
        servers = [_server(listener, number, taken, stack) for number in range(2)]
        for _ in range(3):
            stack.enter_context(socket.create_connection(address, timeout=30))
            gevent.sleep(0.05)
        assert taken == {0: 1, 1: 1}
        for server in servers:
            server.start_accepting()
        gevent.sleep(0.05)
        assert taken.total() == 3


def _server(
    listener: socket.socket, number: int, taken: Counter[int], stack: ExitStack
) -> EvenServer:
    ours = stack.enter_context(
        gevent.socket.fromfd(listener.fileno(), socket.AF_INET, socket.SOCK_STREAM)
    )
    server = EvenServer(ours, handle=lambda *_: taken.update([number]))
    server.start()
    stack.callback(server.stop)
    return server
