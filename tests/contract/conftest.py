"""The contract suite runs over every engine; a new engine adds itself to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync_server.storage.base import Database, DocumentStore
from sync_server.storage.sqlite import open_store

ENGINES: dict[str, Callable[[Path], DocumentStore]] = {"sqlite": open_store}


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    store = ENGINES[request.param](tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def db(store: DocumentStore) -> Database:
    store.create("notes")
    return store.database("notes")
