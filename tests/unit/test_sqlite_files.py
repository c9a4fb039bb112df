"""The files of the embedded engine, where a crash or a power cut comes between two steps."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import pytest

from sync_server.storage.sqlite import open_store
from sync_server.storage.sqlite.log_room import STEP, make_room
from tests.contract.drafts import edit, put, write

FILE = "notes.couch.sqlite3"


def test_a_log_that_a_crash_left_behind_is_not_taken_for_that_of_a_new_database(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    store.create("notes")
    put(store.database("notes"), "old", secret="of the old database")
    log = tmp_path / (FILE + "-wal")
    kept = shutil.copy(log, tmp_path / "kept")
    store.delete("notes")
    assert not log.exists()
    os.rename(kept, log)  # as if the process had ended before it removed the log

    store.create("notes")
    assert store.database("notes").info().doc_count == 0
    assert put(store.database("notes"), "new").startswith("1-")
    assert [row.doc_id for row in store.database("notes").changes().rows] == ["new"]


def test_a_draft_that_a_crash_left_behind_is_no_harm(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for suffix in ("", "-journal", "-wal"):
        (tmp_path / ("draft" + suffix)).write_bytes(b"half a file")
    store.create("notes")
    put(store.database("notes"), "a")
    assert not list(tmp_path.glob("draft*"))


def test_who_deletes_a_database_spares_one_that_was_made_again_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = open_store(tmp_path), open_store(tmp_path)
    here.create("notes")
    held = here.database("notes")
    drop = held.drop

    def drop_while_another_process_deletes_and_makes_it_again() -> None:
        drop()
        there.delete("notes")
        there.create("notes")
        put(there.database("notes"), "new")

    monkeypatch.setattr(held, "drop", drop_while_another_process_deletes_and_makes_it_again)
    here.delete("notes")
    assert [row.doc_id for row in here.database("notes").changes().rows] == ["new"]


def test_folders_are_on_disk_before_what_is_in_them_is_relied_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def recording(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recording)
    folder = tmp_path / "data" / "databases"
    store = open_store(folder)
    assert {folder, folder.parent, tmp_path} <= set(synced)
    for change in (store.create, store.delete):
        synced.clear()
        change("notes")
        assert folder in synced


def test_compaction_shortens_the_file(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("notes")
    db = store.database("notes")
    large = [write(f"d{n}", x="y" * 100_000) for n in range(150)]
    first = [str(result.rev) for result in edit(db, *large)]
    edit(db, *(write(f"d{n}", rev) for n, rev in enumerate(first)))
    kept = [result.rev for result in edit(db, *(write(f"kept{n}", n=n) for n in range(20)))]
    before = db.info()
    db.compact()
    assert db.info().file_size < before.file_size / 20
    assert [db.get(f"kept{n}").rev for n in range(20)] == kept
    store.close()
    assert (tmp_path / FILE).stat().st_size == db.info().file_size


def test_a_log_that_one_batch_made_long_is_cut_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create("notes")
    db = store.database("notes")
    edit(db, *(write(f"d{n}", x="y" * 1_000_000) for n in range(60)))
    log = tmp_path / (FILE + "-wal")
    assert log.stat().st_size > 60_000_000
    for n in range(2):
        put(db, f"after{n}")
    assert log.stat().st_size <= 32 * 1024 * 1024


def test_a_log_has_room_before_it_is_needed_and_the_room_is_nothing_to_who_reads(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path / "here")
    store.create("notes")
    database = store.database("notes")
    ids = [f"document-{number:03}" for number in range(300)]
    log = tmp_path / "here" / (FILE + "-wal")
    lengths = set()
    for doc_id in ids:
        put(database, doc_id, text="x" * 5_000)
        lengths.add(log.stat().st_size)
    outgrown = [length for length in lengths if length % STEP]
    assert len(outgrown) <= max(lengths) // STEP + 1

    after_a_crash = tmp_path / "there"
    shutil.copytree(tmp_path / "here", after_a_crash)
    found = open_store(after_a_crash).database("notes").all_docs()
    assert [row.doc_id for row in found.rows] == ids


def test_two_processes_that_write_in_turns_make_room_once(tmp_path: Path) -> None:
    here, there = open_store(tmp_path), open_store(tmp_path)
    here.create("notes")
    for number in range(5):
        for store in (here, there):
            put(store.database("notes"), f"{id(store)}-{number}")
    assert (tmp_path / (FILE + "-wal")).stat().st_size == STEP


def test_where_there_is_no_room_a_commit_may_still_find_enough(tmp_path: Path) -> None:
    log = tmp_path / "log"
    make_room(str(log))
    assert not log.exists()
    log.write_bytes(b"frames")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, limits[1]))
    try:
        make_room(str(log))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.read_bytes() == b"frames"
