"""`/healthz` says whether the work gets done, and if not, why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_server.parts import Parts, open_parts
from sync_server.serving import health
from sync_server.settings import Settings


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    parts = open_parts(Settings(data_dir=tmp_path))
    parts.store.create("rushit")
    yield parts
    parts.close()


def test_all_is_well_while_the_worker_is_alive(parts: Parts, tmp_path: Path) -> None:
    health.heartbeat_path(tmp_path).touch()
    assert health.check(parts).as_json() == {"status": "ok"}


def test_a_worker_that_never_started_is_named(parts: Parts) -> None:
    report = health.check(parts)
    assert not report.ok
    assert "has not started" in str(report.as_json()["reason"])


def test_a_worker_that_fell_silent_is_named(parts: Parts, tmp_path: Path) -> None:
    health.heartbeat_path(tmp_path).touch()
    os.utime(health.heartbeat_path(tmp_path), (1, 1))
    assert "last seen" in str(health.check(parts).as_json()["reason"])


def test_a_store_that_fails_is_named(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[str]:
        raise OSError("disk gone")

    monkeypatch.setattr(parts.store, "names", broken)
    assert "document store" in str(health.check(parts).as_json()["reason"])
