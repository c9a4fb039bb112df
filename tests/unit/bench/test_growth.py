"""The databases that growth is measured on are what a server would hold."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress

from sync_server.bench.growth import SMALL, Grown, fill
from sync_server.storage.sqlite import open_store


def filled(folder: Path, *sizes: int) -> list[Grown]:
    with Progress(disable=True) as progress:
        return fill(folder, sizes, progress, progress.add_task("filling", total=sum(sizes)))


def test_a_filled_database_holds_its_documents_and_a_small_pull(tmp_path: Path) -> None:
    grown = filled(tmp_path, 40, 60)
    store = open_store(tmp_path)
    try:
        for database, size in zip(grown, (40, 60), strict=True):
            stored = store.database(database.name)
            assert stored.info().doc_count == size
            assert len(stored.changes(database.near_end).rows) == SMALL
            assert stored.changes(database.end).rows == []
    finally:
        store.close()
