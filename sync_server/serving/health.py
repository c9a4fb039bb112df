"""Whether the service can do its work, as `/healthz` tells whoever watches it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from sync_server.parts import Parts

HEARTBEAT_SECONDS = 2.0
STALE_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, object]:
        if self.ok:
            return {"status": "ok"}
        return {"error": "service_unavailable", "reason": " ".join(self.problems)}


def heartbeat_path(data_dir: Path) -> Path:
    return data_dir / "worker.heartbeat"


def check(parts: Parts) -> Report:
    """The store and the service's database answer, and the worker process is alive."""
    problems = [
        *_store_problems(parts),
        *_sql_problems(parts),
        *_worker_problems(parts.settings.data_dir),
    ]
    return Report(tuple(problems))


def _store_problems(parts: Parts) -> list[str]:
    try:
        for name in parts.store.names()[:1]:
            parts.store.database(name).update_seq()
    except Exception as error:
        return [f"The document store does not answer: {type(error).__name__}."]
    return []


def _sql_problems(parts: Parts) -> list[str]:
    try:
        with parts.sql.execution_options(read_only=True).begin() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as error:
        return [f"The service's database does not answer: {type(error).__name__}."]
    return []


def _worker_problems(data_dir: Path) -> list[str]:
    try:
        age = time.time() - heartbeat_path(data_dir).stat().st_mtime
    except FileNotFoundError:
        return ["The worker process has not started yet."]
    if age > STALE_AFTER_SECONDS:
        return [f"The worker process was last seen {age:.0f} s ago."]
    return []
