"""Waking those who wait, where another process commits at an unlucky moment."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from sync_server.storage.sqlite import open_store
from tests.contract.drafts import put


def test_a_commit_before_the_first_look_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = open_store(tmp_path), open_store(tmp_path)
    here.create("notes")
    db = here.database("notes")
    since = db.update_seq()  # opens what the waiter itself reads with
    open_connection, waits = db.connections.open, threading.Event()

    def slowly() -> sqlite3.Connection:
        waits.wait(30)
        return open_connection()

    monkeypatch.setattr(db.connections, "open", slowly)
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(db.wait(since, 3)))
    waiter.start()
    assert not waits.wait(0.3)  # the waiter has had time to find that nothing has changed yet
    put(elsewhere.database("notes"), "a")
    waits.set()
    waiter.join(30)
    assert woken == [True]
