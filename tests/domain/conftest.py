"""A programme on the real engine and a real SQL database, with the intake run by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from sync_server.access.areas import personal
from sync_server.access.placing import NO_PLACES, Places
from sync_server.cases.forgetting import forget_database
from sync_server.intake.case_sweep import sweep_cases
from sync_server.intake.notices import notice_id
from sync_server.intake.pipeline import CHECKPOINT, OWNER, STAGES, Pipeline, sweep
from sync_server.intake.stage import Stage
from sync_server.sql import open_engine, upgrade
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    DocumentStore,
    Origin,
    Revisions,
    RevisionWrite,
)
from sync_server.storage.sqlite import open_store
from sync_server.workflow.decisions import Decision, Outcome, decide
from sync_server.workflow.publish import review_id

NAME = "rushit"
NOW = 1_750_000_000_000
CAPTURED = "2025-06-15T10:00:00+07:00"


def household(**changes: Any) -> dict[str, Any]:
    return {
        "type": "household",
        "schema_version": 1,
        "author": "sok",
        "device": "tablet-1",
        "device_seq": 1,
        "captured_at": CAPTURED,
        "village": "01020101",
        "head": {"surname_km": "សុខ", "given_name_km": "ដារ៉ា", "sex": "male", "birth_year": 1980},
        "phone": "+85512345678",
        "members_total": 4,
        "members_women": 2,
        "consent": {"date": "2025-06-15", "method": "signature"},
        **changes,
    }


def proposal(**changes: Any) -> dict[str, Any]:
    return {
        "type": "proposal",
        "schema_version": 1,
        "author": "sok",
        "device": "tablet-1",
        "device_seq": 2,
        "captured_at": CAPTURED,
        "household": "household:1",
        "activity": "chicken",
        "lines": [{"item": "chick", "quantity": 30, "unit": "head", "unit_price_cents": 120}],
        "requested_total_cents": 3600,
        "submitted": True,
        **changes,
    }


@dataclass
class Programme:
    """Tablets push, the intake runs, coordinators decide."""

    store: DocumentStore
    sql: Engine
    clock: int = NOW
    names: Sequence[str] = field(default=(NAME,))
    places: Places = NO_PLACES
    stages: Sequence[Stage] = STAGES

    @property
    def db(self) -> Database:
        return self.store.database(NAME)

    def push(
        self,
        doc_id: str,
        *path: str,
        account: str = "sok",
        deleted: bool = False,
        received_at: int | None = None,
        area: str | None = None,
        attachments: dict[str, AttachmentWrite] | None = None,
        **body: Any,
    ) -> str:
        """Store one revision as a tablet's push does. `path`: as `2-b`, `1-a`."""
        start = int(path[0].partition("-")[0])
        revisions = Revisions(start, [rev.partition("-")[2] for rev in path])
        write = RevisionWrite(
            doc_id, revisions, orjson.dumps(body), deleted, attachments or {}, area
        )
        origin = Origin(account, "tablet", received_at or self.clock)
        (result,) = self.db.bulk_docs([write], new_edits=False, origin=origin)
        assert result.error is None
        return path[0]

    def intake(self) -> None:
        Pipeline(
            self.store,
            self.sql,
            self.names,
            places=self.places,
            now=lambda: self.clock,
            stages=self.stages,
        ).drain()

    def sweep(self) -> None:
        """What the scheduled job does, and what that leads to."""
        sweep_cases(self.store, self.sql, NAME, places=self.places, now=lambda: self.clock)
        sweep(self.store, self.sql, self.names, now=lambda: self.clock)
        self.intake()

    def forget_cases(self) -> None:
        """As if the service's database had been restored from an older backup."""
        with self.sql.begin() as connection:
            forget_database(connection, NAME)

    @contextmanager
    def silent_intake(self) -> Iterator[None]:
        """What happens meanwhile, the follower has passed over."""
        yield
        seq = orjson.dumps({"seq": self.db.update_seq()})
        self.db.put_local(OWNER, CHECKPOINT, None, seq)

    def told(self, account: str) -> list[dict[str, Any]]:
        """What this account alone is told of values that were not taken."""
        return [self.body(doc_id) for doc_id in self.told_ids(account)]

    def told_ids(self, account: str) -> list[str]:
        mine = self.db.within([personal(account)]).all_docs(startkey="notice:", endkey="notice;")
        found = [row.doc_id for row in mine.rows if row]
        return [doc_id for doc_id in found if self.body(doc_id)["kind"] == "overridden"]

    def body(self, doc_id: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.db.get(doc_id).body)
        return found

    def review(self, doc_id: str) -> dict[str, Any] | None:
        (found,) = self.db.winners([review_id(doc_id)])
        return orjson.loads(found.body) if found and not found.deleted else None

    def notice(self, kind: str, doc_id: str) -> dict[str, Any] | None:
        (found,) = self.db.winners([notice_id(kind, doc_id)])
        return orjson.loads(found.body) if found and not found.deleted else None

    def live(self, doc_id: str) -> list[str]:
        return [leaf.rev for leaf in self.db.state(doc_id).leaves if not leaf.deleted]

    def decide(self, doc_id: str, action: str = "approve", **changes: Any) -> Outcome:
        review = self.review(doc_id)
        assert review is not None
        asked = {"rev": review["revision"], "amount_cents": 3600, **changes}
        actor = asked.pop("actor", "bopha")
        decision = Decision(proposal=doc_id, action=action, **asked)
        (outcome,) = decide(self.sql, self.db, [decision], actor, self.clock)
        return outcome


@pytest.fixture
def programme(tmp_path: Path) -> Iterator[Programme]:
    store = open_store(tmp_path / "databases")
    store.create(NAME)
    sql = open_engine(f"sqlite:///{tmp_path / 'service.db'}")
    upgrade(sql)
    yield Programme(store, sql)
    store.close()
    sql.dispose()
