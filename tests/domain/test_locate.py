"""Documents stand where they belong, whatever comes first and whatever moves."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from sync_server.errors import Unavailable
from sync_server.intake import locate as module
from sync_server.intake.forgetting import forget_database
from sync_server.intake.notices import notice_id
from sync_server.intake.pipeline import Pipeline
from sync_server.intake.stage import Intake
from sync_server.intake.survey import survey
from sync_server.intake.tables import belongings, surveys
from sync_server.storage.base import Database
from sync_server.workflow.publish import review_id
from sync_server.workflow.tables import proposals
from tests.contract.drafts import ORIGIN
from tests.domain.conftest import NOW, Programme, household, proposal

A, B, C = "010203", "020301", "030101"
HOUSEHOLD, PROPOSAL = "household:1", "proposal:1"


@dataclass
class Villages:
    codes: Collection[str] = field(default=(A + "01", A + "02", B + "01", C + "01"))

    def knows(self, code: str) -> bool:
        return code in self.codes


@pytest.fixture
def programme(programme: Programme) -> Programme:
    programme.places = Villages()
    return programme


def area(programme: Programme, doc_id: str) -> str:
    return programme.db.state(doc_id).area


def areas(programme: Programme, *doc_ids: str) -> set[str]:
    return {area(programme, doc_id) for doc_id in doc_ids}


def register(programme: Programme, *path: str, area: str | None = None, **changes: Any) -> None:
    programme.push(HOUSEHOLD, *(path or ("1-a",)), area=area, **household(**changes))


def propose(programme: Programme, *path: str, area: str | None = None, **changes: Any) -> None:
    programme.push(PROPOSAL, *(path or ("1-a",)), area=area, **proposal(**changes))


def visit(programme: Programme, doc_id: str = "visit:1", area: str = A, **named: str) -> None:
    programme.push(doc_id, "1-a", area=area, type="visit", **named)


def test_a_household_that_moves_takes_along_all_that_belongs_to_it(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A, requested_total_cents=1)
    visit(programme, proposal=PROPOSAL)
    visit(programme, "visit:2", household=HOUSEHOLD)
    programme.intake()
    everything = (
        *(HOUSEHOLD, PROPOSAL, "visit:1", "visit:2"),
        *(review_id(PROPOSAL), notice_id("invalid", PROPOSAL)),
    )
    assert areas(programme, *everything) == {A}
    register(programme, "2-b", "1-a", village=B + "01")
    programme.intake()
    assert areas(programme, *everything) == {B}


def test_a_village_of_the_same_commune_moves_nothing(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    programme.intake()
    seq = programme.db.state(PROPOSAL).seq
    register(programme, "2-b", "1-a", village=A + "02")
    programme.intake()
    assert programme.db.state(PROPOSAL).seq == seq
    assert programme.live(HOUSEHOLD) == ["2-b"], "no revision but the tablet's"


def test_a_village_that_is_not_known_moves_nothing(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    register(programme, "2-b", "1-a", village="09090909")
    programme.intake()
    assert area(programme, HOUSEHOLD) == A


def test_what_came_before_its_household_follows_it(programme: Programme) -> None:
    visit(programme, area=C, proposal=PROPOSAL)
    programme.intake()
    propose(programme, area=C)
    programme.intake()
    register(programme, area=B, village=B + "01")
    programme.intake()
    assert areas(programme, "visit:1", PROPOSAL, review_id(PROPOSAL)) == {B}


def test_a_visit_prefers_its_household_to_its_proposals(programme: Programme) -> None:
    propose(programme, area=A)
    visit(programme, area=C, household=HOUSEHOLD, proposal=PROPOSAL)
    programme.intake()
    assert area(programme, "visit:1") == A
    register(programme, area=B, village=B + "01")
    programme.intake()
    assert area(programme, "visit:1") == B


def test_a_household_moves_back_and_forth(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    programme.intake()
    for there in (B, A, C, A):
        (leaf,) = programme.live(HOUSEHOLD)
        number = int(leaf.partition("-")[0]) + 1
        register(programme, f"{number}-edit", leaf, village=there + "01")
        programme.intake()
        assert areas(programme, HOUSEHOLD, PROPOSAL, review_id(PROPOSAL)) == {there}
        assert programme.body(HOUSEHOLD)["village"] == there + "01"


def test_nothing_is_written_twice(programme: Programme) -> None:
    register(programme, area=A, village=B + "01")
    propose(programme, area=A)
    visit(programme, proposal=PROPOSAL)
    programme.intake()
    before = programme.db.update_seq()
    Pipeline(programme.store, programme.sql, programme.names, places=programme.places).drain()
    programme.db.delete_local("_intake", "checkpoint")
    programme.intake()
    assert programme.db.update_seq() == before


def test_a_merge_moves_the_household_with_its_winner(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    register(programme, "2-b", "1-a", village=B + "01")
    register(programme, "2-c", "1-a", village=A + "01", phone="+85598765432")
    programme.intake()
    assert len(programme.live(HOUSEHOLD)) == 1
    assert programme.body(HOUSEHOLD)["village"] == B + "01"
    assert area(programme, HOUSEHOLD) == B


def test_a_household_in_conflict_stays_until_it_is_settled(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    register(programme, "2-b", "1-a", village=B + "01")
    register(programme, "2-c", "1-a", village=C + "01")
    programme.intake()
    assert area(programme, HOUSEHOLD) == A
    assert sorted(programme.live(HOUSEHOLD)) == ["2-b", "2-c"]
    programme.push(HOUSEHOLD, "3-d", "2-c", "1-a", deleted=True)
    programme.intake()
    assert area(programme, HOUSEHOLD) == B


def test_every_leaf_of_what_belongs_to_a_household_moves(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    propose(programme, "2-b", "1-a", requested_total_cents=1)
    propose(programme, "2-c", "1-a", requested_total_cents=2)
    programme.intake()
    register(programme, "2-b", "1-a", village=B + "01")
    programme.intake()
    assert areas(programme, PROPOSAL, notice_id("conflict", PROPOSAL)) == {B}
    assert len(programme.live(PROPOSAL)) == 2


def test_a_deleted_proposal_moves_with_its_household(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    programme.intake()
    programme.push(PROPOSAL, "2-b", "1-a", deleted=True)
    register(programme, "2-b", "1-a", village=B + "01")
    programme.intake()
    assert area(programme, PROPOSAL) == B
    assert programme.live(PROPOSAL) == []


def test_a_proposal_that_names_another_household_moves_to_it(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    programme.push("household:2", "1-a", area=B, **household(village=B + "01"))
    propose(programme, area=A)
    programme.intake()
    propose(programme, "2-b", "1-a", household="household:2")
    programme.intake()
    assert areas(programme, PROPOSAL, review_id(PROPOSAL)) == {B}
    register(programme, "2-b", "1-a", village=C + "01")
    programme.intake()
    assert area(programme, PROPOSAL) == B, "it belongs to the first no longer"


def test_what_one_account_is_told_privately_stays_private(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    programme.push("notice:9", "1-a", area="@sok", type="notice", document=HOUSEHOLD)
    programme.intake()
    register(programme, "2-b", "1-a", village=B + "01")
    programme.intake()
    assert area(programme, "notice:9") == "@sok"


def test_what_a_replicator_brought_leaves_its_waiting_place(programme: Programme) -> None:
    propose(programme, area="@mirror")
    programme.intake()
    assert programme.review(PROPOSAL) is not None
    assert area(programme, PROPOSAL) == "@mirror"
    register(programme, area=B, village=B + "01")
    programme.intake()
    assert areas(programme, PROPOSAL, review_id(PROPOSAL)) == {B}


def test_a_decided_proposal_moves_and_its_review_stays_beside_it(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    programme.intake()
    assert programme.decide(PROPOSAL).error is None
    register(programme, "2-b", "1-a", village=B + "01")
    programme.intake()
    assert areas(programme, PROPOSAL, review_id(PROPOSAL)) == {B}
    review = programme.review(PROPOSAL)
    assert review is not None and review["state"] == "approved"
    assert row_area(programme) == B


def row_area(programme: Programme) -> str:
    query = select(proposals.c.area).where(proposals.c.proposal == PROPOSAL)
    with programme.sql.connect().execution_options(read_only=True) as connection:
        return str(connection.execute(query).scalar_one())


@pytest.mark.parametrize("calls", range(4))
def test_a_crash_between_two_moves_is_made_good(
    programme: Programme, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(module, "MOST_MOVES", 1)
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    visit(programme, proposal=PROPOSAL)
    programme.intake()
    register(programme, "2-b", "1-a", village=B + "01")
    left = calls

    def relocate(db: Database, areas: dict[str, str], **origin: Any) -> int:
        nonlocal left
        if not left:
            raise Unavailable("crash")
        left -= 1
        return whole(db, areas, **origin)

    database = type(programme.db)
    whole = database.relocate
    with monkeypatch.context() as patched:
        patched.setattr(database, "relocate", relocate)
        with pytest.raises(Unavailable):
            programme.intake()
    programme.intake()
    assert areas(programme, HOUSEHOLD, PROPOSAL, review_id(PROPOSAL), "visit:1") == {B}
    assert row_area(programme) == B


def test_a_new_gazetteer_moves_what_it_knows_better(programme: Programme) -> None:
    programme.places = Villages(())
    register(programme, area=A, village=B + "01")
    propose(programme, area=A)
    programme.intake()
    assert area(programme, HOUSEHOLD) == A
    intake = Intake(programme.db, programme.sql, lambda: NOW, places=Villages())
    assert survey(intake, "1") > 0
    assert areas(programme, HOUSEHOLD, PROPOSAL, review_id(PROPOSAL)) == {B}
    before = programme.db.update_seq()
    assert survey(intake, "1") == 0, "once is enough"
    assert survey(intake, "2") > 0
    assert programme.db.update_seq() == before


def test_a_survey_goes_on_where_it_was_cut_off(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sync_server.intake import survey as surveying

    monkeypatch.setattr(surveying, "BATCH", 3)
    for number in range(8):
        programme.push(f"household:{number}", "1-a", area=A, **household(village=B + "01"))
    intake = Intake(programme.db, programme.sql, lambda: NOW, places=Villages())
    whole, batches = surveying.locate, itertools.count()

    def cut_off(*arguments: Any) -> None:
        if next(batches) == 1:
            raise Unavailable("crash")
        whole(*arguments)

    monkeypatch.setattr(surveying, "locate", cut_off)
    with pytest.raises(Unavailable):
        survey(intake, "1")
    assert survey(intake, "1") == 5
    assert areas(programme, *(f"household:{number}" for number in range(8))) == {B}


@pytest.mark.parametrize("seed", range(30))
def test_at_rest_everything_stands_beside_its_household_whatever_came_when(
    programme: Programme, seed: int
) -> None:
    chance = random.Random(seed)
    homes: dict[str, str] = {}
    for step in range(40):
        number = chance.randrange(3)
        match chance.randrange(6):
            case 0:
                homes[f"household:{number}"] = move(programme, chance, f"household:{number}")
            case 1:
                new(programme, f"proposal:{number}", proposal(household=f"household:{number}"))
            case 2:
                new(programme, f"visit:{number}", {"proposal": f"proposal:{number}"})
            case 3:
                new(programme, f"delivery:{number}", {"household": f"household:{number}"})
            case 4:
                programme.db.relocate({f"visit:{number}": chance.choice([A, B])}, origin=ORIGIN)
            case _:
                programme.intake()
        programme.clock += step
    programme.intake()
    for number in range(3):
        home = homes.get(f"household:{number}")
        proposal_id = f"proposal:{number}"
        if home is None:
            continue
        found = programme.db.states([f"household:{number}", proposal_id, f"delivery:{number}"])
        assert {state.area for state in found if state} == {home}
        if found[1]:
            beside = programme.db.states([review_id(proposal_id), f"visit:{number}"])
            assert {state.area for state in beside if state} == {home}


def move(programme: Programme, chance: random.Random, doc_id: str) -> str:
    home = chance.choice([A, B, C])
    (state,) = programme.db.states([doc_id])
    leaf = state.winner.rev if state else None
    number = int(leaf.partition("-")[0]) + 1 if leaf else 1
    path = [f"{number}-{chance.getrandbits(64):x}", *([leaf] if leaf else [])]
    programme.push(doc_id, *path, area=None if leaf else C, **household(village=home + "01"))
    return home


def new(programme: Programme, doc_id: str, fields: dict[str, Any]) -> None:
    if programme.db.states([doc_id]) == [None]:
        programme.push(doc_id, "1-a", area=C, **fields)


def test_nothing_stays_noted_of_a_database_that_is_gone(programme: Programme) -> None:
    register(programme, area=A, village=A + "01")
    propose(programme, area=A)
    programme.intake()
    survey(Intake(programme.db, programme.sql, lambda: NOW, places=Villages()), "1")
    with programme.sql.begin() as connection:
        forget_database(connection, "rushit")
        for table in (belongings, surveys, proposals):
            assert connection.execute(select(table)).all() == []
