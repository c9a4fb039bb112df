"""An area that is granted again comes back to the tablets that were told to forget it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sync_server.access.reader import database_for
from sync_server.errors import Unavailable
from sync_server.intake import regrant as module
from sync_server.intake.regrant import RECHECK_SECONDS, Regrants
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings
from sync_server.storage.base import Database, Revision
from tests.contract.drafts import ORIGIN, replicate, write
from tests.contract.test_scopes import Reader, visible

HERE, THERE = "020301", "020401"


class Office:
    """Grants come and go; a tablet of `sok` pulls; the worker looks after it."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.now = 0.0
        self.regrants = Regrants(parts, lambda: self.now)
        parts.store.create("rushit")
        self.db = parts.store.database("rushit")
        parts.accounts.create("sok", "password1")
        self.areas: tuple[str, ...] = ()

    def grant(self, *areas: str) -> None:
        """Sok sees these areas from now on, and no others."""
        for grant in self.parts.grants.of("sok"):
            if grant.ends_at is None:
                self.parts.grants.end(grant.number)
        for area in areas:
            self.parts.grants.give("sok", "cew", "rushit", area)
        self.areas = areas

    def tablet(self) -> Tablet:
        return Tablet(self)


class Tablet(Reader):
    """A tablet that sees what Sok's grants let it see at the time."""

    def __init__(self, office: Office) -> None:
        self.office = office
        super().__init__(office.db)

    def sight(self) -> Database:
        account = self.office.parts.accounts.find("sok")
        assert account is not None
        return database_for(self.office.parts, account.account, "rushit")

    def pull(self, limit: int = 3, pages: int | None = None) -> list[str]:
        told: list[str] = []
        while True:
            sight = self.sight()
            page = sight.changes(self.since, limit=limit)
            for row in page.rows:
                told.append(row.doc_id)
                for revisions in sight.bulk_get([(row.doc_id, rev) for rev in row.leaves]):
                    for one in revisions:
                        self.keep(row.doc_id, one)
            self.since = page.last_seq
            if not page.pending:
                return told


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    parts = open_parts(Settings(data_dir=tmp_path))
    yield Office(parts)
    parts.close()


def fill(office: Office, count: int = 5, area: str = HERE) -> list[str]:
    ids = [f"{area}-{number}" for number in range(count)]
    replicate(office.db, *(write(doc_id, "1-a", area=area, n=1) for doc_id in ids))
    return ids


def test_what_was_told_comes_back(office: Office) -> None:
    fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    tablet.pull()
    assert tablet.shows() == {}
    office.grant(HERE)
    assert office.regrants.step() == 5
    tablet.pull()
    assert tablet.shows() == visible(office.db, HERE)
    assert len(tablet.shows()) == 5


def test_what_the_tablet_pulls_before_the_worker_looks_comes_back_too(office: Office) -> None:
    fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    tablet.pull()
    office.grant(HERE)
    tablet.pull()
    assert tablet.shows() == {}
    office.regrants.step()
    tablet.pull()
    assert len(tablet.shows()) == 5


def test_nothing_is_written_where_no_tablet_was_told(office: Office) -> None:
    fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    office.grant(HERE)
    seq = office.db.update_seq()
    assert office.regrants.step() == 0
    assert tablet.pull() == []
    assert office.db.update_seq() == seq


def test_only_what_was_told_and_has_not_changed_is_renewed(office: Office) -> None:
    first, second, *_ = fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    late = write("late", "1-a", area=HERE)
    office.grant()
    tablet.pull()
    replicate(office.db, late, write(first, "2-b", "1-a", n=2))
    replicate(office.db, write(second, "2-b", "1-a", deleted=True))
    office.grant(HERE)
    assert office.regrants.step() == 3
    tablet.pull()
    assert tablet.shows() == visible(office.db, HERE)


def test_an_area_goes_to_and_fro_between_two(office: Office) -> None:
    fill(office)
    tablet = office.tablet()
    for turn in range(4):
        office.grant(HERE)
        assert office.regrants.step() == (5 if turn else 0)
        tablet.pull()
        assert tablet.shows() == visible(office.db, HERE)
        office.grant(THERE)
        assert office.regrants.step() == 0
        tablet.pull()
        assert tablet.shows() == {}


