"""From a synced proposal to a decision, and what tablets see of it."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import text

from sync_server.errors import BadRequest, Conflict, Forbidden, NotFound
from sync_server.workflow import ledger, proposals
from sync_server.workflow import states as workflow
from sync_server.workflow.decisions import Decision, Outcome, decide
from sync_server.workflow.publish import publish_all, review_id
from tests.domain.conftest import NAME, Programme, household, proposal

HOUSE, DOC = "household:1", "proposal:1"


@pytest.fixture
def waiting(programme: Programme) -> Programme:
    programme.push(HOUSE, "1-a", **household())
    programme.push(DOC, "1-p", **proposal())
    programme.intake()
    return programme


def state(programme: Programme, doc_id: str = DOC) -> str | None:
    review = programme.review(doc_id)
    return review["state"] if review else None


def test_a_submitted_proposal_is_in_review_and_says_how_it_came_there(waiting: Programme) -> None:
    review = waiting.review(DOC)
    assert review is not None
    assert (review["state"], review["revision"], review["requested_cents"]) == (
        "in_review",
        "1-p",
        3600,
    )
    assert [(step["from"], step["to"]) for step in review["history"]] == [
        (None, "received"),
        ("received", "in_review"),
    ]
    assert review_id(DOC) == "review:1"


def test_a_draft_stays_out_of_the_workflow_until_it_is_submitted(programme: Programme) -> None:
    programme.push(DOC, "1-p", **proposal(submitted=False))
    programme.intake()
    assert programme.review(DOC) is None
    programme.push(DOC, "2-p", "1-p", **proposal())
    programme.intake()
    assert state(programme) == "in_review"


def test_an_invalid_proposal_goes_back_with_its_fields_and_on_when_corrected(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-p", **proposal(requested_total_cents=1))
    programme.intake()
    assert state(programme) == "needs_correction"
    notice = programme.notice("invalid", DOC)
    assert notice is not None
    assert [problem["field"] for problem in notice["fields"]] == ["requested_total_cents"]
    assert all(problem["text_en"] and problem["text_km"] for problem in notice["fields"])
    programme.push(DOC, "2-p", "1-p", **proposal())
    programme.intake()
    assert state(programme) == "in_review"
    assert programme.notice("invalid", DOC) is None


def test_a_conflict_of_the_household_holds_its_proposals_until_it_is_settled(
    waiting: Programme,
) -> None:
    for rev, village in (("2-b", "01020102"), ("2-c", "01020103")):
        waiting.push(HOUSE, rev, "1-a", **household(village=village))
    waiting.intake()
    assert state(waiting) == "on_hold"
    outcome = waiting.decide(DOC)
    assert isinstance(outcome.error, Conflict)
    waiting.push(HOUSE, "3-d", "2-c", "1-a", deleted=True, merged_into="2-b")
    waiting.intake()
    assert state(waiting) == "in_review"


def test_a_withdrawn_proposal_leaves_the_queue(waiting: Programme) -> None:
    gone = proposal(withdrawn=True, withdrawn_reason="moved away")
    waiting.push(DOC, "2-p", "1-p", **gone)
    waiting.intake()
    review = waiting.review(DOC)
    assert review is not None
    assert (review["state"], review["reason"]) == ("withdrawn", "moved away")
    assert isinstance(waiting.decide(DOC).error, Conflict)


def test_an_approval_is_in_the_ledger_and_on_the_tablets(waiting: Programme) -> None:
    outcome = waiting.decide(DOC, amount_cents=3000)
    assert (outcome.error, outcome.state) == (None, "approved")
    review = waiting.review(DOC)
    assert review is not None
    assert (review["state"], review["amount_cents"]) == ("approved", 3000)
    assert review["history"][-1]["by"] == "bopha"


def test_a_decision_on_another_revision_is_refused_and_says_which_it_is_at(
    waiting: Programme,
) -> None:
    outcome = waiting.decide(DOC, rev="1-zzz")
    assert isinstance(outcome.error, Conflict)
    assert "1-p" in outcome.error.reason
    assert state(waiting) == "in_review"


def test_a_revision_that_arrived_and_was_not_screened_yet_refuses_the_decision(
    waiting: Programme,
) -> None:
    waiting.push(DOC, "2-p", "1-p", **proposal(birds=31))
    assert isinstance(waiting.decide(DOC).error, Conflict)
    waiting.intake()
    assert waiting.decide(DOC).state == "approved"


def test_nobody_decides_on_what_they_wrote_or_sent(waiting: Programme) -> None:
    assert isinstance(waiting.decide(DOC, actor="sok").error, Forbidden)
    waiting.push("proposal:2", "1-q", account="dara", **proposal(author="sok"))
    waiting.intake()
    assert isinstance(waiting.decide("proposal:2", actor="dara").error, Forbidden)
    assert isinstance(waiting.decide("proposal:2", actor="sok").error, Forbidden)
    assert waiting.decide("proposal:2").state == "approved"


@pytest.mark.parametrize("amount", [None, 0, -1, 3601])
def test_an_approval_is_for_some_of_what_was_requested(
    waiting: Programme, amount: int | None
) -> None:
    assert isinstance(waiting.decide(DOC, amount_cents=amount).error, BadRequest)
    assert state(waiting) == "in_review"


@pytest.mark.parametrize("action", ["reject", "return"])
def test_to_reject_or_return_needs_a_reason(waiting: Programme, action: str) -> None:
    assert isinstance(waiting.decide(DOC, action).error, BadRequest)
    outcome = waiting.decide(DOC, action, reason="no space for a coop")
    assert outcome.state == workflow.ACTIONS[action]
    review = waiting.review(DOC)
    assert review is not None
    assert (review["reason"], review["amount_cents"]) == ("no space for a coop", None)


def test_a_returned_proposal_comes_back_with_a_new_revision_only(waiting: Programme) -> None:
    waiting.decide(DOC, "return", reason="how many birds?")
    waiting.push(HOUSE, "2-b", "1-a", **household(phone="+85599999999"))
    waiting.intake()
    assert state(waiting) == "returned"
    waiting.push(DOC, "2-p", "1-p", **proposal(birds=30))
    waiting.intake()
    assert state(waiting) == "in_review"


def test_an_edit_after_approval_changes_nothing_of_it(waiting: Programme) -> None:
    waiting.decide(DOC)
    lines = [{"item": "chick", "quantity": 60, "unit": "head", "unit_price_cents": 120}]
    waiting.push(DOC, "2-p", "1-p", **proposal(lines=lines, requested_total_cents=7200))
    waiting.intake()
    review = waiting.review(DOC)
    assert review is not None
    assert (review["state"], review["revision"], review["amount_cents"]) == (
        "approved",
        "1-p",
        3600,
    )


def test_an_unknown_proposal_is_not_found(waiting: Programme) -> None:
    (outcome,) = decide(
        waiting.sql, waiting.db, [Decision("proposal:no", "1-p", "approve", 1)], "bopha", 1
    )
    assert isinstance(outcome.error, NotFound)


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(programme: Programme) -> None:
    programme.push(HOUSE, "1-a", **household())
    for number in range(20):
        programme.push(f"proposal:{number}", f"1-{number}", **proposal())
    programme.intake()
    start = Barrier(2)
    outcomes: list[Outcome] = []

    def work(actor: str) -> None:
        for number in range(20):
            start.wait()
            outcomes.append(programme.decide(f"proposal:{number}", rev=f"1-{number}", actor=actor))

    workers = [Thread(target=work, args=(actor,)) for actor in ("bopha", "chan")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [outcome.state for outcome in outcomes].count("approved") == 20
    assert sum(isinstance(outcome.error, Conflict) for outcome in outcomes) == 20
    with programme.sql.connect() as connection:
        assert ledger.verify(connection) is None


def test_a_crash_between_ledger_and_review_is_repaired(
    waiting: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("power is gone")

    monkeypatch.setattr("sync_server.workflow.decisions.publish_all", crash)
    with pytest.raises(RuntimeError):
        waiting.decide(DOC)
    assert state(waiting) == "in_review"
    assert publish_all(waiting.sql, waiting.db) == 1
    assert state(waiting) == "approved"
    assert publish_all(waiting.sql, waiting.db) == 0


def test_a_slow_publisher_does_not_put_an_older_state_on_top(
    waiting: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sync_server.workflow.decisions.publish_all", lambda *_: None)
        waiting.decide(DOC, "return", reason="how many birds?")
    read = proposals.find

    def overtaken(*arguments: Any) -> Any:
        found = read(*arguments)
        if found[DOC].state == "returned":
            monkeypatch.undo()
            waiting.push(DOC, "2-p", "1-p", **proposal(birds=30))
            waiting.intake()
        return found

    monkeypatch.setattr("sync_server.workflow.publish.proposals.find", overtaken)
    publish_all(waiting.sql, waiting.db)
    assert state(waiting) == "in_review"


def test_the_queue_is_in_order_and_pages_do_not_skip_or_repeat(programme: Programme) -> None:
    programme.push(HOUSE, "1-a", **household())
    for number in range(25):
        programme.clock += number % 3
        programme.push(f"proposal:{number:02}", f"1-{number}", **proposal())
    programme.intake()
    seen: list[str] = []
    after = None
    while True:
        with programme.sql.connect() as connection:
            page = proposals.queue(connection, NAME, after, 4)
        if not page:
            break
        seen += [row.proposal for row in page]
        after = (page[-1].received_at, page[-1].proposal)
        programme.decide(page[0].proposal, rev=page[0].revision)
    assert seen == [f"proposal:{number:02}" for number in range(25)]


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE ledger SET amount_cents = 999999 WHERE number = 3",
        "UPDATE ledger SET actor = 'chan' WHERE number = 3",
        "DELETE FROM ledger WHERE number = 2",
        "INSERT INTO ledger SELECT 99, database, proposal, revision, from_state, to_state, actor,"
        " at, amount_cents, reason, previous_hash, 'x', published FROM ledger WHERE number = 3",
    ],
)
def test_the_ledger_shows_what_was_changed_removed_or_slipped_in(
    waiting: Programme, harm: str
) -> None:
    waiting.decide(DOC)
    with waiting.sql.connect() as connection:
        assert ledger.verify(connection) is None
    with waiting.sql.begin() as connection:
        connection.execute(text(harm))
    with waiting.sql.connect() as connection:
        assert ledger.verify(connection) is not None


STATES = [
    workflow.RECEIVED,
    workflow.NEEDS_CORRECTION,
    workflow.ON_HOLD,
    workflow.IN_REVIEW,
    workflow.APPROVED,
    workflow.REJECTED,
    workflow.RETURNED,
    workflow.WITHDRAWN,
]


@pytest.mark.parametrize("source", STATES)
@pytest.mark.parametrize("target", STATES)
def test_a_coordinator_decides_on_what_is_in_review_and_nothing_else(
    source: str, target: str
) -> None:
    allowed = source == workflow.IN_REVIEW and target in workflow.ACTIONS.values()
    assert (workflow.transition(source, target, workflow.COORDINATOR) is not None) == allowed


@pytest.mark.parametrize("target", [workflow.APPROVED, workflow.REJECTED, workflow.RETURNED])
@pytest.mark.parametrize("source", [None, *STATES])
def test_the_server_never_decides(source: str | None, target: str) -> None:
    assert workflow.transition(source, target, workflow.SERVER) is None
