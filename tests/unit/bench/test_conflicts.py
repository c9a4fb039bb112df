"""The conflicts that are measured are conflicts, merge by themselves, and are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_server.bench.conflicts import DATABASE, edits_of, store, verify
from sync_server.bench.households import Household, households
from sync_server.bench.traffic import TrafficError
from sync_server.intake.pipeline import Pipeline, position
from sync_server.sql import open_engine, upgrade
from sync_server.storage.base import DocumentStore, Revisions, RevisionWrite
from sync_server.storage.sqlite import open_store


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[DocumentStore]:
    engine = open_store(tmp_path / "databases")
    engine.create(DATABASE)
    yield engine
    engine.close()


def conflicting(opened: DocumentStore, count: int) -> list[Household]:
    documents = list(households(count, seed=1))
    database = opened.database(DATABASE)
    for household in documents:
        revisions = Revisions(household.generation, household.revision_ids)
        store(database, [RevisionWrite(household.doc_id, revisions, household.body_json())])
    store(database, [edit for household in documents for edit in edits_of(household)])
    return documents


def test_every_document_is_in_conflict_and_is_merged(opened: DocumentStore, tmp_path: Path) -> None:
    documents = conflicting(opened, 10)
    database = opened.database(DATABASE)
    assert len(database.conflicted()) == 10
    with pytest.raises(TrafficError, match="0 of 10"):
        verify(database, documents)
    sql = open_engine(f"sqlite:///{tmp_path / 'service.db'}")
    upgrade(sql)
    Pipeline(opened, sql, [DATABASE]).drain()
    sql.dispose()
    verify(database, documents)
    assert database.conflicted() == []
    assert position(database) == database.update_seq()
