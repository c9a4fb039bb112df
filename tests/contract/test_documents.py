"""Documents and revision trees, as every engine must keep them."""

from __future__ import annotations

import pytest

from sync_server.errors import Conflict, NotFound
from sync_server.storage.base import Database, MissingRevision, Revision, RevisionWrite
from tests.contract.drafts import ORIGIN, body_of, edit, leaves, put, replicate, write


def test_an_edit_makes_a_first_generation_revision_with_32_hex_digits(db: Database) -> None:
    rev = put(db, "a", name="Sok")
    generation, _, rev_hash = rev.partition("-")
    assert generation == "1"
    assert len(rev_hash) == 32
    assert set(rev_hash) <= set("0123456789abcdef")
    assert body_of(db.get("a")) == {"name": "Sok"}


def test_a_revision_remembers_who_sent_it_and_when(db: Database) -> None:
    put(db, "a")
    assert db.get("a").origin == ORIGIN


def test_the_same_edit_of_the_same_revision_has_the_same_id(db: Database, store) -> None:  # type: ignore[no-untyped-def]
    store.create("other")
    assert put(db, "a", name="Sok") == put(store.database("other"), "a", name="Sok")


def test_an_edit_on_the_leaf_extends_it(db: Database) -> None:
    first = put(db, "a", n=1)
    second = put(db, "a", first, n=2)
    assert second.startswith("2-")
    assert db.get("a").revisions.revs() == [second, first]


def test_an_edit_on_an_inner_or_unknown_revision_is_a_conflict(db: Database) -> None:
    first = put(db, "a", n=1)
    put(db, "a", first, n=2)
    results = edit(db, write("a", first, n=3), write("a", "7-nowhere"), write("a", n=4))
    assert [type(result.error) for result in results] == [Conflict] * 3
    # One that remembered where it was raised would keep the whole batch in memory.
    assert [result.error.__traceback__ for result in results if result.error] == [None] * 3
    assert body_of(db.get("a")) == {"n": 2}


def test_a_deleted_document_is_not_found_and_can_come_back_on_its_tombstone(db: Database) -> None:
    first = put(db, "a", n=1)
    edit(db, write("a", first, deleted=True))
    with pytest.raises(NotFound, match="deleted"):
        db.get("a")
    third = put(db, "a", n=3)
    assert third.startswith("3-")
    assert leaves(db, "a") == [third]


def test_an_unknown_document_is_missing(db: Database) -> None:
    with pytest.raises(NotFound, match="missing"):
        db.get("a")
    with pytest.raises(NotFound, match="missing"):
        db.state("a")
    assert db.open_revs("a", ["1-a"]) == [MissingRevision("a", "1-a")]
    assert db.open_revs("a", None) == []


