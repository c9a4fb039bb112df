"""The kernel is told when to give up a connection whose other end has gone without a word."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sync_server.serving.connections import notice_loss


@pytest.fixture
def accepted() -> Iterator[socket.socket]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        yield connection


def option(connection: socket.socket, name: int) -> int:
    return connection.getsockopt(socket.IPPROTO_TCP, name)


@pytest.mark.parametrize("seconds", [1, 2, 10, 120, 600])
def test_a_silent_end_is_given_up_after_that_time_at_most(
    accepted: socket.socket, seconds: int
) -> None:
    notice_loss(accepted, seconds)
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert option(accepted, socket.TCP_USER_TIMEOUT) == 1000 * seconds
    idle, pause = option(accepted, socket.TCP_KEEPIDLE), option(accepted, socket.TCP_KEEPINTVL)
    probes = option(accepted, socket.TCP_KEEPCNT)
    assert 0 < idle + pause * probes <= max(seconds, 4)
