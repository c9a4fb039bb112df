"""Where documents stand, by what they say and what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from sync_server.access.accounts import Account
from sync_server.access.grants import Grant
from sync_server.access.placing import Author, Sent, author_of, place
from sync_server.storage.base import Database, DocumentState
from sync_server.storage.sqlite import open_store
from tests.contract.drafts import replicate, write

HERE, THERE, HOME = "020301", "020401", "010203"
VILLAGE, OTHER = HERE + "05", THERE + "11"
SOK = Author("sok", HOME)
MIRROR = Author("mirror", None)


class Villages:
    def knows(self, code: str) -> bool:
        return code in (VILLAGE, OTHER)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    store = open_store(tmp_path)
    store.create("rushit")
    yield store.database("rushit")
    store.close()


def placed(db: Database, *sent: Sent, author: Author = SOK) -> dict[str, str]:
    return place(db, Villages(), sent, author)


def area(db: Database, doc_id: str, author: Author = SOK, **fields: object) -> str:
    return placed(db, Sent(doc_id, fields), author=author)[doc_id]


def test_a_household_stands_in_the_commune_of_its_village(db: Database) -> None:
    assert area(db, "household:1", village=VILLAGE) == HERE


@pytest.mark.parametrize("village", ["02030199", "0203", "", None, 2030105, [VILLAGE], {}])
def test_a_village_that_is_unknown_says_nothing(db: Database, village: object) -> None:
    assert area(db, "household:1", village=village) == HOME


def test_a_training_stands_where_its_venue_is(db: Database) -> None:
    assert area(db, "training:1", village=OTHER) == THERE


def test_what_is_stored_keeps_its_area_whatever_it_says(db: Database) -> None:
    replicate(db, write("household:1", "1-a", area=HERE))
    replicate(db, write("proposal:1", "1-a", area=THERE))
    assert area(db, "household:1", village=OTHER) == HERE
    assert area(db, "proposal:1", household="household:1") == THERE
    assert placed(db, Sent("household:1", None)) == {"household:1": HERE}


def test_what_is_deleted_and_stored_keeps_its_area_too(db: Database) -> None:
    replicate(db, write("household:1", "2-b", "1-a", area=HERE, deleted=True))
    assert area(db, "household:1", village=OTHER) == HERE
    assert area(db, "proposal:1", household="household:1") == HERE


@pytest.mark.parametrize("kind", ["proposal", "visit", "delivery", "attendance", "review"])
def test_what_names_a_household_stands_beside_it(db: Database, kind: str) -> None:
    replicate(db, write("household:1", "1-a", area=HERE))
    assert area(db, f"{kind}:9", household="household:1") == HERE


def test_a_push_may_hold_the_household_in_any_place(db: Database) -> None:
    visit = Sent("visit:1", {"proposal": "proposal:1"})
    proposal = Sent("proposal:1", {"household": "household:1"})
    household = Sent("household:1", {"village": OTHER})
    notice = Sent("notice:1", {"document": "visit:1"})
    for batch in ((visit, proposal, household, notice), (notice, household, proposal, visit)):
        assert set(placed(db, *batch).values()) == {THERE}


def test_a_stored_household_counts_before_one_in_the_push(db: Database) -> None:
    replicate(db, write("household:1", "1-a", area=HERE))
    found = placed(
        db,
        Sent("household:1", {"village": OTHER}),
        Sent("proposal:1", {"household": "household:1"}),
    )
    assert found == {"household:1": HERE, "proposal:1": HERE}


def test_visits_and_deliveries_follow_a_proposal(db: Database) -> None:
    replicate(db, write("proposal:1", "1-a", area=HERE))
    for kind in ("visit", "delivery"):
        assert area(db, f"{kind}:1", proposal="proposal:1") == HERE
        assert area(db, f"{kind}:1", household="household:no", proposal="proposal:1") == HERE


def test_an_attendance_without_a_known_household_follows_the_training(db: Database) -> None:
    replicate(db, write("training:1", "1-a", area=HERE))
    assert area(db, "attendance:1", household="household:no", training="training:1") == HERE


def test_what_is_not_known_yet_stands_at_the_authors_home(db: Database) -> None:
    assert area(db, "proposal:1", household="household:later") == HOME
    assert area(db, "proposal:1") == HOME
    assert area(db, "note") == HOME
    assert area(db, "contest:1", notice="notice:1") == HOME
    assert placed(db, Sent("household:1", None)) == {"household:1": HOME}


@pytest.mark.parametrize("name", ["proposal:1", "note", "household", 7, None, ["household:1"]])
def test_only_a_household_is_a_proposals_household(db: Database, name: object) -> None:
    replicate(db, write("proposal:1", "1-a", area=HERE), write("note", "1-a", area=HERE))
    assert area(db, "proposal:2", household=name) == HOME


def test_documents_that_name_each_other_come_to_an_end(db: Database) -> None:
    first = Sent("notice:1", {"document": "notice:2"})
    second = Sent("notice:2", {"document": "notice:1"})
    assert placed(db, first, second) == {"notice:1": HOME, "notice:2": HOME}


def test_two_leaves_of_a_document_stand_where_one_of_them_says(db: Database) -> None:
    said = Sent("household:1", {"village": VILLAGE})
    silent = Sent("household:1", None)
    for batch in ((said, silent), (silent, said)):
        assert placed(db, *batch) == {"household:1": HERE}


def test_storage_is_read_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []
    read = db.states

    def states(doc_ids: Sequence[str]) -> list[DocumentState | None]:
        asked.append(doc_ids)
        return read(doc_ids)

    monkeypatch.setattr(db, "states", states)
    batch = [Sent(f"proposal:{n}", {"household": f"household:{n % 3}"}) for n in range(50)]
    placed(db, *batch)
    (ids,) = asked
    assert len(ids) == 53


def test_nobodys_tablet_is_shown_what_a_replicator_brings_without_a_place(db: Database) -> None:
    assert area(db, "household:1", MIRROR) == "@mirror"
    assert area(db, "proposal:1", MIRROR, household="household:later") == "@mirror"
    assert area(db, "household:1", MIRROR, village=VILLAGE) == HERE
    assert area(db, "contest:1", MIRROR, notice="notice:1") == "@mirror"
    assert area(db, "catalogue:2026", MIRROR) == ""


def home(*grants: Grant, now: int = 100) -> str | None:
    return author_of(Account("sok", grants=grants), "rushit", now).home


def test_home_is_the_first_commune_that_a_worker_has() -> None:
    district = Grant("cew", "rushit", "0203", 0)
    first, second = Grant("cew", "rushit", HERE, 0), Grant("cew", "rushit", THERE, 0)
    ahead = Grant("coordinator", "rushit", HOME, 0)
    assert home(ahead, district, first, second) == HERE
    assert home(ahead, district) == "0203"
    assert home(ahead) == HOME


def test_home_is_what_holds_and_else_what_ended_last() -> None:
    ended = Grant("cew", "rushit", HERE, 0, 50)
    later = Grant("cew", "rushit", THERE, 0, 60)
    assert home(ended, Grant("coordinator", "rushit", "02", 0)) == "02"
    assert home(ended, later) == THERE
    assert home(Grant("cew", "trial", HERE, 0)) == "@sok"


def test_who_writes_whole_databases_has_no_home() -> None:
    for account in (
        Account("mirror", databases=frozenset({"rushit"})),
        Account("root", roles=frozenset({"admin"}), grants=(Grant("cew", "rushit", HERE, 0),)),
    ):
        assert author_of(account, "rushit", 0).home is None
