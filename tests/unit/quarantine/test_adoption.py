"""Adopting: the content comes into the database in the admin's name, and branches come together."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from sync_server.access.refusals import AUTHOR, GENERATION, SERVER, TAKEN
from sync_server.errors import BadRequest, Conflict, Forbidden, MissingStub
from sync_server.intake.pipeline import Pipeline
from sync_server.quarantine import adoption
from sync_server.storage.base import AttachmentWrite, Origin, RevisionWrite
from tests.unit.quarantine.conftest import NAME, NOW, Ward, md5, path

LATER = NOW + 1000
FOREIGN = {"type": "household", "village": "03010101"}


def adopt(ward: Ward, number: int = 1) -> str:
    entry = ward.quarantine.adopt(number, "root", LATER)
    assert (entry.state, entry.settled_by, entry.settled_at) == ("adopted", "root", LATER)
    assert entry.adopted_rev is not None
    assert ward.entry(number).published
    return entry.adopted_rev


def test_a_new_document_goes_on_from_the_authors_own_revision(ward: Ward) -> None:
    ward.keep(ward.refused("household:1", "2-b", "1-a", **FOREIGN))
    adopted = adopt(ward)
    winner = ward.winner()
    assert winner.rev == adopted
    assert winner.revisions.revs() == [adopted, "2-b", "1-a"]
    assert orjson.loads(winner.body) == FOREIGN
    assert winner.origin == Origin("root", "tablet-7", LATER)
    assert ward.db.state("household:1").area == "030101"
    assert ward.live() == [adopted]


def test_an_edit_of_the_winner_goes_on_from_it(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN, members_total=3)
    ward.keep(ward.refused("household:1", "2-b", "1-a", reason=TAKEN, **FOREIGN, members_total=4))
    adopted = adopt(ward)
    assert ward.winner().revisions.revs() == [adopted, "2-b", "1-a"]
    assert orjson.loads(ward.winner().body)["members_total"] == 4
    assert ward.live() == [adopted]


def test_an_edit_of_something_older_goes_on_top_of_the_winner_and_its_branch_ends(
    ward: Ward,
) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.store("household:1", "2-c", "1-a", **FOREIGN, phone="+85512345678")
    ward.keep(ward.refused("household:1", "2-b", "1-a", reason=TAKEN, **FOREIGN, members_total=4))
    adopted = adopt(ward)
    assert ward.winner().revisions.revs() == [adopted, "2-c", "1-a"]
    assert ward.live() == [adopted]
    (ended,) = [leaf.rev for leaf in ward.db.state("household:1").leaves if leaf.deleted]
    tombstone = ward.db.get("household:1", ended)
    assert orjson.loads(tombstone.body) == {"merged_into": adopted}
    assert tombstone.revisions.revs() == [ended, "2-b", "1-a"]
    base = ward.db.get("household:1", "2-b")
    assert orjson.loads(base.body)["members_total"] == 4


def test_a_later_edit_of_the_refused_revision_is_merged_with_it_as_the_base(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN, members_total=1)
    ward.store("household:1", "2-c", "1-a", **FOREIGN, members_total=2)
    ward.keep(ward.refused("household:1", "2-b", "1-a", **FOREIGN, members_total=4))
    adopted = adopt(ward)
    ward.store("household:1", "3-x", "2-b", "1-a", **FOREIGN, members_total=5)
    assert sorted(ward.live()) == sorted([adopted, "3-x"])
    Pipeline(ward.parts.store, ward.parts.sql, [NAME]).drain()
    assert len(ward.live()) == 1
    assert orjson.loads(ward.winner().body)["members_total"] == 5


def test_a_revision_that_the_server_was_to_make_is_made_on_the_winner(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.store("household:1", "2-c", "1-a", **FOREIGN)
    ward.keep(ward.refused("household:1", "1-a", is_edit=True, **FOREIGN, members_total=4))
    adopted = adopt(ward)
    assert ward.winner().revisions.revs() == [adopted, "2-c", "1-a"]
    ward.keep(ward.refused("household:2", is_edit=True, **FOREIGN))
    first = adopt(ward, 2)
    assert ward.winner("household:2").revisions.revs() == [first]
    assert first.startswith("1-")


def test_a_generation_out_of_all_proportion_does_not_come_in(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.keep(
        ward.refused("household:1", "90000-b", reason=GENERATION, **FOREIGN, members_total=4),
        ward.refused("household:2", "90000-b", reason=AUTHOR, **FOREIGN),
    )
    edited, first = adopt(ward, 1), adopt(ward, 2)
    assert ward.winner("household:1").revisions.revs() == [edited, "1-a"]
    assert ward.winner("household:2").revisions.revs() == [first]
    assert first.startswith("1-")


def test_a_deletion_deletes(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.store("household:1", "2-c", "1-a", **FOREIGN)
    ward.store("household:2", "1-a", **FOREIGN)
    ward.keep(
        ward.refused("household:1", "2-b", "1-a", deleted=True),
        ward.refused("household:2", "2-b", "1-a", deleted=True),
    )
    adopt(ward, 1)
    adopt(ward, 2)
    assert ward.live("household:1") == ward.live("household:2") == []


def test_a_document_that_was_deleted_meanwhile_comes_back(ward: Ward) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.store("household:1", "2-c", "1-a", deleted=True)
    ward.keep(ward.refused("household:1", "2-b", "1-a", **FOREIGN))
    adopted = adopt(ward)
    assert ward.live() == [adopted]
    assert ward.winner().revisions.revs() == [adopted, "2-c", "1-a"]


def test_attachments_come_along(ward: Ward) -> None:
    packed = gzip.compress(b"text" * 100)
    files = {
        "front.jpg": AttachmentWrite("image/jpeg", b"photo", "md5-that-is-wrong"),
        "note.txt": AttachmentWrite("text/plain", packed, encoding="gzip"),
    }
    ward.keep(ward.refused("household:1", "1-a", attachments=files, **FOREIGN))
    adopt(ward)
    assert ward.content("household:1", "front.jpg") == b"photo"
    assert ward.content("household:1", "note.txt") == packed
    assert ward.winner().attachments["note.txt"].encoding == "gzip"


def stub(data: bytes | None = None) -> dict[str, AttachmentWrite]:
    digest = None if data is None else md5(data)
    return {"front.jpg": AttachmentWrite("image/jpeg", None, digest, 1)}


def photo(data: bytes) -> dict[str, AttachmentWrite]:
    return {"front.jpg": AttachmentWrite("image/jpeg", data)}


def test_a_stub_is_what_the_nearest_ancestor_has(ward: Ward) -> None:
    ward.store("household:1", "1-a", attachments=photo(b"old"), **FOREIGN)
    ward.store("household:1", "2-b", "1-a", attachments=photo(b"new"), **FOREIGN)
    ward.store("household:1", "3-d", "2-b", "1-a", **FOREIGN)
    ward.keep(
        ward.refused("household:1", "3-c", "2-b", "1-a", attachments=stub(), **FOREIGN),
        ward.refused("household:1", "3-e", "2-b", "1-a", attachments=stub(b"old"), **FOREIGN),
    )
    adopt(ward, 1)
    assert ward.content("household:1", "front.jpg") == b"new"
    adopt(ward, 2)
    assert ward.content("household:1", "front.jpg") == b"old"


def test_a_stub_may_be_what_another_leaf_of_the_document_still_has(ward: Ward) -> None:
    ward.store("household:1", "1-a", attachments=photo(b"photo"), **FOREIGN)
    ward.store("household:1", "2-c", "1-a", attachments=photo(b"photo"), **FOREIGN)
    ward.db.compact()
    ward.keep(ward.refused("household:1", "2-b", "1-a", attachments=stub(b"photo"), **FOREIGN))
    adopt(ward)
    assert ward.content("household:1", "front.jpg") == b"photo"


@pytest.mark.parametrize("claimed", [None, b"photo"])
def test_a_stub_of_nothing_is_refused_by_name_and_nothing_happens(
    ward: Ward, claimed: bytes | None
) -> None:
    ward.store("household:2", "1-a", attachments=photo(b"photo"), **FOREIGN)
    ward.keep(ward.refused("household:1", "2-b", "1-a", attachments=stub(claimed), **FOREIGN))
    with pytest.raises(MissingStub, match=r"front\.jpg"):
        ward.quarantine.adopt(1, "root", LATER)
    assert ward.entry(1).state == "kept"
    assert ward.db.states(["household:1"]) == [None]


def test_what_a_stub_stood_for_survives_compaction_between_step_and_storage(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.store("household:1", "1-a", attachments=photo(b"photo"), **FOREIGN)
    ward.keep(ward.refused("household:1", "2-b", "1-a", attachments=stub(b"photo"), **FOREIGN))
    fail_once(monkeypatch)
    with pytest.raises(OSError):
        ward.quarantine.adopt(1, "root", LATER)
    ward.store("household:1", "2-z", "1-a", **FOREIGN)
    ward.db.compact()
    sweep(ward)
    assert (
        ward.db.get("household:1", ward.entry(1).adopted_rev).attachments["front.jpg"].length == 5
    )


@pytest.mark.parametrize("encoding, data", [("gzip", b"no gzip"), ("br", b"x")])
def test_a_damaged_attachment_is_named_and_nothing_happens(
    ward: Ward, encoding: str, data: bytes
) -> None:
    damaged = {"front.jpg": AttachmentWrite("image/jpeg", data, encoding=encoding)}
    ward.keep(ward.refused("household:1", attachments=damaged, **FOREIGN))
    with pytest.raises(BadRequest, match=r"front\.jpg"):
        ward.quarantine.adopt(1, "root", LATER)
    assert ward.entry(1).state == "kept"


def test_a_bomb_is_not_unpacked(ward: Ward) -> None:
    bomb = {"a": AttachmentWrite("text/plain", gzip.compress(bytes(50_000_000)), encoding="gzip")}
    ward.keep(ward.refused("household:1", attachments=bomb, **FOREIGN))
    with pytest.raises(BadRequest):
        ward.quarantine.adopt(1, "root", LATER)


# -- where it belongs ----------------------------------------------------------


@pytest.mark.parametrize(
    "doc_id, body, area",
    [
        ("household:1", {"village": "02030201"}, "020302"),
        ("household:1", {"village": "99999999"}, "020301"),
        ("proposal:1", {"household": "household:9"}, "030102"),
        ("catalogue:1", {}, "020301"),
    ],
)
def test_the_area_is_derived_as_for_any_document_of_the_author(
    ward: Ward, doc_id: str, body: dict[str, Any], area: str
) -> None:
    ward.store("household:9", "1-a", area="030102")
    ward.keep(ward.refused(doc_id, **body))
    adopt(ward)
    assert ward.db.state(doc_id).area == area


def test_a_stored_document_stays_where_it_is(ward: Ward) -> None:
    ward.store("household:1", "1-a", area="030102")
    ward.keep(ward.refused("household:1", "2-b", "1-a", village="02030101"))
    adopt(ward)
    assert ward.db.state("household:1").area == "030102"


def test_an_area_that_was_assigned_is_where_it_goes(ward: Ward) -> None:
    ward.store("household:1", "1-a", area="030102")
    ward.keep(ward.refused("household:1", "2-b", "1-a", village="99999999"))
    ward.quarantine.reassign(1, "root", NOW, area="020302")
    adopt(ward)
    assert ward.db.state("household:1").area == "020302"


def test_an_account_that_was_assigned_gives_its_home(ward: Ward) -> None:
    ward.parts.accounts.create("bopha", "bopha-12345")
    ward.parts.grants.give("bopha", "cew", NAME, "030102")
    ward.keep(ward.refused("household:1", village="99999999"))
    ward.quarantine.reassign(1, "root", NOW, account="bopha")
    adopt(ward)
    assert ward.db.state("household:1").area == "030102"


def test_where_nobody_can_tell_an_area_must_be_assigned(ward: Ward) -> None:
    ward.keep(ward.refused("household:1", village="99999999"), account="gone")
    with pytest.raises(Conflict, match="reassign"):
        ward.quarantine.adopt(1, "root", LATER)
    ward.quarantine.reassign(1, "root", NOW, area="020302")
    adopt(ward)
    assert ward.db.state("household:1").area == "020302"


@pytest.mark.parametrize("doc_id", ["review:1", "notice:1"])
def test_what_only_the_server_writes_is_never_adopted(ward: Ward, doc_id: str) -> None:
    ward.keep(ward.refused(doc_id, reason=SERVER, state="approved"))
    with pytest.raises(Forbidden):
        ward.quarantine.adopt(1, "root", LATER)
    assert ward.db.states([doc_id]) == [None]


# -- crashes -------------------------------------------------------------------


def fail_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies between the step and storage."""

    def die(*_: Any) -> None:
        monkeypatch.undo()
        raise OSError("killed")

    monkeypatch.setattr(adoption, "write", die)


