"""Authors are told which value of theirs was not taken, and may contest it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from sync_server.access.accounts import Accounts
from sync_server.access.grants import Grants
from sync_server.access.stamp import ChangeStamp
from sync_server.cases import contests
from sync_server.cases.overrides import of_document
from sync_server.errors import Conflict
from sync_server.intake.contest import take_up_contests
from tests.domain.conftest import NAME, Programme, household, proposal
from tests.domain.test_cases import (
    ADMIN,
    DOC,
    audited,
    crash_at,
    decide,
    head,
    many,
    ok,
    page,
    the_case,
    two_names,
    undone,
    versions,
)

SOK, DARA = "+85511111111", "+85522222222"
PROPOSAL = "proposal:1"


def push_two_phones(programme: Programme, daras: str = "2-c", **soks: Any) -> None:
    """Dara's phone number is the later one. `soks`: what Sok changes besides."""
    programme.clock += 7 * 86_400_000
    programme.push(DOC, "1-a", **household())
    sok = household(phone=SOK, captured_at="2025-06-16T10:00:00+07:00", **soks)
    programme.push(DOC, "2-b", "1-a", account="sok", **sok)
    dara = household(phone=DARA, captured_at="2025-06-17T10:00:00+07:00")
    programme.push(DOC, daras, "1-a", account="dara", **dara)


def two_phones(programme: Programme, daras: str = "2-c", **soks: Any) -> None:
    push_two_phones(programme, daras, **soks)
    programme.intake()


def contest(programme: Programme, account: str = "sok", notice: Any = None, **changes: Any) -> str:
    named = notice or programme.told_ids(account)[0]
    doc_id = f"contest:{account}"
    body = {
        "type": "contest",
        "schema_version": 1,
        "author": account,
        "device": "tablet-1",
        "device_seq": 9,
        "captured_at": "2025-06-20T10:00:00+07:00",
        "notice": named,
        "text": "I saw the card.",
    }
    programme.push(doc_id, "1-a", account=account, **{**body, **changes})
    programme.intake()
    return doc_id


def state(programme: Programme) -> str:
    review = programme.review(PROPOSAL)
    assert review is not None
    return str(review["state"])


# -- notices -------------------------------------------------------------------------


def test_whoever_lost_by_a_policy_is_told_both_values_who_and_when(programme: Programme) -> None:
    two_phones(programme)
    (notice,) = programme.told("sok")
    assert programme.told("dara") == []
    (told,) = notice["fields"]
    assert (told["field"], told["label_en"], told["label_km"]) == ("phone", "Phone", "លេខទូរស័ព្ទ")
    assert (told["yours"], told["kept"], told["kept_by"]) == (SOK, DARA, "dara")
    assert told["kept_at"] == 1_750_129_200_000
    assert (notice["document"], notice["decided_by"]) == (DOC, None)
    assert notice["revision"] == programme.live(DOC)[0]
    assert "Phone" in notice["text_en"]
    assert "លេខទូរស័ព្ទ" in notice["text_km"]


@pytest.mark.parametrize(("area", "hears"), [("030101", True), ("03", True), ("020301", False)])
def test_who_may_not_read_a_document_any_more_is_not_told_what_it_says(
    programme: Programme, tmp_path: Path, area: str, hears: bool
) -> None:
    stamp = ChangeStamp(tmp_path / "accounts")
    Accounts(programme.sql, stamp).create("sok", "a-password")
    Grants(programme.sql, stamp).give("sok", "cew", NAME, area, starts_at=0)
    programme.push(DOC, "1-a", area="030101", **household())
    two_phones(programme)
    assert bool(programme.told_ids("sok")) is hears
    assert not programme.told_ids("dara")
    with programme.sql.connect() as connection:
        assert "sok" in str(of_document(connection, NAME, DOC))  # on record all the same


