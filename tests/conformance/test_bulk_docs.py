"""`_bulk_docs`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import MEMBERS_DATABASE
from tests.conformance.wire import A, B, C, Wire, WireDatabase, fresh_name, revision


def bulk(db: WireDatabase, *docs: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    response = db.post("/_bulk_docs", json={"docs": docs, **more})
    assert response.status_code == 201, response.text
    rows: list[dict[str, Any]] = response.json()
    return rows


def test_with_new_edits_there_is_a_row_per_document_in_order(db: WireDatabase) -> None:
    rows = bulk(db, {"_id": "b"}, {"_id": "a", "n": 1}, {"_id": "c"})
    assert [row["id"] for row in rows] == ["b", "a", "c"]
    assert all(row["ok"] is True and row["rev"].startswith("1-") for row in rows)


def test_a_document_without_an_id_gets_one(db: WireDatabase) -> None:
    (row,) = bulk(db, {"n": 1})
    assert db.json("/" + row["id"])["n"] == 1


def test_a_conflict_is_a_row_and_the_others_are_stored(db: WireDatabase) -> None:
    db.save("taken")
    rows = bulk(db, {"_id": "free"}, {"_id": "taken"}, {"_id": "free-too"})
    assert [row.get("error") for row in rows] == [None, "conflict", None]
    assert rows[1]["id"] == "taken" and rows[1]["reason"]


def test_a_deletion_among_them_leaves_a_tombstone(db: WireDatabase) -> None:
    rev = db.save("d")
    bulk(db, {"_id": "d", "_rev": rev, "_deleted": True})
    assert db.get("/d").json()["reason"] == "deleted"


def test_without_new_edits_nothing_wrong_is_an_empty_list(db: WireDatabase) -> None:
    assert bulk(db, revision("d", B, A), revision("e", A), new_edits=False) == []
    assert db.json("/d")["_rev"] == f"2-{B}"


def test_duplicates_and_inner_revisions_are_success(db: WireDatabase) -> None:
    newest, older = revision("d", C, B, A), revision("d", B, A)
    for _ in range(2):
        assert bulk(db, newest, older, newest, new_edits=False) == []
    assert db.leaves("d") == [f"3-{C}"]
    assert len(db.changes()["results"]) == 1


def test_without_new_edits_there_is_never_a_conflict(db: WireDatabase) -> None:
    assert bulk(db, revision("d", A, n=1), new_edits=False) == []
    assert bulk(db, revision("d", B, n=2), new_edits=False) == []
    assert sorted(db.leaves("d")) == [f"1-{A}", f"1-{B}"]


def test_a_revision_alone_stands_for_its_ancestry(db: WireDatabase) -> None:
    assert bulk(db, {"_id": "d", "_rev": f"1-{A}"}, new_edits=False) == []
    assert db.leaves("d") == [f"1-{A}"]


@pytest.mark.extension
def test_a_document_without_a_revision_is_400_without_new_edits(db: WireDatabase) -> None:
    docs = [revision("good", A), {"_id": "bad"}]
    response = db.post("/_bulk_docs", json={"docs": docs, "new_edits": False})
    assert response.status_code == 400
    assert db.get("/good").status_code == 404


@pytest.mark.extension
@pytest.mark.parametrize(
    "broken",
    [
        {"_rev": "x"},
        {"_rev": "0-a"},
        {"_rev": "-1-a"},
        {"_rev": "1-"},
        {"_rev": 1},
        {"_rev": '1-a"b'},
        {"_rev": f"1-{A}", "_revisions": {"start": 2, "ids": ["b", "a"]}},
        {"_revisions": {"start": 1, "ids": []}},
        {"_revisions": {"start": 1, "ids": ["b", "a"]}},
        {"_revisions": {"start": "1", "ids": ["a"]}},
        {"_revisions": {"start": 1, "ids": [1]}},
        {"_revisions": {"start": True, "ids": ["a"]}},
        {"_revisions": []},
        {"_rev": "1-a", "_deleted": "yes"},
        {"_rev": "1-a", "_attachments": []},
        {"_rev": "1-a", "_attachments": {"a": 1}},
        {"_rev": "1-a", "_attachments": {"a": {}}},
        {"_rev": "1-a", "_attachments": {"a": {"data": 1}}},
        {"_rev": "1-a", "_attachments": {"a": {"data": "?"}}},
        {"_rev": "1-a", "_attachments": {"a": {"data": "", "content_type": 1}}},
        {"_rev": "1-a", "_attachments": {"a": {"data": "", "revpos": "1"}}},
        {"_rev": "1-a", "_attachments": {"_a": {"data": ""}}},
        {"_rev": "1-a", "_attachments": {"": {"data": ""}}},
        {"_rev": "1-a", "_attachments": {"a": {"follows": True}}},
        {"_rev": "1-a", "_unknown": 1},
        {"_id": "", "_rev": "1-a"},
        {"_id": 5, "_rev": "1-a"},
        {"_id": "_design/", "_rev": "1-a"},
        {"_id": "x" * 2000, "_rev": "1-a"},
    ],
)
def test_a_broken_document_refuses_the_batch_and_nothing_is_stored(
    db: WireDatabase, broken: dict[str, Any]
) -> None:
    docs = [revision("good", A), {"_id": "bad", **broken}]
    response = db.post("/_bulk_docs", json={"docs": docs, "new_edits": False})
    assert response.status_code == 400, response.text
    assert response.json()["reason"]
    assert db.changes()["results"] == []


@pytest.mark.parametrize(
    "body", [{}, {"docs": {}}, {"docs": 5}, {"docs": [5]}, {"docs": [], "new_edits": "no"}, []]
)
def test_a_payload_of_another_shape_is_400(db: WireDatabase, body: object) -> None:
    assert db.post("/_bulk_docs", json=body).status_code == 400


def test_no_documents_is_no_rows(db: WireDatabase) -> None:
    assert bulk(db) == []
    assert bulk(db, new_edits=False) == []


@pytest.mark.extension
def test_a_permanent_refusal_is_forbidden_in_its_row(member: Wire) -> None:
    db = WireDatabase(member, MEMBERS_DATABASE)
    plain = f"household:{fresh_name()}"
    docs = [revision("_design/app", A), revision(plain, A, type="household")]
    (row,) = bulk(db, *docs, new_edits=False)
    assert (row["id"], row["rev"], row["error"]) == ("_design/app", f"1-{A}", "forbidden")
    assert row["reason"]
    assert db.get("/" + plain).status_code == 200
    assert db.get("/_design/app").status_code == 404
    assert db.put("/_design/app", json={}).status_code == 403


def test_admins_may_write_design_documents_as_data(db: WireDatabase) -> None:
    design = {"views": {"v": {"map": "function (doc) { emit(1) }"}}}
    assert bulk(db, {"_id": "_design/app", **design})[0]["ok"] is True
    assert db.json("/_design/app")["views"] == design["views"]
