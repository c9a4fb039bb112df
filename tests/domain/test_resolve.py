"""The resolve stage over the real engine: parallel edits merge, conflicting ones wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from conflict.resolution import Case
from sync_server.branches import read_disputed
from sync_server.intake import resolve
from sync_server.intake.notices import notice_id
from sync_server.intake.pipeline import Pipeline, sweep
from sync_server.metrics import Metrics
from sync_server.storage.base import AttachmentWrite, Origin, Revision, RevisionWrite
from sync_server.storage.sqlite import open_store
from tests.domain.conftest import NAME, NOW, Programme, household, proposal

DOC = "household:1"


def two_edits(programme: Programme, first: dict[str, object], second: dict[str, object]) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(**first))
    programme.push(DOC, "2-c", "1-a", **household(**second))
    programme.intake()


def test_edits_of_different_fields_are_both_kept(programme: Programme) -> None:
    two_edits(programme, {"phone": "+85599999999"}, {"members_total": 5, "members_women": 3})
    (merged,) = programme.live(DOC)
    body = programme.body(DOC)
    assert (body["phone"], body["members_total"], body["members_women"]) == ("+85599999999", 5, 3)
    assert programme.db.get(DOC).revisions.revs() == [merged, "2-c", "1-a"]
    assert programme.db.conflicted() == []


def test_resolving_again_writes_nothing(programme: Programme) -> None:
    two_edits(programme, {"phone": "+85599999999"}, {"members_total": 5})
    before = programme.db.update_seq()
    programme.intake()
    assert sweep(programme.store, programme.sql, [NAME]) == 0
    assert programme.db.update_seq() == before


def test_two_values_of_a_name_wait_for_a_person_and_the_authors_are_told(
    programme: Programme,
) -> None:
    head = household()["head"]
    two_edits(
        programme,
        {"head": {**head, "given_name_km": "ចន្ថា"}},
        {"head": {**head, "given_name_km": "វិចិត្រ"}},
    )
    assert len(programme.live(DOC)) == 2
    notice = programme.notice("conflict", DOC)
    assert notice is not None
    assert notice["fields"] == ["head"]
    assert set(notice["values"]["head"]) == {"2-b", "2-c"}
    before = programme.db.update_seq()
    sweep(programme.store, programme.sql, [NAME])
    assert programme.db.update_seq() == before


def test_the_notice_goes_when_a_person_has_settled_it(programme: Programme) -> None:
    two_edits(programme, {"village": "01020102"}, {"village": "01020103"})
    assert programme.notice("conflict", DOC) is not None
    programme.push(DOC, "3-d", "2-c", "1-a", deleted=True, merged_into="2-b")
    programme.intake()
    assert programme.live(DOC) == ["2-b"]
    assert programme.notice("conflict", DOC) is None


def phones(programme: Programme, **by_rev: tuple[str, str, str]) -> str:
    """Edit the phone on several tablets: rev → device, capture time, number; what stands then."""
    programme.push(DOC, "1-a", **household(device="tablet-9"))
    for name, (device, at, number) in by_rev.items():
        body = household(device=device, captured_at=at, phone=number)
        programme.push(DOC, f"2-{name}", "1-a", **body)
    programme.intake()
    assert len(programme.live(DOC)) == 1
    return str(programme.body(DOC)["phone"])


def test_the_later_phone_number_stands(programme: Programme) -> None:
    stands = phones(
        programme,
        z=("tablet-1", "2025-06-16T10:00:00+07:00", "+85511111111"),
        b=("tablet-2", "2025-06-16T12:00:00+07:00", "+85522222222"),
    )
    assert stands == "+85522222222"


def test_a_clock_in_2031_is_outvoted(programme: Programme) -> None:
    stands = phones(
        programme,
        z=("tablet-1", "2031-01-01T00:00:00+07:00", "+85511111111"),
        b=("tablet-2", "2025-06-16T12:00:00+07:00", "+85522222222"),
    )
    assert stands == "+85522222222"


def test_a_wrong_clock_is_put_right_by_the_difference_that_the_tablet_knows(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-a", **household())
    year = 365 * 86_400_000
    ahead = household(captured_at="2026-06-16T10:00:00+07:00", server_offset_ms=-year)
    programme.push(DOC, "2-z", "1-a", **ahead, phone_note="ahead by a year")
    later = household(captured_at="2025-06-16T12:00:00+07:00", phone="+85522222222")
    programme.push(DOC, "2-b", "1-a", **later)
    programme.intake()
    assert programme.body(DOC)["captured_at"] == "2025-06-16T12:00:00+07:00"


def test_a_deletion_beside_an_edit_waits_for_a_person(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(members_total=9))
    programme.push(DOC, "2-c", "1-a", deleted=True)
    programme.intake()
    notice = programme.notice("conflict", DOC)
    assert notice is not None
    assert (notice["reason"], notice["leaves"]) == ("deleted", ["2-b", "2-c"])
    assert programme.body(DOC)["members_total"] == 9


@pytest.mark.parametrize("settled_with", ["tombstone", "edit"])
def test_a_person_settles_a_deletion_by_ending_either_branch(
    programme: Programme, settled_with: str
) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(members_total=9))
    programme.push(DOC, "2-c", "1-a", deleted=True)
    programme.intake()
    if settled_with == "tombstone":
        programme.push(DOC, "3-d", "2-b", "1-a", deleted=True, merged_into="2-c")
    else:
        programme.push(DOC, "3-d", "2-c", "1-a", deleted=True, merged_into="2-b")
    programme.intake()
    assert programme.notice("conflict", DOC) is None
    assert len(programme.live(DOC)) == (0 if settled_with == "tombstone" else 1)


def test_a_deletion_stands_where_nobody_edited(programme: Programme) -> None:
    """A revision of the same content is no edit: documents that change their area get one."""
    programme.push(DOC, "1-a", **household())
    programme.db.renew([DOC], origin=Origin())
    programme.push(DOC, "2-c", "1-a", deleted=True)
    programme.intake()
    assert programme.live(DOC) == []
    assert programme.notice("conflict", DOC) is None


def test_what_a_merge_ended_is_no_deletion(programme: Programme) -> None:
    two_edits(programme, {"phone": "+85599999999"}, {"members_total": 5})
    (merged,) = programme.live(DOC)
    programme.push(DOC, "4-x", merged, "2-c", "1-a", **household(ethnicity="Cham"))
    programme.intake()
    assert programme.live(DOC) == ["4-x"]
    assert programme.notice("conflict", DOC) is None


def test_a_proposal_waits_while_its_household_was_deleted_beside_an_edit(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push("proposal:1", "1-p", **proposal())
    programme.intake()
    programme.push(DOC, "2-b", "1-a", **household(members_total=9))
    programme.push(DOC, "2-c", "1-a", deleted=True)
    refused = programme.decide("proposal:1").error
    assert refused is not None and "settled first" in refused.reason
    programme.intake()
    assert (programme.review("proposal:1") or {})["state"] == "on_hold"


def test_a_base_that_is_gone_is_named_in_the_case(programme: Programme) -> None:
    programme.push(DOC, "2-b", "1-a", **household(phone="+85599999999"))
    programme.push(DOC, "2-c", "1-a", **household(members_total=5))
    (one,) = read_disputed(programme.db, [DOC])
    case = one.resolve()
    assert isinstance(case, Case)
    assert (case.reason, case.bases) == ("no_base", ["1-a"])
    programme.intake()
    assert len(programme.live(DOC)) == 2


def test_a_case_that_is_known_is_passed_over(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_edits(programme, {"village": "01020102"}, {"village": "01020103"})
    monkeypatch.setattr(resolve, "read_disputed", lambda database, ids: asked.extend(ids) or [])
    asked: list[str] = []
    sweep(programme.store, programme.sql, [NAME])
    assert asked == []
    programme.push(DOC, "2-d", "1-a", **household(village="01020104"))
    sweep(programme.store, programme.sql, [NAME])
    assert asked == [DOC]


def test_a_document_that_is_merged_again_and_again_stops_with_a_person(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-a", **household())
    for number in range(resolve.MOST_MERGES + 1):
        above, body = programme.db.get(DOC).revisions, programme.body(DOC)
        for name, changes in (("x", {"members_total": number + 5}), ("y", {"ethnicity": "Cham"})):
            edited = {**body, **changes, "note": number} if name == "x" else {**body, **changes}
            programme.push(DOC, f"{above.start + 1}-{name}", *above.revs(), **edited)
        programme.intake()
    notice = programme.notice("conflict", DOC)
    assert notice is not None
    assert notice["reason"] == "too_often"
    programme.clock += resolve.MERGE_PERIOD_MS + 1
    programme.push(DOC, f"{above.start + 1}-z", *above.revs(), **{**body, "disability": True})
    programme.intake()
    assert programme.notice("conflict", DOC) is None
    assert len(programme.live(DOC)) == 1


def test_notices_that_two_servers_wrote_become_one_and_are_no_case(programme: Programme) -> None:
    for rev, text in (("1-b", "ours"), ("1-c", "theirs")):
        programme.push("notice:x", rev, type="notice", kind="invalid", document="x", text_en=text)
    programme.intake()
    assert programme.live("notice:x") == ["1-c"]
    assert programme.notice("conflict", "notice:x") is None


def test_what_was_done_is_counted(programme: Programme) -> None:
    metrics = Metrics()
    programme.push(DOC, "1-a", **household())
    for rev, village in (("2-b", "01020102"), ("2-c", "01020103")):
        programme.push(DOC, rev, "1-a", **household(village=village))
    programme.push("household:2", "1-a", **household())
    programme.push("household:2", "2-b", "1-a", **household(phone="+85599999999"))
    programme.push("household:2", "2-c", "1-a", **household(members_total=5))
    for _ in range(2):
        Pipeline(programme.store, programme.sql, [NAME], metrics=metrics).drain()
        sweep(programme.store, programme.sql, [NAME], metrics=metrics)
    text = metrics.render().decode()
    assert "sync_documents_merged_total 1.0" in text
    assert 'sync_cases_opened_total{reason="fields"} 1.0' in text
    assert 'sync_notices_written_total{kind="conflict"} 1.0' in text


def test_a_tablet_that_goes_on_from_the_losing_leaf_is_merged_against_it(
    programme: Programme,
) -> None:
    two_edits(programme, {"phone": "+85599999999"}, {"members_total": 5})
    programme.push(DOC, "3-x", "2-b", "1-a", **household(phone="+85599999999", ethnicity="Cham"))
    programme.intake()
    assert len(programme.live(DOC)) == 1
    body = programme.body(DOC)
    assert (body["phone"], body["members_total"], body["ethnicity"]) == ("+85599999999", 5, "Cham")


def test_photos_added_on_both_sides_are_both_there(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    for rev, name in (("2-b", "face.jpg"), ("2-c", "house.jpg")):
        photo = AttachmentWrite("image/jpeg", name.encode())
        programme.push(DOC, rev, "1-a", attachments={name: photo}, **household())
    programme.intake()
    assert len(programme.live(DOC)) == 1
    # Whoever has only the winning branch must be sent the other one's photo.
    revpos = {name: info.revpos for name, info in programme.db.get(DOC).attachments.items()}
    assert revpos == {"face.jpg": 3, "house.jpg": 2}
    for name in ("face.jpg", "house.jpg"):
        _, content = programme.db.attachment(DOC, None, name)
        with content as stream:
            assert stream.read() == name.encode()


def test_six_branches_become_one(programme: Programme) -> None:
    programme.push(DOC, "1-a", **household())
    fields = ("phone", "ethnicity", "national_id", "village", "disability", "members_total")
    values = ("+85599999999", "Cham", "123456789", "01020199", True, 9)
    for rev, name, value in zip("bcdefg", fields, values, strict=True):
        programme.push(DOC, f"2-{rev}", "1-a", **household(**{name: value}))
    programme.intake()
    assert len(programme.live(DOC)) == 1
    body = programme.body(DOC)
    assert [body[name] for name in fields] == list(values)


def test_a_base_that_was_compacted_away_before_is_still_there_for_the_merge(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(phone="+85599999999"))
    programme.push(DOC, "2-c", "1-a", **household(members_total=5))
    programme.db.compact()
    programme.intake()
    assert len(programme.live(DOC)) == 1


@pytest.fixture
def servers(tmp_path: Path, programme: Programme) -> Iterator[list[Programme]]:
    other = open_store(tmp_path / "other")
    other.create(NAME)
    yield [programme, Programme(other, programme.sql, clock=NOW + 10**9)]
    other.close()


def leaves(server: Programme, doc_id: str = DOC) -> list[tuple[str, bool, bytes]]:
    found = server.db.open_revs(doc_id, None)
    return [(leaf.rev, leaf.deleted, leaf.body) for leaf in found if isinstance(leaf, Revision)]


def copy(source: Programme, target: Programme) -> None:
    """What a replicator does: every leaf with its ancestry, in the replicator's own name."""
    writes = [
        RevisionWrite(leaf.doc_id, leaf.revisions, leaf.body, leaf.deleted)
        for row in source.db.changes().rows
        for leaf in source.db.open_revs(row.doc_id, None)
        if isinstance(leaf, Revision)
    ]
    origin = Origin("replicator", "", target.clock)
    target.db.bulk_docs(writes, new_edits=False, origin=origin)


