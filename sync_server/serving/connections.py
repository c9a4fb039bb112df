"""Connections as the workers take them: evenly, and not for longer than somebody is there."""

from __future__ import annotations

import socket
from typing import Any

from gevent.server import StreamServer

ACCEPT_PAUSE = 0.002
"""Seconds for which a worker that has taken a connection leaves new ones to the others."""


class EvenServer(StreamServer):  # type: ignore[misc]
    """Leaves the next connection to the other workers.

    Whoever wakes first takes a connection, which is mostly the same one. Tablets keep their
    connections, and what that worker has more of, all of them wait for.
    """

    max_accept = 1

    def do_handle(self, *args: Any) -> None:
        super().do_handle(*args)
        self.stop_accepting()
        self._timer = self.loop.timer(ACCEPT_PAUSE)
        self._timer.start(self._start_accepting_if_started)


def notice_loss(client: Any, seconds: int) -> None:
    """Give the connection up once the other end has been silent for so long.

    A tablet that drives out of range says no goodbye. What it was sent stays unacknowledged
    (`TCP_USER_TIMEOUT`), and while nothing is sent the kernel asks whether it is still there.
    """
    probes = 3
    pause = max(1, seconds // (2 * probes))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, seconds - probes * pause))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, pause)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * seconds)
