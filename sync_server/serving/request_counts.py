"""Requests as the metrics count them.

A counter that all processes share is a file in memory, and several times as costly to count in
as a number: requests are added up here, and put there some times a second.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sync_server.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "COPY", "OPTIONS", "PATCH"})


class RequestCounts:
    """Of one process, whose greenlets take turns: nothing here waits."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self._sent = 0
        self._seconds: dict[str, Any] = {}

    def note(self, endpoint: str, method: str, status: int, seconds: float, sent: int) -> None:
        """A request that was answered: how long that took, and bytes of the body as sent."""
        self._answered[endpoint, method if method in _METHODS else "other", status] += 1
        self._sent += sent
        histogram = self._seconds.get(endpoint)
        if histogram is None:
            histogram = self._seconds[endpoint] = self._metrics.request_seconds.labels(endpoint)
        histogram.observe(seconds)

    def publish(self) -> None:
        """Put what was noted since the last time where a scrape finds it."""
        if not self._answered:
            return
        answered, self._answered = self._answered, Counter()
        sent, self._sent = self._sent, 0
        for (endpoint, method, status), count in answered.items():
            self._metrics.requests.labels(endpoint, method, str(status)).inc(count)
        self._metrics.response_bytes.inc(sent)