def test_bookkeeping_is_no_news(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", account="sok", **household(device="t-1", device_seq=7))
    later = household(device="t-2", device_seq=3, members_total=5)
    programme.push(DOC, "2-c", "1-a", account="dara", **later)
    programme.intake()
    assert len(programme.live(DOC)) == 1
    assert programme.told("sok") == programme.told("dara") == []


def test_what_a_policy_did_not_take_stays_after_compaction(programme: Programme) -> None:
    two_phones(programme)
    programme.db.compact()
    with programme.sql.connect() as connection:
        kept = of_document(connection, NAME, DOC)
    assert {"field": "phone", "rev": "2-b", "account": "sok", "value": SOK, "chosen": DARA} in kept[
        programme.live(DOC)[0]
    ]


def test_a_merge_that_a_crash_prevented_has_told_nobody_and_is_made_up_for(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_two_phones(programme)
    with crash_at(monkeypatch, "sync_server.intake.stage.Intake.store"):
        programme.intake()
    assert programme.told("sok") == []
    programme.intake()
    assert len(programme.told("sok")) == len(programme.live(DOC)) == 1


def test_whoever_lost_by_a_decision_is_told_who_decided(programme: Programme) -> None:
    two_names(programme, phone=SOK)
    case = the_case(programme)
    rev = ok(decide(programme, case, take={"head": "2-c"}))
    (notice,) = programme.told("sok")
    (told,) = notice["fields"]
    assert told["yours"]["given_name_km"] == "ចន្ថា"
    assert (told["kept"]["given_name_km"], told["kept_by"]) == ("វិចិត្រ", "dara")
    assert (notice["decided_by"], notice["case"], notice["revision"]) == (ADMIN, case.number, rev)
    assert ADMIN in notice["text_en"]
    assert programme.told("dara") == []


def test_a_value_that_the_admin_made_up_is_news_to_both(programme: Programme) -> None:
    two_names(programme)
    ok(decide(programme, the_case(programme), values={"head": head("ម៉ាលី")}))
    for account in ("sok", "dara"):
        (notice,) = programme.told(account)
        assert notice["fields"][0]["kept_by"] == ADMIN


def test_undoing_takes_the_notice_back(programme: Programme) -> None:
    two_names(programme)
    case = the_case(programme)
    ok(decide(programme, case, take={"head": "2-c"}))
    programme.intake()
    ok(undone(programme, case))
    assert programme.told("sok") == []


def test_a_notice_names_who_wrote_the_value_not_who_merged_it(programme: Programme) -> None:
    two_phones(programme, members_total=6)
    merged = programme.live(DOC)[0]
    assert programme.db.get(DOC).origin.account == "_server"
    late = household(phone="+85533333333", captured_at="2025-06-18T10:00:00+07:00")
    programme.push(DOC, "3-x", "2-b", "1-a", account="chan", **late)
    programme.intake()
    assert merged not in programme.live(DOC)
    assert programme.body(DOC)["phone"] == "+85533333333"
    (notice,) = programme.told("dara")
    assert (notice["fields"][0]["yours"], notice["fields"][0]["kept_by"]) == (DARA, "chan")


# -- contests ------------------------------------------------------------------------


def test_a_contest_opens_a_case_with_both_values(programme: Programme) -> None:
    two_phones(programme)
    doc_id = contest(programme)
    case = the_case(programme)
    assert (case.document, case.reason, case.fields) == (DOC, "contested", ["phone"])
    assert case.leaves == programme.live(DOC)
    known = versions(programme, case)
    assert known["claim", "2-b"].fields == {"phone": SOK}
    assert known["claim", "2-b"].writer("phone") == "sok"
    assert known["leaf", case.leaves[0]].fields["phone"] == DARA
    assert known["leaf", case.leaves[0]].writer("phone") == "dara"
    with programme.sql.connect() as connection:
        (told,) = contests.of_case(connection, case.number)
    assert (told["contest"], told["account"], told["text"]) == (doc_id, "sok", "I saw the card.")
    assert audited(programme) == ["_server case.open", "sok case.contest"]
    programme.sweep()
    assert the_case(programme) == case


@pytest.mark.parametrize("daras", ["2-c", "2-a"])
def test_a_contest_that_is_right_turns_the_notices_round_whoevers_revision_had_won(
    programme: Programme, daras: str
) -> None:
    two_phones(programme, daras)
    contest(programme)
    ok(decide(programme, the_case(programme), take={"phone": "2-b"}))
    programme.intake()
    assert programme.body(DOC)["phone"] == SOK
    assert programme.told("sok") == []
    (notice,) = programme.told("dara")
    assert (notice["fields"][0]["yours"], notice["fields"][0]["kept_by"]) == (DARA, "sok")
    assert page(programme) == []


def test_a_contest_that_is_wrong_leaves_the_value_and_says_who_decided(
    programme: Programme,
) -> None:
    two_phones(programme)
    contest(programme)
    ok(decide(programme, the_case(programme), rule="winner"))
    programme.intake()
    assert programme.body(DOC)["phone"] == DARA
    (notice,) = programme.told("sok")
    assert notice["decided_by"] == ADMIN
    assert page(programme) == []


def test_a_contested_case_can_be_undone_and_is_contested_again(programme: Programme) -> None:
    two_phones(programme)
    contest(programme)
    case = the_case(programme)
    ok(decide(programme, case, take={"phone": "2-b"}))
    programme.intake()
    ok(undone(programme, case))
    programme.intake()
    assert programme.body(DOC)["phone"] == DARA
    again = the_case(programme)
    assert (again.number, again.reason) == (case.number, "contested")
    ok(decide(programme, again, take={"phone": "2-b"}))
    assert programme.body(DOC)["phone"] == SOK


def test_who_wrote_a_contested_value_is_known_after_the_document_was_edited(
    programme: Programme,
) -> None:
    two_phones(programme, "2-a")
    contest(programme)
    history = programme.db.get(DOC).revisions.revs()
    later = {**programme.body(DOC), "members_total": 7}
    programme.push(DOC, "4-x", *history, account="ros", **later)
    programme.intake()
    known = versions(programme, the_case(programme))
    assert known["leaf", "4-x"].writer("phone") == "dara"


def test_a_contested_document_that_is_edited_stays_in_question(programme: Programme) -> None:
    two_phones(programme)
    contest(programme)
    before = the_case(programme)
    edited = {**programme.body(DOC), "members_total": 8}
    programme.push(DOC, "3-x", "2-c", "1-a", account="chan", **edited)
    programme.intake()
    case = the_case(programme)
    assert (case.number, case.leaves, case.fields) == (before.number, ["3-x"], ["phone"])
    ok(decide(programme, case, take={"phone": "2-b"}))
    body = programme.body(DOC)
    assert (body["phone"], body["members_total"]) == (SOK, 8)


def test_a_withdrawn_contest_closes_its_case(programme: Programme) -> None:
    two_phones(programme)
    doc_id = contest(programme)
    programme.push(doc_id, "2-b", "1-a", account="sok", deleted=True)
    programme.intake()
    assert page(programme) == []
    assert the_case(programme, state=None).state == "obsolete"
    assert audited(programme)[-2:] == ["sok case.withdraw", "_server case.obsolete"]


def test_who_deletes_anothers_contest_withdraws_nothing(programme: Programme) -> None:
    two_phones(programme)
    doc_id = contest(programme)
    programme.push(doc_id, "2-b", "1-a", account="dara", deleted=True)
    programme.intake()
    assert the_case(programme).state == "open"
    assert "sok case.withdraw" not in audited(programme)


def test_a_contest_joins_the_case_that_is_open(programme: Programme) -> None:
    two_phones(programme)
    present = programme.body(DOC)
    for rev, account, name in (("3-x", "sok", "ចន្ថា"), ("3-y", "dara", "វិចិត្រ")):
        edit = {**present, "head": head(name)}
        programme.push(DOC, rev, "2-c", "1-a", account=account, **edit)
    programme.intake()
    before = the_case(programme)
    contest(programme)
    case = the_case(programme)
    assert (case.number, case.reason, case.fields) == (before.number, "fields", ["head", "phone"])
    ok(decide(programme, case, take={"head": "3-x", "phone": "2-b"}))
    programme.intake()
    body = programme.body(DOC)
    assert (body["phone"], body["head"]["given_name_km"]) == (SOK, "ចន្ថា")
    assert page(programme) == []


@pytest.mark.parametrize(
    "how",
    [
        {"account": "dara"},
        {"notice": "notice:unknown"},
        {"notice": DOC},
        {"notice": "review:1"},
        {"notice": ["no", "text"]},
    ],
)
def test_a_contest_of_what_one_was_not_told_is_answered_with_a_notice(
    programme: Programme, how: dict[str, Any]
) -> None:
    two_phones(programme)
    (theirs,) = programme.told_ids("sok")
    doc_id = contest(
        programme,
        how.get("account", "sok"),
        how.get("notice", theirs),
    )
    assert page(programme, state=None) == []
    notice = programme.notice("contest", doc_id)
    assert notice is not None
    assert notice["text_en"] and notice["text_km"]


def test_a_deletion_by_an_admin_can_be_contested_and_the_edit_brought_back(
    programme: Programme,
) -> None:
    two_names(programme)
    ok(decide(programme, the_case(programme), delete=True))
    programme.intake()
    (notice,) = programme.told("sok")
    assert notice["deleted"] is True
    contest(programme)
    case = the_case(programme)
    assert (case.reason, case.type, case.fields) == ("contested", "household", [])
    ok(decide(programme, case, version="2-b"))
    programme.intake()
    assert programme.body(DOC)["head"]["given_name_km"] == "ចន្ថា"
    assert page(programme) == []


def test_a_contest_that_the_service_has_lost_is_taken_up_again(programme: Programme) -> None:
    two_phones(programme)
    contest(programme)
    programme.forget_cases()
    programme.sweep()
    assert the_case(programme).reason == "contested"


# -- the money waits -----------------------------------------------------------------


def test_a_proposal_waits_while_its_household_is_contested_and_goes_on_by_itself(
    programme: Programme,
) -> None:
    programme.push(PROPOSAL, "1-p", **proposal())
    two_phones(programme)
    assert state(programme) == "in_review"
    contest(programme)
    assert len(programme.live(DOC)) == 1
    assert state(programme) == "on_hold"
    assert isinstance(programme.decide(PROPOSAL).error, Conflict)
    ok(decide(programme, the_case(programme), rule="winner"))
    programme.intake()
    assert state(programme) == "in_review"
    assert programme.decide(PROPOSAL).error is None


def test_a_proposal_goes_on_when_the_contest_is_withdrawn(programme: Programme) -> None:
    programme.push(PROPOSAL, "1-p", **proposal())
    two_phones(programme)
    doc_id = contest(programme)
    assert state(programme) == "on_hold"
    programme.push(doc_id, "2-b", "1-a", account="sok", deleted=True)
    programme.intake()
    assert state(programme) == "in_review"


def test_a_case_that_opened_since_the_screening_refuses_the_approval(
    programme: Programme,
) -> None:
    programme.push(PROPOSAL, "1-p", **proposal())
    two_phones(programme)
    programme.stages = (take_up_contests,)
    contest(programme)
    assert state(programme) == "in_review"
    error = programme.decide(PROPOSAL).error
    assert isinstance(error, Conflict)
    assert DOC in error.reason


def test_undoing_holds_the_proposal_again(programme: Programme) -> None:
    programme.push(PROPOSAL, "1-p", **proposal())
    two_names(programme)
    case = the_case(programme)
    ok(decide(programme, case, take={"head": "2-b"}))
    programme.intake()
    assert state(programme) == "in_review"
    ok(undone(programme, case))
    programme.intake()
    assert state(programme) == "on_hold"


def test_a_case_of_edit_against_deletion_holds_the_proposal(programme: Programme) -> None:
    programme.push(PROPOSAL, "1-p", **proposal())
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", account="sok", **household(members_total=9))
    programme.push(DOC, "2-c", "1-a", account="dara", deleted=True)
    programme.intake()
    assert len(programme.live(DOC)) == 1
    assert state(programme) == "on_hold"
    ok(decide(programme, the_case(programme), take={"_deleted": "2-b"}))
    programme.intake()
    assert state(programme) == "in_review"


def test_notices_of_many_decisions_are_one_per_author_and_document(programme: Programme) -> None:
    found = many(programme, 3)
    for case in found:
        ok(decide(programme, case, rule="latest"))
    assert sorted(notice["document"] for notice in programme.told("sok")) == [
        case.document for case in found
    ]
    assert orjson.dumps(programme.told("sok"))