def sweep(ward: Ward) -> int:
    from sync_server.jobs.quarantine_sweep import quarantine_sweep

    return quarantine_sweep(ward.parts)


def test_a_crash_after_the_step_is_made_good_by_the_sweep(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.keep(ward.refused("household:1", "1-a", attachments=photo(b"photo"), **FOREIGN))
    fail_once(monkeypatch)
    with pytest.raises(OSError):
        ward.quarantine.adopt(1, "root", LATER)
    entry = ward.entry(1)
    assert (entry.state, entry.published) == ("adopted", False)
    assert ward.db.states(["household:1"]) == [None]
    assert sweep(ward) == 1
    assert ward.winner().rev == entry.adopted_rev
    assert ward.content("household:1", "front.jpg") == b"photo"
    assert ward.notice() is None
    assert sweep(ward) == 0


def test_writing_it_again_changes_nothing(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    from sync_server.quarantine import telling

    ward.keep(ward.refused("household:1", "1-a", **FOREIGN))
    with monkeypatch.context() as patched:
        patched.setattr(telling.entries, "mark_published", lambda *_: None)
        ward.quarantine.adopt(1, "root", LATER)
    before = ward.db.update_seq()
    assert sweep(ward) == 1
    assert ward.db.update_seq() == before


def test_an_edit_that_comes_between_plan_and_storage_is_a_branch_not_a_loss(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.store("household:1", "1-a", **FOREIGN)
    ward.keep(ward.refused("household:1", "2-b", "1-a", **FOREIGN, members_total=4))
    fail_once(monkeypatch)
    with pytest.raises(OSError):
        ward.quarantine.adopt(1, "root", LATER)
    write = RevisionWrite("household:1", path("2-z", "1-a"), b"{}")
    ward.db.bulk_docs([write], new_edits=False, origin=Origin())
    sweep(ward)
    assert sorted(ward.live()) == sorted(["2-z", ward.entry(1).adopted_rev])
