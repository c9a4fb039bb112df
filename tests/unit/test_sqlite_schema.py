"""Older database files are brought up to date with all that is in them; newer ones are refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sync_server.errors import NotFound
from sync_server.storage.sqlite import open_store
from sync_server.storage.sqlite.schema import MIGRATIONS, migrate
from tests.contract.drafts import body_of, leaves, put, replicate, write

DUMP = Path(__file__).with_name("first_schema.sql")
FILE = "notes.couch.sqlite3"


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript(DUMP.read_text("utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return tmp_path / FILE


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_a_file_of_the_first_schema_keeps_what_it_holds(old_file: Path) -> None:
    assert version(old_file) == 1
    db = open_store(old_file.parent).database("notes")
    assert body_of(db.get("household:1")) == {"surname": "សុខា"}
    assert body_of(db.get("household:1", "1-a")) == {"surname": "សុខ"}
    assert leaves(db, "household:2") == ["2-d", "2-c"]
    assert [state and state.area for state in db.states(["household:1", "photo"])] == ["020301", ""]
    with pytest.raises(NotFound):
        db.get("household:3")
    _, content = db.attachment("photo", None, "front.jpg")
    with content as stream:
        assert stream.read() == b"\xff\xd8 a photo"
    assert db.get_local("sok", "checkpoint").body == b'{"last_seq":"3"}'
    assert db.revs_diff({"purged": ["1-a"]}) == {}
    assert (db.revs_limit(), db.security()) == (500, {"members": {"names": ["sok"]}})
    info = db.info()
    assert (info.doc_count, info.doc_del_count, info.update_seq) == (3, 1, "9-aa0e16b2")
    assert version(old_file) == len(MIGRATIONS)


def test_a_file_of_the_first_schema_goes_on_as_any_other(old_file: Path) -> None:
    db = open_store(old_file.parent).database("notes")
    everyone, here = db, db.within(["020301"])
    rows = [row.doc_id for row in everyone.changes("4-aa0e16b2").rows]
    assert rows == ["household:2", "household:3", "photo"]
    assert [row.doc_id for row in here.changes().rows] == ["household:1", "household:3"]
    reached = here.changes().last_seq
    replicate(db, write("household:1", "3-e", "2-b", "1-a", area="020302"))
    put(db, "new")
    assert [(row.doc_id, row.departed) for row in here.changes(reached).rows] == [
        ("household:1", True)
    ]
    assert db.info().doc_count == 4
    db.compact()
    assert leaves(db, "household:2") == ["2-d", "2-c"]


class Late(sqlite3.Connection):
    """Whose first look at the version is out of date before anything comes of it."""

    overtaken_by: sqlite3.Connection | None = None

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        other, self.overtaken_by = self.overtaken_by, None
        if other is None or sql != "PRAGMA user_version":
            return super().execute(sql, *parameters)
        (seen,) = super().execute(sql).fetchone()
        migrate(other)
        return super().execute(f"SELECT {seen}")


def test_of_processes_that_open_an_older_file_at_once_one_takes_each_step(old_file: Path) -> None:
    late = sqlite3.connect(old_file, isolation_level=None, factory=Late)
    late.overtaken_by = sqlite3.connect(old_file, isolation_level=None)
    migrate(late)
    assert not late.in_transaction
    assert version(old_file) == len(MIGRATIONS)
    db = open_store(old_file.parent).database("notes")
    assert (db.info().doc_count, put(db, "new")[:2]) == (3, "1-")


def test_a_file_of_a_newer_release_is_refused_and_left_alone(old_file: Path) -> None:
    connection = sqlite3.connect(old_file)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(RuntimeError, match="newer release"):
        open_store(old_file.parent).database("notes").info()
    assert version(old_file) == len(MIGRATIONS) + 1
