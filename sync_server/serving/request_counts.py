"""Requests as the metrics count them.

A counter that all processes share is a file in memory, and several times as costly to count in
as a number: requests are added up here, and put there some times a second.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from sync_server.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "COPY", "OPTIONS", "PATCH"})

_BROKEN = (OSError, TypeError, ValueError)
"""What the library raises where its file finds no room, and where it found none before."""


class RequestCounts:
    """Of one process, whose greenlets take turns: nothing here waits."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self._sent = 0
        self._seconds: dict[str, Any] = {}
        # Files that are there before a disk is full: one that cannot be made stays broken.
        with suppress(*_BROKEN):
            metrics.response_bytes.inc(0)
            self._histogram("none")

    def note(self, endpoint: str, method: str, status: int, seconds: float, sent: int) -> None:
        """A request that was answered: how long that took, and bytes of the body as sent."""
        self._answered[endpoint, method if method in _METHODS else "other", status] += 1
        self._sent += sent
        with suppress(*_BROKEN):
            self._histogram(endpoint).observe(seconds)

    def _histogram(self, endpoint: str) -> Any:
        known = self._seconds.get(endpoint)
        if known is None:
            known = self._seconds[endpoint] = self._metrics.request_seconds.labels(endpoint)
        return known

    def publish(self) -> None:
        """Put what was noted since the last time where a scrape finds it; on a full disk, later."""
        with suppress(*_BROKEN):
            while self._answered:
                (endpoint, method, status), count = next(iter(self._answered.items()))
                self._metrics.requests.labels(endpoint, method, str(status)).inc(count)
                del self._answered[endpoint, method, status]
            if self._sent:
                self._metrics.response_bytes.inc(self._sent)
                self._sent = 0
