"""What may become of an entry, who is told, and that every step is on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_server.access import audit
from sync_server.access.refusals import AUTHOR
from sync_server.errors import BadRequest, Conflict, NotFound, SyncError
from sync_server.jobs.quarantine_sweep import quarantine_sweep
from sync_server.quarantine import entries, telling
from sync_server.quarantine.entries import Entry, Filter
from sync_server.quarantine.service import Quarantine
from sync_server.quarantine.states import (
    ADOPTED,
    ANSWERED,
    DISCARDED,
    KEPT,
    RETURNED,
    STATES,
    STEPS,
)
from sync_server.storage.base import Origin, Revisions, RevisionWrite
from tests.unit.quarantine.conftest import NAME, NOW, Ward

LATER = NOW + 1000
Action = Callable[..., Entry]

ACTIONS: dict[str, Callable[[Quarantine, int, str, int], Entry]] = {
    "adopt": lambda ward, number, actor, now: ward.adopt(number, actor, now),
    "reassign": lambda ward, number, actor, now: ward.reassign(number, actor, now, area="020302"),
    "return": lambda ward, number, actor, now: ward.send_back(number, actor, now, "Look again."),
    "discard": lambda ward, number, actor, now: ward.discard(number, actor, now, "A test."),
}
WAYS = {
    KEPT: [],
    RETURNED: ["return"],
    ADOPTED: ["adopt"],
    DISCARDED: ["discard"],
    ANSWERED: ["return", "answer"],
}


def answer(ward: Ward, number: int, actor: str, now: int) -> Entry:
    """The server notes it; nobody asks for it."""
    entry = ward.entry(number)
    with ward.parts.sql.begin() as connection:
        entries.step(connection, entry, "answer", actor, now)
    return ward.entry(number)


def take(ward: Ward, action: str, number: int = 1, actor: str = "root", now: int = LATER) -> Entry:
    if action == "answer":
        return answer(ward, number, actor, now)
    return ACTIONS[action](ward.quarantine, number, actor, now)


def log(ward: Ward) -> list[tuple[str, str, str]]:
    """Steps of the quarantine, the latest first."""
    with ward.parts.sql.connect() as connection:
        found = audit.entries(connection)
    rows = [(row.actor, row.action, row.subject) for row in found]
    return [row for row in rows if row[1].startswith("quarantine.")]


def test_the_table_and_the_tests_name_the_same_steps_and_states() -> None:
    assert ACTIONS.keys() | {"answer"} == STEPS.keys()
    assert set(WAYS) == set(STATES)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", STEPS)
def test_only_the_steps_of_the_table_are_taken_and_each_is_on_record(
    ward: Ward, state: str, action: str
) -> None:
    ward.keep(ward.refused(village="99999999"))
    for step in WAYS[state]:
        take(ward, step)
    before = log(ward)
    if state in STEPS[action].sources:
        take(ward, action, actor="dara", now=LATER + 1)
        entry = ward.entry(1)
        assert (entry.state, entry.settled_by) == (STEPS[action].target, "dara")
        assert log(ward) == [("dara", f"quarantine.{action}", "household:1"), *before]
    else:
        with pytest.raises(Conflict, match="look at it again"):
            take(ward, action, actor="dara", now=LATER + 1)
        assert (ward.entry(1).state, log(ward)) == (state, before)


def test_a_line_of_the_log_says_whose_document_it_was_and_what_was_said(ward: Ward) -> None:
    ward.keep(ward.refused(village="99999999", reason=AUTHOR))
    take(ward, "reassign")
    adopted = take(ward, "adopt")
    with ward.parts.sql.connect() as connection:
        last, first = audit.entries(connection, subject="household:1", database=NAME)
    assert first.details["assigned_area"] == "020302"
    assert last.details["entry"] == 1
    assert (last.details["account"], last.details["device"]) == ("sok", "tablet-7")
    assert (last.details["rev"], last.details["refused"]) == ("1-a", "author")
    assert last.details["adopted"] == adopted.adopted_rev
    assert last.details["area"] == "020302"


@pytest.mark.parametrize("method", ["send_back", "discard"])
@pytest.mark.parametrize("reason", ["", None])
def test_who_is_told_no_is_told_why(ward: Ward, method: str, reason: Any) -> None:
    ward.keep(ward.refused())
    with pytest.raises(BadRequest, match="why"):
        getattr(ward.quarantine, method)(1, "root", LATER, reason)
    assert ward.entry(1).state == KEPT


@pytest.mark.parametrize(
    "given, error",
    [
        ({}, BadRequest),
        ({"area": "2"}, BadRequest),
        ({"area": "@sok"}, BadRequest),
        ({"account": "nobody"}, NotFound),
    ],
)
def test_it_is_reassigned_to_what_there_is(
    ward: Ward, given: dict[str, str], error: type[SyncError]
) -> None:
    ward.keep(ward.refused())
    with pytest.raises(error):
        ward.quarantine.reassign(1, "root", LATER, **given)
    assert ward.entry(1).version == 0


@pytest.mark.parametrize(
    "doc_id, body, area",
    [
        ("household:1", {"village": "03010101"}, "030101"),
        ("household:1", {"village": "99999999"}, None),
        ("proposal:1", {"household": "household:9"}, "030102"),
        ("proposal:1", {"household": "household:8"}, None),
        ("catalogue:1", {}, None),
    ],
)
def test_an_area_that_the_document_contradicts_is_not_assigned(
    ward: Ward, doc_id: str, body: dict[str, str], area: str | None
) -> None:
    """The intake would move it there at once."""
    ward.store("household:9", "1-a", area="030102")
    ward.keep(ward.refused(doc_id, **body))
    if area is not None:
        with pytest.raises(BadRequest, match=area):
            ward.quarantine.reassign(1, "root", LATER, area="020302")
    ward.quarantine.reassign(1, "root", LATER, area=area or "020302")
    assert ward.entry(1).assigned_area == (area or "020302")


def test_who_looks_at_an_older_version_is_told_so(ward: Ward) -> None:
    ward.keep(ward.refused(village="99999999"))
    take(ward, "reassign")
    for step in (
        lambda: ward.quarantine.adopt(1, "root", LATER, version=0),
        lambda: ward.quarantine.discard(1, "root", LATER, "no", version=0),
    ):
        with pytest.raises(Conflict, match="changed"):
            step()
    ward.quarantine.adopt(1, "root", LATER, version=1)


def test_of_two_admins_at_once_one_wins(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    ward.keep(ward.refused(village="99999999"))
    found = ward.entry(1)
    take(ward, "discard")
    monkeypatch.setattr(entries, "find", lambda *_: found)
    with pytest.raises(Conflict, match="Somebody else"):
        take(ward, "adopt")
    assert ward.db.states(["household:1"]) == [None]
    assert len(log(ward)) == 1


@pytest.mark.parametrize("number", [2, -1])
@pytest.mark.parametrize("action", STEPS)
def test_what_is_not_there_is_not_found(ward: Ward, action: str, number: int) -> None:
    ward.keep(ward.refused())
    with pytest.raises(NotFound):
        take(ward, action, number)


def test_an_entry_of_another_database_is_not_found(ward: Ward) -> None:
    ward.keep(ward.refused())
    ward.parts.store.create("trial")
    with pytest.raises(NotFound):
        ward.parts.quarantine("trial").discard(1, "root", LATER, "no")


# -- notices -------------------------------------------------------------------


def test_who_gets_it_back_has_content_and_reason_in_hand(ward: Ward) -> None:
    special = {"_rev": "1-a", "_attachments": {"front.jpg": {"stub": True}}}
    ward.keep(ward.refused(special=special, village="99999999", members_total=4))
    take(ward, "return")
    notice = ward.notice()
    assert notice is not None
    assert (notice["kind"], notice["note"]) == ("returned", "Look again.")
    assert notice["content"] == {"village": "99999999", "members_total": 4}
    assert notice["attachments"] == ["front.jpg"]
    assert "Look again." in notice["text_en"] and "Look again." in notice["text_km"]


def test_who_is_refused_for_good_hears_why(ward: Ward) -> None:
    ward.keep(ward.refused())
    take(ward, "discard")
    notice = ward.notice()
    assert notice is not None
    assert (notice["kind"], notice["note"]) == ("discarded", "A test.")
    assert "content" not in notice


def test_who_was_adopted_has_nothing_left_to_read(ward: Ward) -> None:
    ward.keep(ward.refused(village="99999999"))
    take(ward, "adopt")
    assert ward.notice() is None


def test_it_is_returned_to_whom_it_was_assigned(ward: Ward) -> None:
    ward.parts.accounts.create("bopha", "bopha-12345")
    ward.keep(ward.refused(village="99999999"))
    ward.quarantine.reassign(1, "root", LATER, account="bopha")
    assert ward.notice(account="bopha") is None
    sender = ward.notice()
    assert sender is not None and sender["kind"] == "quarantined"
    take(ward, "return")
    assert ward.notice() is None
    told = ward.notice(account="bopha")
    assert told is not None and told["kind"] == "returned"


def test_who_has_answered_is_asked_no_longer(ward: Ward) -> None:
    ward.keep(ward.refused("household:1"), ward.refused("household:2"), ward.refused("household:3"))
    for number in (1, 2, 3):
        take(ward, "return", number)
    push(ward, "household:1", "sok", LATER + 1)
    push(ward, "household:2", "sok", LATER - 1)
    push(ward, "household:3", "bopha", LATER + 1)
    quarantine_sweep(ward.parts)
    assert [ward.entry(number).state for number in (1, 2, 3)] == [ANSWERED, RETURNED, RETURNED]
    assert ward.notice("household:1") is None
    assert ward.notice("household:2") is not None
    assert log(ward)[0] == ("_server", "quarantine.answer", "household:1")
    quarantine_sweep(ward.parts)
    assert len(log(ward)) == 4


def push(ward: Ward, doc_id: str, account: str, received_at: int) -> None:
    write = RevisionWrite(doc_id, Revisions(2, ["b", "a"]), b"{}", area="020301")
    ward.db.bulk_docs([write], new_edits=False, origin=Origin(account, "", received_at))


def test_one_that_waits_is_told_of_before_one_that_is_settled(ward: Ward) -> None:
    ward.keep(ward.refused("household:1", "1-a", x=1), ward.refused("household:1", "1-b", x=2))
    take(ward, "discard", 2)
    notice = ward.notice()
    assert notice is not None and (notice["kind"], notice["revision"]) == ("quarantined", "1-a")
    take(ward, "discard", 1)
    notice = ward.notice()
    assert notice is not None and notice["kind"] == "discarded"
    ward.keep(ward.refused("household:1", "1-c", x=3), now=LATER + 5)
    notice = ward.notice()
    assert notice is not None and (notice["kind"], notice["revision"]) == ("quarantined", "1-c")


def test_a_crash_before_the_notice_is_made_good(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(telling, "_tell", die)
        ward.keep(ward.refused(x=1))
    assert ward.notice() is None
    ward.keep(ward.refused(x=1))
    assert ward.notice() is not None
    (entry,) = ward.all()
    assert (entry.times, entry.published) == (2, True)


def test_a_notice_that_another_has_just_changed_is_not_put_back(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.keep(ward.refused(x=1))
    read = telling._statements

    def overtaken(*given: Any) -> Any:
        said = read(*given)
        monkeypatch.undo()
        take(ward, "discard")
        return said

    monkeypatch.setattr(telling, "_statements", overtaken)
    ward.keep(ward.refused("household:1", "1-b", x=2))
    unpublished = [entry.number for entry in ward.all() if not entry.published]
    assert unpublished == [2]
    telling.publish_all(ward.parts.sql, ward.db, LATER)
    notice = ward.notice()
    assert notice is not None and (notice["kind"], notice["revision"]) == ("quarantined", "1-b")


# -- lists ---------------------------------------------------------------------


@pytest.fixture
def many(ward: Ward) -> Ward:
    ward.keep(ward.refused("household:1", area="020301"), account="sok")
    ward.keep(ward.refused("household:2", area="020302", reason=AUTHOR), account="bopha")
    ward.keep(ward.refused("household:3", area="0301"), account="bopha")
    ward.keep(ward.refused("household:4", area=""), account="sok")
    ward.keep(ward.refused("household:5", area="@sok"), account="sok")
    ward.quarantine.reassign(3, "root", LATER, area="02")
    ward.quarantine.discard(1, "root", LATER, "no")
    return ward


@pytest.mark.parametrize(
    "wanted, areas, expected",
    [
        ({}, None, [1, 2, 3, 4, 5]),
        ({"area": "02"}, None, [1, 2, 3]),
        ({"area": "0203"}, None, [1, 2]),
        ({"area": "0301"}, None, []),
        ({"area": ""}, None, [1, 2, 3, 4]),
        ({"area": "@sok"}, None, [5]),
        ({"account": "bopha"}, None, [2, 3]),
        ({"device": "tablet-7"}, None, [1, 2, 3, 4, 5]),
        ({"device": "tablet-8"}, None, []),
        ({"reason": "author"}, None, [2]),
        ({"state": "kept"}, None, [2, 3, 4, 5]),
        ({"state": "discarded", "account": "sok"}, None, [1]),
        ({}, ["020301", "020302"], [1, 2]),
        ({}, [""], [1, 2, 3, 4]),
        ({}, [], []),
        ({"area": "03"}, ["02"], []),
    ],
)
def test_entries_are_found_by_what_is_known_of_them(
    many: Ward, wanted: dict[str, str], areas: list[str] | None, expected: list[int]
) -> None:
    with many.parts.sql.connect() as connection:
        found = entries.page(connection, NAME, Filter(**wanted), areas=areas)
    assert [entry.number for entry in found] == expected


def test_pages_miss_nothing(many: Ward) -> None:
    seen: list[int] = []
    with many.parts.sql.connect() as connection:
        while page := entries.page(
            connection, NAME, Filter(), after=seen[-1] if seen else 0, limit=2
        ):
            assert len(page) <= 2
            seen += [entry.number for entry in page]
    assert seen == [1, 2, 3, 4, 5]
