"""Whatever is lost on the way, tablets end with what their grants show: no more and no less.

Tablets write and push, pull pages and lose the note of it, documents move, grants come and go, all
drawn from a seed and on a clock that moves with every step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from sync_server.access import memory as remembering
from sync_server.access.accounts import Account
from sync_server.access.grants import Grant
from sync_server.access.scope import scope_of
from sync_server.storage.base import Database
from sync_server.storage.sqlite import rows
from tests.contract.conftest import ENGINES
from tests.contract.drafts import ORIGIN, replicate, write
from tests.contract.test_scopes import Reader

AREAS = ("02", "020301", "020302", "020401")


class Places:
    def areas_within(self, area: str) -> list[str]:
        return [place for place in ("02", "0203", *AREAS[1:]) if place.startswith(area)]


@dataclass
class Clock:
    now: int = 1000

    def time_ns(self) -> int:
        self.now += 1
        return self.now * 1_000_000


@dataclass
class Tablet:
    """One of an account, with a note of how far it has come, and when that was given to it."""

    clock: Clock
    account: Account
    reader: Reader = field(init=False)
    given_at: int | None = None

    def sight(self, db: Database, since: int) -> Database:
        now = self.clock.now
        scope = scope_of(self.account, "rushit", Places(), now)
        assert scope.areas is not None
        seen = remembering.Memory(self.account.name, scope, Places(), since, now)
        return db.within(scope.areas, seen)

    def pull(self, db: Database, limit: int, pages: int, loses_note: bool) -> None:
        since, given_at = self.reader.since, self.given_at
        for _ in range(pages):
            self.clock.time_ns()
            given_at = self.clock.now - 10_000 if given_at is None else given_at
            page = self.sight(db, given_at).changes(since, limit=limit)
            for row in page.rows:
                for found in self.sight(db, 0).bulk_get([(row.doc_id, rev) for rev in row.leaves]):
                    for one in found:
                        self.reader.keep(row.doc_id, one)
            since = page.last_seq
            if not page.pending:
                given_at = self.clock.now
                break
        if not loses_note:
            self.reader.since, self.given_at = since, given_at

    def push(self, db: Database, doc_id: str, rev: str, area: str) -> None:
        """A document of the tablet's own, new to everybody."""
        replicate(db, write(doc_id, rev, area=area, by=self.account.name))
        self.reader.keep(doc_id, db.get(doc_id))


def regrant(db: Database, clock: Clock, tablet: Tablet, chance: random.Random) -> None:
    """As the service does it: what comes back is renewed."""
    clock.time_ns()
    wanted = chance.sample(AREAS, chance.randrange(3))
    kept = [
        replace(one, ends_at=clock.now) if one.ends_at is None and one.area not in wanted else one
        for one in tablet.account.grants
    ]
    held = {one.area for one in kept if one.ends_at is None}
    clock.time_ns()
    new = [Grant("cew", "rushit", area, clock.now) for area in wanted if area not in held]
    tablet.account = replace(tablet.account, grants=(*kept, *new))
    clock.time_ns()
    page = tablet.sight(db, 0).all_docs()
    db.renew([row.doc_id for row in page.rows if row is not None], origin=ORIGIN)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(100))
def test_tablets_that_lose_their_notes_end_with_their_scope(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    seed: int,
) -> None:
    chance, clock = random.Random(seed), Clock()
    monkeypatch.setattr(rows, "time", SimpleNamespace(time_ns=clock.time_ns))
    store = ENGINES[engine](tmp_path_factory.mktemp("readers"))
    store.create("rushit")
    db = store.database("rushit")
    tablets = [Tablet(clock, Account(name)) for name in ("sok", "dara")]
    for tablet in tablets:
        tablet.reader = Reader(db)
        regrant(db, clock, tablet, chance)
    for step in range(50):
        act(db, clock, chance, step, chance.choice(tablets))
    for tablet in tablets:
        for _ in range(3):
            tablet.pull(db, 2, 1000, False)
        shown = tablet.sight(db, 0).all_docs().rows
        assert tablet.reader.shows() == {row.doc_id: row.rev for row in shown if row is not None}
    store.close()


def act(db: Database, clock: Clock, chance: random.Random, step: int, tablet: Tablet) -> None:
    clock.time_ns()
    doc_id = f"d{chance.randrange(8)}"
    match chance.randrange(7):
        case 0 | 1:
            own = [one.area for one in tablet.account.grants if one.ends_at is None]
            if own and db.states([doc_id]) == [None]:
                tablet.push(db, doc_id, f"1-{step:x}", chance.choice(own))
        case 2 | 3:
            db.relocate({doc_id: chance.choice(["", *AREAS])}, origin=ORIGIN)
        case 4:
            regrant(db, clock, tablet, chance)
        case _:
            tablet.pull(db, chance.randrange(1, 4), chance.randrange(1, 3), chance.random() < 0.5)
