"""Requests that are counted in heaps."""

from __future__ import annotations

import errno

import pytest

from sync_server.metrics import Metrics
from sync_server.serving.request_counts import RequestCounts


def test_what_was_noted_is_published_once() -> None:
    metrics = Metrics()
    counts = RequestCounts(metrics)
    for status in (200, 200, 404):
        counts.note("feed", "GET", status, 0.01, 100)
    counts.note("feed", "BREW", 405, 0.01, 7)
    assert b"sync_requests_total{" not in metrics.render()

    for _ in range(2):
        counts.publish()
        text = metrics.render().decode()
        assert 'sync_requests_total{endpoint="feed",method="GET",status="200"} 2.0' in text
        assert 'sync_requests_total{endpoint="feed",method="GET",status="404"} 1.0' in text
        assert 'sync_requests_total{endpoint="feed",method="other",status="405"} 1.0' in text
        assert "sync_response_bytes_total 307.0" in text
        assert 'sync_request_seconds_count{endpoint="feed"} 4.0' in text


def test_what_finds_no_room_is_published_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers lie in files, and no full disk may end the process that serves."""
    metrics = Metrics()
    counts = RequestCounts(metrics)

    def full(*_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(metrics.requests, "labels", full)
        patched.setattr(metrics.request_seconds, "labels", full)
        counts.note("feed", "GET", 200, 0.01, 100)
        counts.publish()
    counts.note("feed", "GET", 200, 0.01, 100)
    counts.publish()
    text = metrics.render().decode()
    assert 'sync_requests_total{endpoint="feed",method="GET",status="200"} 2.0' in text
    assert "sync_response_bytes_total 200.0" in text