def test_replicated_branches_are_all_kept_and_the_higher_hash_wins(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a", v="b"), write("a", "2-c", "1-a", v="c"))
    assert leaves(db, "a") == ["2-c", "2-b"]
    assert body_of(db.get("a")) == {"v": "c"}
    assert [body_of(found) for found in db.open_revs("a", None)] == [{"v": "c"}, {"v": "b"}]


def test_a_live_leaf_wins_over_a_longer_deleted_branch(db: Database) -> None:
    replicate(
        db,
        write("a", "3-z", "2-z", "1-a", deleted=True),
        write("a", "2-b", "1-a", v="b"),
    )
    assert db.state("a").winner.rev == "2-b"
    assert body_of(db.get("a")) == {"v": "b"}


def test_redelivery_is_success_and_changes_nothing(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a", v=1))
    before = db.update_seq()
    (leaf,) = replicate(db, write("a", "2-b", "1-a", v=2))
    (inner,) = replicate(db, write("a", "1-a", v=0))
    assert (leaf.error, leaf.changed) == (None, False)
    assert (inner.error, inner.changed) == (None, False)
    assert db.update_seq() == before
    assert body_of(db.get("a")) == {"v": 1}


def test_a_document_twice_in_a_batch_is_written_in_order(db: Database) -> None:
    results = replicate(db, write("a", "1-a", v=1), write("a", "2-b", "1-a", v=2))
    assert [result.rev for result in results] == ["1-a", "2-b"]
    assert leaves(db, "a") == ["2-b"]
    assert body_of(db.get("a", "1-a")) == {"v": 1}
    assert db.info().doc_count == 1


def test_a_short_ancestry_grows_when_the_longer_one_arrives(db: Database) -> None:
    replicate(db, write("a", "3-c", "2-b", v=3))
    replicate(db, write("a", "3-c", "2-b", "1-a", v=3))
    assert db.get("a").revisions.revs() == ["3-c", "2-b", "1-a"]


def test_latest_answers_the_leaves_that_descend_from_a_revision(db: Database) -> None:
    replicate(
        db,
        write("a", "2-b", "1-a", v="b"),
        write("a", "2-c", "1-a", v="c"),
        write("a", "3-d", "2-c", "1-a", v="d"),
    )
    [found] = db.bulk_get([("a", "2-c")], latest=True)
    assert [body_of(revision) for revision in found] == [{"v": "d"}]
    found = db.open_revs("a", ["1-a", "2-b"], latest=True)
    assert {revision.rev for revision in found} == {"3-d", "2-b"}
    assert len(found) == 2


def test_bulk_get_answers_in_the_order_and_number_of_the_request(db: Database) -> None:
    replicate(db, write("a", "1-a", v=1), write("b", "2-b", "1-x", v=2), write("b", "2-c", "1-x"))
    found = db.bulk_get([("b", "2-b"), ("nobody", "1-x"), ("a", None), ("a", "1-a"), ("b", None)])
    assert [[revision.rev for revision in item] for item in found] == [
        ["2-b"],
        ["1-x"],
        ["1-a"],
        ["1-a"],
        ["2-c", "2-b"],
    ]
    assert isinstance(found[1][0], MissingRevision)
    first = found[0][0]
    assert isinstance(first, Revision)
    assert first.revisions.revs() == ["2-b", "1-x"]


def test_revs_diff_names_what_is_missing_and_the_leaves_it_may_descend_from(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a"), write("b", "1-a"))
    diff = db.revs_diff({"a": ["1-a", "2-b", "3-c"], "b": ["1-a"], "c": ["1-z"]})
    assert set(diff) == {"a", "c"}
    assert list(diff["a"].missing) == ["3-c"]
    assert list(diff["a"].possible_ancestors) == ["2-b"]
    assert list(diff["c"].missing) == ["1-z"]
    assert list(diff["c"].possible_ancestors) == []


def test_stemming_keeps_every_leaf_and_the_limit_of_ancestors(db: Database) -> None:
    db.set_revs_limit(3)
    path = ["1-a"]
    replicate(db, write("a", *path), write("a", "1-z"))
    for generation in range(2, 9):
        path.insert(0, f"{generation}-a")
        replicate(db, write("a", *path, n=generation))
    assert leaves(db, "a") == ["8-a", "1-z"]
    assert db.get("a").revisions.revs() == ["8-a", "7-a", "6-a"]
    with pytest.raises(NotFound):
        db.get("a", "2-a")


def test_purged_revisions_are_gone_and_do_not_come_back(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a", v="b"), write("a", "2-c", "1-a", v="c"))
    replicate(db, write("gone", "1-x"))
    assert db.purge({"a": ["2-c"], "gone": ["1-x"], "no": ["1-n"]}) == {
        "a": ["2-c"],
        "gone": ["1-x"],
        "no": [],
    }
    assert leaves(db, "a") == ["2-b"]
    with pytest.raises(NotFound):
        db.get("gone")
    assert db.revs_diff({"a": ["2-c"], "gone": ["1-x"]}) == {}
    replicate(db, write("a", "2-c", "1-a", v="c"), write("gone", "1-x"))
    assert leaves(db, "a") == ["2-b"]
    with pytest.raises(NotFound):
        db.get("gone")
    assert db.info().doc_count == 1


def test_conflicted_documents_are_listed_until_one_live_leaf_is_left(db: Database) -> None:
    replicate(db, write("a", "1-a"), write("b", "2-b", "1-x"), write("b", "2-c", "1-x"))
    assert db.conflicted() == ["b"]
    assert db.conflicted(after="b") == []
    replicate(db, write("b", "3-b", "2-b", "1-x", deleted=True))
    assert db.conflicted() == []


def test_counts_tell_live_and_deleted_documents_apart(db: Database) -> None:
    first = put(db, "a")
    put(db, "b")
    edit(db, write("a", first, deleted=True))
    info = db.info()
    assert (info.doc_count, info.doc_del_count) == (1, 1)
    put(db, "a")
    info = db.info()
    assert (info.doc_count, info.doc_del_count) == (2, 0)


def test_winners_come_in_order_with_deleted_ones_and_none_for_unknown(db: Database) -> None:
    first = put(db, "a")
    edit(db, write("a", first, deleted=True))
    put(db, "b", v=1)
    deleted, unknown, live = db.winners(["a", "no", "b"])
    assert deleted is not None
    assert deleted.deleted
    assert unknown is None
    assert live is not None
    assert body_of(live) == {"v": 1}


def test_a_write_says_whether_it_made_a_conflict(db: Database) -> None:
    def conflicting(*writes: RevisionWrite) -> list[bool]:
        return [result.conflicting for result in replicate(db, *writes)]

    assert conflicting(write("a", "1-a"), write("a", "2-b", "1-a")) == [False, False]
    assert conflicting(write("a", "2-c", "1-a")) == [True]
    assert conflicting(write("a", "2-c", "1-a"), write("a", "3-d", "2-c", "1-a")) == [False, False]
    assert conflicting(write("a", "2-e", "1-a", deleted=True)) == [False]
    assert conflicting(write("b", "1-a", deleted=True), write("b", "1-b")) == [False, False]
    assert [result.conflicting for result in edit(db, write("c"))] == [False]