def test_two_servers_write_the_same_revisions(servers: list[Programme]) -> None:
    for number, server in enumerate(servers):
        server.push(DOC, "1-a", **household())
        edits = [
            ("2-b", household(phone="+85511111111", captured_at="2031-01-01T00:00:00+07:00")),
            ("2-c", household(members_total=5, phone="+85522222222", device="tablet-2")),
        ]
        for rev, body in edits if number == 0 else reversed(edits):
            server.push(DOC, rev, "1-a", account=f"sok-{number}", **body)
            server.clock += 10**8
        server.intake()
    one, other = servers
    assert leaves(one) == leaves(other)
    assert len(one.live(DOC)) == 1


def test_a_server_without_the_base_makes_the_same_of_equal_edits(servers: list[Programme]) -> None:
    one, other = servers
    one.push(DOC, "1-a", **household())
    for server in servers:
        for rev in ("2-b", "2-c"):
            server.push(DOC, rev, "1-a", **household(phone="+85599999999"))
        server.intake()
    assert leaves(one) == leaves(other)
    assert len(one.live(DOC)) == 1


def test_servers_that_replicate_with_each_other_come_to_rest_with_the_same(
    servers: list[Programme],
) -> None:
    """One never had the base, so it opens a case until the other's merge arrives."""
    one, other = servers
    one.push(DOC, "1-a", **household())
    one.push(DOC, "2-b", "1-a", **household(phone="+85599999999"))
    other.push(DOC, "2-c", "1-a", **household(members_total=5))
    for source, target in ((one, other), (other, one)):
        copy(source, target)
        target.intake()
    for _ in range(2):
        for source, target in ((one, other), (other, one)):
            copy(source, target)
            target.intake()
    states = [{row.doc_id: leaves(s, row.doc_id) for row in s.db.changes().rows} for s in servers]
    assert states[0] == states[1]
    assert len(one.live(DOC)) == 1
    before = [server.db.update_seq() for server in servers]
    copy(one, other)
    copy(other, one)
    for server in servers:
        server.intake()
    assert [server.db.update_seq() for server in servers] == before


