"""Cases over the real engine and a real SQL database: opened by the intake, settled by admins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

from sync_server.access import audit
from sync_server.cases import queries
from sync_server.cases.opening import STORED_WITHIN_MS
from sync_server.cases.queries import Filter
from sync_server.cases.reading import read
from sync_server.cases.records import Case, CaseVersion
from sync_server.cases.results import Decision
from sync_server.cases.settling import Outcome, settle
from sync_server.cases.undoing import undo
from sync_server.errors import BadRequest, Conflict, NotFound, SyncError
from sync_server.intake.pipeline import sweep
from sync_server.intake.resolve import resolve_conflicts
from sync_server.storage.base import AttachmentWrite, Origin, Revision
from tests.domain.conftest import NAME, Programme, household

DOC = "household:1"
ADMIN = "chief"
UNDO_DAYS = 30


def head(name: str) -> dict[str, Any]:
    return {**household()["head"], "given_name_km": name}


def two_names(programme: Programme, doc_id: str = DOC, **more: Any) -> None:
    """Sok and Dara each correct the name, on their own tablets. `more`: what Sok does besides."""
    programme.push(doc_id, "1-a", **household())
    soks = household(head=head("ចន្ថា"), device="tablet-8", **more)
    programme.push(doc_id, "2-b", "1-a", account="sok", **soks)
    daras = household(head=head("វិចិត្រ"), device="tablet-9")
    programme.push(doc_id, "2-c", "1-a", account="dara", **daras)
    programme.intake()


def page(programme: Programme, **wanted: Any) -> list[Case]:
    with programme.sql.connect() as connection:
        return queries.page(connection, NAME, Filter(**wanted), 0, 1000)


def the_case(programme: Programme, **wanted: Any) -> Case:
    (case,) = page(programme, **wanted)
    return case


def versions(programme: Programme, case: Case) -> dict[tuple[str, str], CaseVersion]:
    known = read(programme.sql, programme.db, [case.number])[case.number]
    return {(one.role, one.rev): one for one in known.versions}


def decide(programme: Programme, case: Case, **how: Any) -> Outcome:
    leaves = how.pop("leaves", case.leaves)
    decision = Decision(case=case.number, leaves=leaves, **how)
    (outcome,) = settle(programme.sql, programme.db, [decision], by(programme))
    return outcome


def by(programme: Programme, account: str = ADMIN) -> Origin:
    return Origin(account, "", programme.clock)


def undone(programme: Programme, case: Case, days: int = UNDO_DAYS) -> Outcome:
    (outcome,) = undo(programme.sql, programme.db, [case.number], by(programme), days)
    return outcome


def ok(outcome: Outcome) -> str:
    assert outcome.error is None, outcome.error.reason
    assert outcome.rev is not None
    return outcome.rev


def refusal(outcome: Outcome, kind: type[SyncError]) -> SyncError:
    assert isinstance(outcome.error, kind), outcome
    return outcome.error


def audited(programme: Programme, document: str = DOC) -> list[str]:
    with programme.sql.connect() as connection:
        found = audit.entries(connection, subject=document)
    return [f"{one.actor} {one.action}" for one in reversed(found)]


def contents(programme: Programme, doc_id: str = DOC) -> dict[str, dict[str, Any]]:
    """The live leaves and what they say."""
    return {
        one.rev: orjson.loads(one.body)
        for one in programme.db.open_revs(doc_id, None)
        if isinstance(one, Revision) and not one.deleted
    }


# -- opening -------------------------------------------------------------------------


def test_a_conflict_is_a_case_with_what_each_leaf_and_the_base_said(programme: Programme) -> None:
    two_names(programme)
    case = the_case(programme)
    assert (case.document, case.type, case.reason, case.state) == (
        DOC,
        "household",
        "fields",
        "open",
    )
    assert (case.fields, case.leaves) == (["head"], ["2-b", "2-c"])
    known = versions(programme, case)
    assert set(known) == {("base", "1-a"), ("leaf", "2-b"), ("leaf", "2-c")}
    assert known["leaf", "2-c"].account == "dara"
    assert known["leaf", "2-c"].fields["head"]["given_name_km"] == "វិចិត្រ"
    assert audited(programme) == ["_server case.open"]


def test_the_same_leaves_are_the_same_case_however_often_they_are_looked_at(
    programme: Programme,
) -> None:
    two_names(programme)
    before = the_case(programme)
    for _ in range(2):
        programme.sweep()
    assert page(programme, state=None) == [before]
    assert audited(programme) == ["_server case.open"]


def test_a_case_that_gets_another_leaf_takes_it_on_and_remembers_the_former(
    programme: Programme,
) -> None:
    two_names(programme)
    before = the_case(programme)
    programme.push(DOC, "3-d", "2-c", "1-a", account="dara", **household(head=head("សុភា")))
    programme.intake()
    case = the_case(programme)
    assert (case.number, case.leaves) == (before.number, ["2-b", "3-d"])
    assert ("former", "2-c") in versions(programme, case)
    assert audited(programme) == ["_server case.open", "_server case.change"]


def test_a_case_is_obsolete_when_a_tablet_has_ended_the_conflict(programme: Programme) -> None:
    two_names(programme)
    programme.push(DOC, "3-d", "2-c", "1-a", account="dara", **household(head=head("ចន្ថា")))
    programme.intake()
    assert len(programme.live(DOC)) == 1
    assert page(programme) == []
    assert the_case(programme, state=None).state == "obsolete"
    assert audited(programme)[-1] == "_server case.obsolete"


def test_a_case_that_the_service_has_lost_is_opened_again_by_the_sweep(
    programme: Programme,
) -> None:
    two_names(programme)
    programme.forget_cases()
    programme.sweep()
    assert the_case(programme).leaves == ["2-b", "2-c"]


def test_a_case_that_was_settled_elsewhere_is_closed_by_the_sweep(programme: Programme) -> None:
    two_names(programme)
    with programme.silent_intake():
        programme.push(DOC, "3-d", "2-c", "1-a", deleted=True, merged_into="2-b")
    programme.sweep()
    assert the_case(programme, state=None).state == "obsolete"


def test_who_wrote_a_value_is_not_who_touched_the_document_last(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", account="sok", **household(head=head("ចន្ថា")))
    later = household(head=head("ចន្ថា"), members_total=6)
    programme.push(DOC, "3-b", "2-b", "1-a", account="dara", **later)
    programme.push(DOC, "2-c", "1-a", account="chan", **household(head=head("វិចិត្រ")))
    programme.intake()
    case = the_case(programme)
    assert versions(programme, case)["leaf", "3-b"].writer("head") == "sok"
    with programme.sql.connect() as connection:
        assert queries.authors(connection, [case.number])[case.number] == ["chan", "dara", "sok"]


def test_a_case_moves_with_its_document_and_is_found_in_every_area_above(
    programme: Programme,
) -> None:
    two_names(programme)
    before = the_case(programme)
    programme.db.relocate({DOC: "010201"}, origin=by(programme, "_server"))
    programme.intake()
    case = the_case(programme)
    assert (case.number, case.area) == (before.number, "010201")
    assert case.leaves == sorted(programme.live(DOC)) != before.leaves
    assert {one.writer("head") for one in versions(programme, case).values()} >= {"sok", "dara"}
    for area in ("", "01", "0102", "010201"):
        assert page(programme, area=area) == page(programme, within=[area]) == [case]
    for area in ("02", "0101", "010202", "01020101"):
        assert page(programme, area=area) == page(programme, within=[area]) == []
    assert page(programme, within=["02", "01"]) == [case]
    ok(decide(programme, case, rule="author:sok"))
    assert programme.body(DOC)["head"]["given_name_km"] == "ចន្ថា"


def test_a_case_about_what_one_account_alone_sees_is_the_nations(programme: Programme) -> None:
    two_names(programme)
    programme.db.relocate({DOC: "@sok"}, origin=by(programme, "_server"))
    programme.intake()
    assert page(programme, within=["01"]) == []
    assert len(page(programme, within=[""])) == 1


# -- settling ------------------------------------------------------------------------


def test_a_field_is_taken_from_the_version_that_the_admin_picks_and_the_rest_is_merged(
    programme: Programme,
) -> None:
    two_names(programme, phone="+85599999999")
    case = the_case(programme)
    rev = ok(decide(programme, case, take={"head": "2-c"}))
    ((live, body),) = contents(programme).items()
    assert live == rev
    assert body["head"]["given_name_km"] == "វិចិត្រ"
    assert body["phone"] == "+85599999999"
    written = programme.db.get(DOC)
    assert written.origin.account == ADMIN
    assert written.revisions.revs() == [rev, "2-c", "1-a"]
    programme.intake()
    assert programme.live(DOC) == [rev]
    settled = the_case(programme, state=None)
    assert (settled.state, settled.closed_by) == ("settled", ADMIN)
    assert audited(programme) == ["_server case.open", f"{ADMIN} case.settle"]
    assert programme.notice("conflict", DOC) is None


def test_every_losing_leaf_gets_a_tombstone_that_names_the_decision(programme: Programme) -> None:
    two_names(programme)
    rev = ok(decide(programme, the_case(programme), take={"head": "2-b"}))
    dead = [
        orjson.loads(one.body)
        for one in programme.db.open_revs(DOC, None)
        if isinstance(one, Revision) and one.deleted
    ]
    assert dead == [{"merged_into": rev}]


def test_a_field_may_be_set_to_what_no_version_says(programme: Programme) -> None:
    two_names(programme)
    ok(decide(programme, the_case(programme), values={"head": head("ម៉ាលី"), "ethnicity": "Cham"}))
    body = programme.body(DOC)
    assert (body["head"]["given_name_km"], body["ethnicity"]) == ("ម៉ាលី", "Cham")


def test_a_whole_version_a_whole_document_and_a_deletion_are_decisions_too(
    programme: Programme,
) -> None:
    for number, how in enumerate(
        ({"version": "2-b"}, {"document": household(phone="+85577777777")}, {"delete": True})
    ):
        doc_id = f"household:{number}"
        two_names(programme, doc_id)
        ok(decide(programme, the_case(programme), **how))
    assert programme.body("household:0")["head"]["given_name_km"] == "ចន្ថា"
    assert programme.body("household:1") == household(phone="+85577777777")
    with pytest.raises(NotFound):
        programme.db.get("household:2")
    programme.intake()
    assert page(programme) == []


def test_a_decision_that_leaves_a_field_open_names_it(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(village="01020102", members_total=5))
    programme.push(DOC, "2-c", "1-a", **household(village="01020103", members_total=6))
    programme.intake()
    error = refusal(decide(programme, the_case(programme), take={"village": "2-b"}), BadRequest)
    assert "members_total (Members)" in error.reason
    assert len(programme.live(DOC)) == 2


def test_a_result_that_fails_its_schema_is_refused_field_by_field(programme: Programme) -> None:
    two_names(programme)
    error = refusal(
        decide(programme, the_case(programme), take={"head": "2-b"}, values={"phone": "012"}),
        BadRequest,
    )
    (problem,) = error.details["problems"]
    assert (problem["field"], problem["code"]) == ("phone", "phone")
    assert problem["text_km"]
    assert the_case(programme).state == "open"


@pytest.mark.parametrize(
    "how",
    [
        {"take": {"head": "9-x"}},
        {"take": {"head": "2-b"}, "delete": True},
        {"take": {"head": "2-b"}, "values": {"_id": "household:2"}},
        {"take": {"head": "2-b"}, "values": {"_attachments/x": "md5-x"}},
        {"take": {"head": "2-b"}, "values": {"type": "proposal"}},
        {"document": {"type": "household", "_rev": "1-a"}},
        {"rule": "author:nobody"},
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    programme: Programme, how: dict[str, Any]
) -> None:
    two_names(programme)
    before = programme.db.update_seq()
    refusal(decide(programme, the_case(programme), **how), BadRequest)
    assert programme.db.update_seq() == before
    assert the_case(programme).state == "open"


def test_a_stale_decision_is_refused_and_says_who_changed_what(programme: Programme) -> None:
    two_names(programme)
    seen = the_case(programme)
    changed = household(head=head("សុភា"), members_total=7)
    programme.push(DOC, "3-d", "2-c", "1-a", account="dara", **changed)
    for _ in range(2):  # before the intake has seen it, and after
        error = refusal(decide(programme, seen, take={"head": "2-b"}), Conflict)
        (change,) = error.details["changed"]
        assert (change["rev"], change["account"], change["since"]) == ("3-d", "dara", "2-c")
        assert [one["field"] for one in change["fields"]] == ["head", "members_total"]
        assert change["fields"][1]["label_en"] == "Members"
        assert error.details["gone"] == ["2-c"]
        assert "dara changed head, members_total (3-d)" in error.reason
        programme.intake()
    assert len(programme.live(DOC)) == 2


def test_a_deletion_that_arrived_makes_a_decision_stale(programme: Programme) -> None:
    two_names(programme)
    seen = the_case(programme)
    programme.push(DOC, "3-d", "2-c", "1-a", account="dara", deleted=True)
    error = refusal(decide(programme, seen, take={"head": "2-b"}), Conflict)
    assert "dara deleted it (3-d)" in error.reason


def test_of_two_admins_one_decides_and_the_other_learns_who_did(programme: Programme) -> None:
    two_names(programme)
    case = the_case(programme)
    ok(decide(programme, case, take={"head": "2-b"}))
    error = refusal(decide(programme, case, take={"head": "2-c"}), Conflict)
    assert error.details["closed_by"] == ADMIN
    assert programme.body(DOC)["head"]["given_name_km"] == "ចន្ថា"


def test_an_edit_that_stood_against_a_deletion_is_kept_or_given_up(programme: Programme) -> None:
    for doc_id, how, live in (
        ("household:0", {"take": {"_deleted": "2-b"}}, 1),
        ("household:1", {"take": {"_deleted": "2-c"}}, 0),
        ("household:2", {"version": "2-b"}, 1),
        ("household:3", {"delete": True}, 0),
        ("household:4", {"rule": "author:dara"}, 0),
        ("household:5", {"rule": "winner"}, 1),
    ):
        programme.push(doc_id, "1-a", **household())
        edited = household(members_total=9)
        programme.push(doc_id, "2-b", "1-a", account="sok", **edited)
        programme.push(doc_id, "2-c", "1-a", account="dara", deleted=True)
        programme.intake()
        case = the_case(programme)
        assert (case.reason, case.fields) == ("deleted", ["_deleted"])
        ok(decide(programme, case, **how))
        programme.intake()
        assert (len(programme.live(doc_id)), page(programme)) == (live, [])
        if live:
            assert programme.body(doc_id)["members_total"] == 9


def photos(programme: Programme) -> Case:
    programme.push(DOC, "1-a", **household())
    for rev, account in (("2-b", "sok"), ("2-c", "dara")):
        files = {"face.jpg": AttachmentWrite("image/jpeg", account.encode())}
        programme.push(DOC, rev, "1-a", account=account, attachments=files, **household())
    programme.intake()
    return the_case(programme)


def photo(programme: Programme, name: str = "face.jpg") -> bytes:
    _, content = programme.db.attachment(DOC, None, name)
    with content as stream:
        return stream.read()


@pytest.mark.parametrize("rev", ["2-b", "2-c"])
def test_of_two_photos_of_one_name_the_admin_picks_one(programme: Programme, rev: str) -> None:
    case = photos(programme)
    assert case.fields == ["_attachments/face.jpg"]
    ok(decide(programme, case, take={"_attachments/face.jpg": rev}))
    assert photo(programme) == {"2-b": b"sok", "2-c": b"dara"}[rev]


def test_a_photo_may_be_left_out(programme: Programme) -> None:
    case = photos(programme)
    ok(decide(programme, case, remove=["_attachments/face.jpg"]))
    assert programme.db.get(DOC).attachments == {}


# -- many at once ----------------------------------------------------------------------


def many(programme: Programme, count: int) -> list[Case]:
    programme.clock += 7 * 86_400_000
    for number in range(count):
        doc_id = f"household:{number:03d}"
        programme.push(doc_id, "1-a", **household())
        for rev, account, day in (("2-b", "sok", 16), ("2-c", "dara", 17)):
            edit = household(village=f"010201{day}", captured_at=f"2025-06-{day}T10:00:00+07:00")
            programme.push(doc_id, rev, "1-a", account=account, **edit)
    programme.intake()
    return page(programme)


@pytest.mark.parametrize(
    ("rule", "village"),
    [
        ("latest", "01020117"),
        ("earliest", "01020116"),
        ("base", "01020101"),
        ("winner", "01020117"),
        ("author:sok", "01020116"),
    ],
)
def test_a_rule_settles_every_case_of_a_shape(
    programme: Programme, rule: str, village: str
) -> None:
    found = many(programme, 3)
    asked = [Decision(one.number, one.leaves, rule=rule, shape=one.shape) for one in found]
    outcomes = settle(programme.sql, programme.db, asked, by(programme))
    assert [one.error for one in outcomes] == [None] * 3
    assert {programme.body(one.document)["village"] for one in found} == {village}


def test_a_hundred_cases_of_one_shape_are_settled_in_one_call_and_undone_in_one(
    programme: Programme,
) -> None:
    found = many(programme, 100)
    assert len({one.shape for one in found}) == 1
    before = {
        one.document: sorted(map(str, contents(programme, one.document).values())) for one in found
    }
    asked = [Decision(one.number, one.leaves, rule="latest", shape=one.shape) for one in found]
    outcomes = settle(programme.sql, programme.db, asked, by(programme))
    assert {one.error for one in outcomes} == {None}
    programme.intake()
    assert page(programme) == []
    assert all(len(programme.live(one.document)) == 1 for one in found)
    numbers = [one.number for one in found]
    outcomes = undo(programme.sql, programme.db, numbers, by(programme), UNDO_DAYS)
    assert {one.error for one in outcomes} == {None}
    programme.intake()
    after = {
        one.document: sorted(map(str, contents(programme, one.document).values())) for one in found
    }
    assert after == before
    assert [one.number for one in page(programme)] == numbers


def test_each_of_many_stands_for_itself(programme: Programme) -> None:
    found = many(programme, 3)
    programme.push(found[0].document, "3-x", "2-b", "1-a", **household(village="01020120"))
    other = found[1].shape[::-1]
    asked = [
        Decision(found[0].number, found[0].leaves, rule="latest"),
        Decision(found[1].number, found[1].leaves, rule="latest", shape=other),
        Decision(found[2].number, found[2].leaves, rule="latest"),
        Decision(found[2].number, found[2].leaves, rule="earliest"),
        Decision(10**6, [], rule="latest"),
    ]
    outcomes = settle(programme.sql, programme.db, asked, by(programme))
    kinds = [type(one.error) if one.error else None for one in outcomes]
    assert kinds == [Conflict, Conflict, None, Conflict, NotFound]
    assert programme.body(found[2].document)["village"] == "01020117"


# -- undoing -----------------------------------------------------------------------------


def test_undoing_brings_every_leaf_back_and_the_case_is_open_again(programme: Programme) -> None:
    two_names(programme, phone="+85599999999")
    case = the_case(programme)
    before = sorted(contents(programme).values(), key=str)
    ok(decide(programme, case, take={"head": "2-b"}))
    programme.intake()
    ok(undone(programme, case))
    programme.intake()
    assert sorted(contents(programme).values(), key=str) == before
    again = the_case(programme)
    assert (again.number, again.fields, again.reason) == (case.number, ["head"], "fields")
    assert again.leaves == sorted(programme.live(DOC))
    known = versions(programme, again)
    assert {one.account for (role, _), one in known.items() if role == "leaf"} == {"sok", "dara"}
    ok(decide(programme, again, rule="author:dara"))
    body = programme.body(DOC)
    assert (body["head"]["given_name_km"], body["phone"]) == ("វិចិត្រ", "+85599999999")
    assert audited(programme) == [
        "_server case.open",
        f"{ADMIN} case.settle",
        f"{ADMIN} case.undo",
        f"{ADMIN} case.settle",
    ]


def test_undoing_does_not_need_what_compaction_drops(programme: Programme) -> None:
    two_names(programme)
    case = the_case(programme)
    before = sorted(contents(programme).values(), key=str)
    ok(decide(programme, case, take={"head": "2-b"}))
    programme.intake()
    programme.db.compact()
    ok(undone(programme, case))
    programme.intake()
    assert sorted(contents(programme).values(), key=str) == before
    ok(decide(programme, the_case(programme), take={"head": "base"}))
    assert programme.body(DOC)["head"] == household()["head"]


@pytest.mark.parametrize("how", [{"delete": True}, {"take": {"_deleted": "2-b"}}])
def test_undoing_brings_back_an_edit_and_a_deletion(
    programme: Programme, how: dict[str, Any]
) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", account="sok", **household(members_total=9))
    programme.push(DOC, "2-c", "1-a", account="dara", deleted=True)
    programme.intake()
    case = the_case(programme)
    ok(decide(programme, case, **how))
    programme.intake()
    ok(undone(programme, case))
    programme.intake()
    again = the_case(programme)
    assert (again.number, again.reason, len(again.leaves)) == (case.number, "deleted", 2)
    assert programme.body(DOC)["members_total"] == 9


def test_undoing_is_refused_when_the_document_has_moved_on_and_says_how(
    programme: Programme,
) -> None:
    two_names(programme)
    case = the_case(programme)
    rev = ok(decide(programme, case, take={"head": "2-b"}))
    edited = {**programme.body(DOC), "phone": "+85511111111"}
    programme.push(DOC, "4-x", rev, "2-c", "1-a", account="dara", **edited)
    error = refusal(undone(programme, case), Conflict)
    (change,) = error.details["changed"]
    assert (change["account"], [one["field"] for one in change["fields"]]) == ("dara", ["phone"])
    assert programme.live(DOC) == ["4-x"]


def test_undoing_ends_after_some_days_and_happens_once(programme: Programme) -> None:
    two_names(programme)
    case = the_case(programme)
    refusal(undone(programme, case), Conflict)
    ok(decide(programme, case, take={"head": "2-b"}))
    programme.clock += 3 * 86_400_000
    refusal(undone(programme, case, days=2), Conflict)
    ok(undone(programme, case, days=3))
    refusal(undone(programme, case), Conflict)


def test_undoing_brings_photos_back_and_is_refused_once_their_content_is_gone(
    programme: Programme,
) -> None:
    case = photos(programme)
    ok(decide(programme, case, take={"_attachments/face.jpg": "2-b"}))
    programme.intake()
    ok(undone(programme, case))
    programme.intake()
    again = the_case(programme)
    known = versions(programme, again)
    digests = {
        one.value("_attachments/face.jpg") for (role, _), one in known.items() if role == "leaf"
    }
    assert len(digests) == 2
    ok(decide(programme, again, remove=["_attachments/face.jpg"]))
    programme.intake()
    programme.db.compact()
    error = refusal(undone(programme, case), Conflict)
    assert error.details["gone"] == ["face.jpg"]


# -- crashes ---------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crash_at(monkeypatch: pytest.MonkeyPatch, what: str) -> Iterator[None]:
    def end(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(what, end)
        with pytest.raises(Crash):
            yield


@pytest.mark.parametrize(
    "moment",
    [
        "sync_server.cases.outbox._store",
        "sync_server.cases.telling.writes",
        "sync_server.cases.outbox._mark",
    ],
    ids=["before the revisions", "before the notices", "before the mark"],
)
def test_what_was_decided_is_written_after_a_crash(
    programme: Programme, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    two_names(programme)
    case = the_case(programme)
    with crash_at(monkeypatch, moment):
        decide(programme, case, take={"head": "2-b"})
    assert the_case(programme, state=None).state == "settled"
    programme.sweep()
    assert len(programme.live(DOC)) == 1
    assert programme.body(DOC)["head"]["given_name_km"] == "ចន្ថា"
    assert the_case(programme, state=None).state == "settled"
    assert audited(programme) == ["_server case.open", f"{ADMIN} case.settle"]
    assert len(programme.told("dara")) == 1


def test_a_stage_that_still_sees_the_leaves_of_a_decided_case_opens_none(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_names(programme)
    with crash_at(monkeypatch, "sync_server.cases.outbox._store"):
        decide(programme, the_case(programme), take={"head": "2-b"})
    sweep(programme.store, programme.sql, [NAME], stages=(resolve_conflicts,))
    assert len(programme.live(DOC)) == 2
    assert the_case(programme, state=None).state == "settled"


def test_an_undoing_that_a_crash_cut_short_is_finished(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_names(programme)
    case = the_case(programme)
    ok(decide(programme, case, take={"head": "2-b"}))
    programme.intake()
    with crash_at(monkeypatch, "sync_server.cases.outbox._store"):
        undone(programme, case)
    programme.sweep()
    assert len(programme.live(DOC)) == 2
    assert the_case(programme).number == case.number


def test_a_leaf_that_came_between_a_decision_and_its_writing_is_a_conflict_of_its_own(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_names(programme)
    case = the_case(programme)
    with crash_at(monkeypatch, "sync_server.cases.outbox._store"):
        decide(programme, case, take={"head": "2-c"})
    programme.push(DOC, "3-x", "2-b", "1-a", account="sok", **household(head=head("ណារី")))
    programme.intake()
    assert the_case(programme).number != case.number
    assert "3-x" in programme.live(DOC)
    assert {body["head"]["given_name_km"] for body in contents(programme).values()} == {
        "វិចិត្រ",
        "ណារី",
    }


def test_a_decision_that_cannot_be_written_opens_its_case_again(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = photos(programme)
    with crash_at(monkeypatch, "sync_server.cases.outbox._store"):
        decide(programme, case, take={"_attachments/face.jpg": "2-b"})
    for rev, leaf in (("3-x", "2-b"), ("3-y", "2-c")):
        programme.push(DOC, rev, leaf, "1-a", **household())
    programme.db.compact()
    programme.sweep()
    assert page(programme) == []  # the photo is gone from both branches: nothing is in question
    assert "_server case.fail" in audited(programme)
    assert len(programme.live(DOC)) == 1


def test_a_conflict_that_a_restore_brought_back_is_a_case_again(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents were put back to before a decision that SQL holds to be stored."""
    two_names(programme)
    with monkeypatch.context() as patched:
        patched.setattr("sync_server.cases.outbox._store", lambda *_: {})
        ok(decide(programme, the_case(programme), version="2-c"))
    programme.sweep()
    assert len(programme.live(DOC)) == 2
    assert page(programme) == []  # a stage may see what was there before the decision
    programme.clock += 2 * STORED_WITHIN_MS
    programme.sweep()
    assert the_case(programme).leaves == ["2-b", "2-c"]
    ok(decide(programme, the_case(programme), version="2-c"))
    assert len(programme.live(DOC)) == 1
