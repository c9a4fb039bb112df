"""The resolve stage over the real engine: parallel edits merge, conflicting ones wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from sync_server.intake.pipeline import Pipeline, sweep
from sync_server.storage.base import AttachmentWrite
from sync_server.storage.sqlite import open_store
from tests.domain.conftest import NAME, NOW, Programme, household

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


def test_the_later_phone_number_stands_and_a_clock_in_2031_counts_as_its_receipt(
    programme: Programme,
) -> None:
    programme.push(DOC, "1-a", **household())
    future = household(phone="+85511111111", captured_at="2031-01-01T00:00:00+07:00")
    programme.push(DOC, "2-z", "1-a", received_at=NOW, **future)
    later = household(phone="+85522222222", captured_at="2025-06-16T10:00:00+07:00")
    programme.push(DOC, "2-b", "1-a", received_at=NOW + 10**9, **later)
    programme.intake()
    assert programme.body(DOC)["phone"] == "+85522222222"


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
    yield [programme, Programme(other, programme.sql)]
    other.close()


def test_two_servers_write_the_same_revisions(servers: list[Programme]) -> None:
    for number, server in enumerate(servers):
        server.push(DOC, "1-a", **household())
        edits = [("2-b", {"phone": "+85599999999"}), ("2-c", {"members_total": 5})]
        for rev, changes in edits if number == 0 else reversed(edits):
            server.push(DOC, rev, "1-a", **household(**changes))
        server.intake()
    one, other = ([(f.rev, f.body) for f in s.db.open_revs(DOC, None)] for s in servers)  # type: ignore[union-attr]
    assert one == other


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
