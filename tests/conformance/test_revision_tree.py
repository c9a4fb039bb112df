"""Which revision wins, and what is kept of a long history."""

from __future__ import annotations

import pytest

from tests.conformance.wire import A, B, C, D, WireDatabase, revision


def test_a_live_revision_wins_over_a_longer_deleted_one(db: WireDatabase) -> None:
    db.graft(revision("d", C, B, A, _deleted=True), revision("d", D, A))
    assert db.json("/d")["_rev"] == f"2-{D}"


def test_a_higher_generation_wins_over_a_higher_id(db: WireDatabase) -> None:
    db.graft(revision("d", D), revision("d", B, A))
    assert db.json("/d")["_rev"] == f"2-{B}"


def test_among_equal_generations_the_higher_id_wins(db: WireDatabase) -> None:
    db.graft(revision("d", C), revision("d", D), revision("d", B))
    assert db.json("/d")["_rev"] == f"1-{D}"


def test_with_every_leaf_deleted_the_document_is_deleted(db: WireDatabase) -> None:
    db.graft(revision("d", B, A, _deleted=True), revision("d", C, A, _deleted=True))
    assert db.get("/d").status_code == 404
    assert db.changes()["results"][0]["changes"] == [{"rev": f"2-{C}"}]


def test_revisions_come_in_any_order_to_the_same_tree(db: WireDatabase) -> None:
    revisions = [revision("d", C, B, A), revision("d", D, A), revision("d", B, A)]
    for number, order in enumerate(([0, 1, 2], [2, 1, 0], [1, 2, 0])):
        name = f"d{number}"
        for position in order:
            db.graft({**revisions[position], "_id": name})
        assert db.leaves(name) == [f"3-{C}", f"2-{D}"]


def test_upper_case_hex_is_taken_as_lower_case(db: WireDatabase) -> None:
    db.graft(revision("d", B.upper(), A.upper()))
    assert db.json("/d", revs="true")["_revisions"]["ids"] == [B, A]
    assert db.json("/d", rev=f"2-{B.upper()}")["_rev"] == f"2-{B}"


@pytest.mark.extension
def test_stemming_keeps_every_leaf(db: WireDatabase) -> None:
    db.put("/_revs_limit", data="3")
    path = [f"{number:032x}" for number in range(9, 0, -1)]
    db.graft(revision("d", *path), revision("d", D, *path[3:]))
    kept = db.json("/d", revs="true", rev=f"9-{path[0]}")["_revisions"]
    assert kept == {"start": 9, "ids": path[:3]}
    assert set(db.leaves("d")) == {f"9-{path[0]}", f"7-{D}"}


def test_the_revs_limit_is_1000_at_first(db: WireDatabase) -> None:
    path = [f"{number:032x}" for number in range(1005, 0, -1)]
    db.graft(revision("d", *path))
    kept = db.json("/d", revs="true")["_revisions"]
    assert (kept["start"], len(kept["ids"])) == (1005, 1000)
