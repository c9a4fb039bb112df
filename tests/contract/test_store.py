"""Databases of a store, and several stores over the same data, as every engine must behave."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from sync_server.errors import BadRequest, FileExists, IllegalDatabaseName, NotFound
from sync_server.storage.base import Database, DocumentStore
from tests.contract.conftest import ENGINES
from tests.contract.drafts import put, replicate, write


def test_a_database_is_created_once_listed_and_deleted(store: DocumentStore) -> None:
    store.create("a")
    store.create("b/c+d")
    with pytest.raises(FileExists):
        store.create("a")
    assert store.names() == ["a", "b/c+d"]
    held = store.database("a")
    put(held, "x")
    store.delete("a")
    assert store.names() == ["b/c+d"]
    for use in (lambda: store.database("a"), lambda: store.delete("a"), lambda: put(held, "y")):
        with pytest.raises(NotFound):
            use()


def test_a_database_made_again_is_empty_and_another_instance(store: DocumentStore) -> None:
    store.create("a")
    put(store.database("a"), "x")
    before = store.database("a").info()
    store.delete("a")
    store.create("a")
    info = store.database("a").info()
    assert info.doc_count == 0
    assert info.instance_start_time != before.instance_start_time
    assert store.database("a").changes(before.update_seq).rows == []


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "_users", "a b", "a\n", "../a", "a%2f", "å", "a" * 200, "a" + "/" * 99]
)
def test_other_names_are_illegal(store: DocumentStore, name: str) -> None:
    with pytest.raises(IllegalDatabaseName):
        store.create(name)
    with pytest.raises(IllegalDatabaseName):
        store.database(name)


def test_what_was_stored_is_there_after_opening_again(
    store: DocumentStore, db: Database, tmp_path: Path
) -> None:
    put(db, "a", n=1)
    seq, uuid = db.update_seq(), store.uuid
    store.close()
    for open_engine in ENGINES.values():
        again = open_engine(tmp_path / "store")
        assert again.uuid == uuid
        assert again.database("notes").update_seq() == seq
        assert again.database("notes").info() == db.info()
        again.close()


def test_security_and_revs_limit_are_kept(db: Database) -> None:
    assert db.security() == {}
    db.set_security({"members": {"names": ["sok"]}})
    assert db.security() == {"members": {"names": ["sok"]}}
    assert db.revs_limit() == 1000
    db.set_revs_limit(20)
    assert db.revs_limit() == 20
    with pytest.raises(BadRequest):
        db.set_revs_limit(0)


def _push(engine: str, path: Path, name: str) -> None:
    store = ENGINES[engine](path)
    db = store.database("notes")
    for n in range(40):
        replicate(db, write(f"{name}-{n}", "1-a"), write("shared", f"1-{name}{n}"))
    store.close()


def test_several_processes_write_at_once_and_nothing_is_lost(
    request: pytest.FixtureRequest, db: Database, store: DocumentStore, tmp_path: Path
) -> None:
    engine = request.node.callspec.params["store"]
    context = multiprocessing.get_context("fork")  # an inherited store must be safe to have
    workers = [
        context.Process(target=_push, args=(engine, tmp_path / "store", name)) for name in "abc"
    ]
    for worker in workers:
        worker.start()
    _push(engine, tmp_path / "store", "here")
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    rows = db.changes().rows
    assert len(rows) == 4 * 40 + 1
    assert len(db.state("shared").leaves) == 4 * 40
    assert len({row.seq for row in rows}) == len(rows)
    assert db.info().doc_count == len(rows)


def test_an_exception_in_a_batch_writes_nothing(db: Database) -> None:
    put(db, "a")
    before = db.update_seq()
    broken = write("c", "1-c")._replace(body=object())  # type: ignore[arg-type]
    with pytest.raises(Exception):  # noqa: B017 - whatever it is
        replicate(db, write("b", "1-b"), broken)
    assert db.update_seq() == before
    with pytest.raises(NotFound):
        db.get("b")
    put(db, "b")
