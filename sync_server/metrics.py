"""What the service counts about itself, for `/metrics`.

Any part may count; where `PROMETHEUS_MULTIPROC_DIR` is set when this is first imported, each
process counts into files of its own there and a scrape adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "sync_requests",
            "Requests answered.",
            ("endpoint", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "sync_request_seconds",
            "Time from a request's head to the end of its answer; a feed's holds its waiting.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.response_bytes = Counter(
            "sync_response_bytes", "Bytes of answers as sent, bodies only.", registry=self.registry
        )
        self.revisions_written = Counter(
            "sync_revisions_written",
            "Revisions that clients pushed and that were not known yet.",
            registry=self.registry,
        )
        self.writes_refused = Counter(
            "sync_writes_refused",
            "Documents that went to quarantine, by the reason that their author is told.",
            ("reason",),
            registry=self.registry,
        )
        self.revisions_sent = Counter(
            "sync_revisions_sent", "Revisions that clients fetched in bulk.", registry=self.registry
        )
        self.documents_merged = Counter(
            "sync_documents_merged",
            "Documents whose leaves were merged into one.",
            registry=self.registry,
        )
        self.cases_opened = Counter(
            "sync_cases_opened",
            "Conflicts that a person must settle, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.notices_written = Counter(
            "sync_notices_written",
            "Notices that were written or changed, by kind.",
            ("kind",),
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The text of a scrape: of all processes where they share a folder, else of this one."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)