def test_it_is_done_once(office: Office) -> None:
    fill(office)
    tablet = office.tablet()
    for areas in ((HERE,), (), (HERE,)):
        office.grant(*areas)
        tablet.pull()
    assert office.regrants.step() == 5
    assert office.regrants.step() == 0
    office.grant(HERE, THERE)
    assert Regrants(office.parts).step() == 0, "nor by a worker that starts anew"
    office.now += RECHECK_SECONDS
    assert office.regrants.step() == 0


def test_every_live_leaf_comes_back(office: Office) -> None:
    replicate(office.db, write("a", "1-a", area=HERE))
    replicate(office.db, write("a", "2-b", "1-a"), write("a", "2-c", "1-a"))
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    tablet.pull()
    replicate(office.db, write("a", "3-d", "2-b", "1-a"))
    office.grant(HERE)
    assert office.regrants.step() == 1
    tablet.pull()
    live = [leaf.rev for leaf in office.db.state("a").leaves if not leaf.deleted]
    assert sorted(tablet.trees["a"].live_leaves()) == sorted(live)


def test_a_document_that_moved_into_an_area_granted_later_comes_back(office: Office) -> None:
    (doc_id,) = fill(office, 1)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.db.relocate({doc_id: THERE}, origin=ORIGIN)
    tablet.pull()
    assert tablet.shows() == {}
    office.grant(HERE, THERE)
    office.regrants.step()
    tablet.pull()
    assert tablet.shows() == visible(office.db, THERE)


def test_a_grant_that_begins_by_itself_is_noticed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    tablet.pull()
    clock = office.parts.scopes._clock
    later = clock() + 60_000
    office.parts.grants.give("sok", "cew", "rushit", HERE, starts_at=later)
    assert office.regrants.step() == 0
    monkeypatch.setattr(office.parts.scopes, "_clock", lambda: later)
    office.now += RECHECK_SECONDS
    assert office.regrants.step() == 5


def test_a_departure_that_is_told_late_is_noticed(office: Office) -> None:
    """By a feed that had begun before the grant was given back."""
    fill(office)
    office.grant(HERE)
    tablet = office.tablet()
    tablet.pull()
    office.grant()
    before = tablet.sight()
    office.grant(HERE)
    assert office.regrants.step() == 0
    page = before.changes(tablet.since)
    for row in page.rows:
        for revisions in before.bulk_get([(row.doc_id, rev) for rev in row.leaves]):
            for one in revisions:
                tablet.keep(row.doc_id, one)
    assert tablet.shows() == {}
    assert office.regrants.step() == 5
    tablet.since = page.last_seq
    tablet.pull()
    assert len(tablet.shows()) == 5


def test_a_crash_between_two_batches_is_made_good(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    fill(office)
    tablet = office.tablet()
    for areas in ((HERE,), (), (HERE,)):
        office.grant(*areas)
        tablet.pull()
    renewed: list[Sequence[str]] = []
    whole = type(office.db).renew

    def renew(db: Any, doc_ids: Sequence[str], **origin: Any) -> int:
        if len(renewed) == 1:
            renewed.append([])
            raise Unavailable("crash")
        renewed.append(doc_ids)
        return whole(db, doc_ids, **origin)

    monkeypatch.setattr(type(office.db), "renew", renew)
    with pytest.raises(Unavailable):
        office.regrants.step()
    assert Regrants(office.parts).step() == 3
    tablet.pull()
    assert len(tablet.shows()) == 5
    assert sum(map(len, renewed)) == 5, "none twice"


def test_an_account_or_a_database_that_is_gone_is_passed_over(office: Office) -> None:
    fill(office)
    tablet = office.tablet()
    for areas in ((HERE,), ()):
        office.grant(*areas)
        tablet.pull()
    office.parts.departures.note("rushit", "nobody", tablet.sight().changes().rows)
    office.parts.store.delete("rushit")
    assert office.regrants.step() == 0


def test_content_and_attachments_are_what_they_were(office: Office) -> None:
    (doc_id,) = fill(office, 1)
    tablet = office.tablet()
    for areas in ((HERE,), (), (HERE,)):
        office.grant(*areas)
        tablet.pull()
    before = office.db.get(doc_id)
    office.regrants.step()
    after: Revision = office.db.get(doc_id)
    assert (after.body, after.attachments) == (before.body, before.attachments)
    assert after.revisions.revs()[1:] == before.revisions.revs()