def test_servers_that_both_opened_a_case_do_not_take_turns_in_rewriting_it(
    servers: list[Programme],
) -> None:
    one, other = servers
    one.push(DOC, "1-a", **household())
    for rev, village in (("2-b", "01020102"), ("2-c", "01020103")):
        for server in servers:
            server.push(
                DOC, rev, "1-a", account=f"sok-{server.clock}", **household(village=village)
            )
    for server in servers:
        server.intake()
    for _ in range(3):
        for source, target in ((one, other), (other, one)):
            copy(source, target)
            target.intake()
            sweep(target.store, target.sql, [NAME])
    notices = [leaves(server, notice_id("conflict", DOC)) for server in servers]
    assert notices[0] == notices[1]
    before = [server.db.update_seq() for server in servers]
    for server in servers:
        sweep(server.store, server.sql, [NAME])
    assert [server.db.update_seq() for server in servers] == before


def test_resolvers_that_race_leave_one_live_leaf(programme: Programme) -> None:
    for number in range(30):
        doc_id = f"household:{number}"
        programme.push(doc_id, "1-a", **household())
        programme.push(doc_id, "2-b", "1-a", **household(phone="+85599999999"))
        programme.push(doc_id, "2-c", "1-a", **household(members_total=5))
    racers = [Thread(target=sweep, args=(programme.store, programme.sql, [NAME])) for _ in range(3)]
    for racer in racers:
        racer.start()
    Pipeline(programme.store, programme.sql, [NAME]).drain()
    for racer in racers:
        racer.join()
    programme.intake()
    assert all(len(programme.live(f"household:{number}")) == 1 for number in range(30))


def test_a_document_that_makes_a_stage_fail_does_not_hold_up_the_others(
    programme: Programme, caplog: pytest.LogCaptureFixture
) -> None:
    programme.push("household:bad", "1-a", **household(type=["no", "type"]))
    programme.push(DOC, "1-a", **household())
    programme.push(DOC, "2-b", "1-a", **household(phone="+85599999999"))
    programme.push(DOC, "2-c", "1-a", **household(members_total=5))
    programme.intake()
    assert len(programme.live(DOC)) == 1
