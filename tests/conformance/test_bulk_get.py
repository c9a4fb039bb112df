"""`_bulk_get`: many revisions in one answer."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.conformance.multipart_reader import read_multipart
from tests.conformance.wire import A, B, C, WireDatabase, revision

TEXT = {"a.txt": {"content_type": "image/png", "data": base64.b64encode(b"hello").decode()}}


def bulk_get(db: WireDatabase, *items: dict[str, Any], **params: str) -> list[Any]:
    response = db.post("/_bulk_get", params=params, json={"docs": items})
    assert response.status_code == 200, response.text
    results: list[Any] = response.json()["results"]
    return results


def test_results_stand_in_the_order_and_number_of_the_request(db: WireDatabase) -> None:
    db.graft(revision("a", A, n=1), revision("b", B, n=2))
    asked = [("b", f"1-{B}"), ("a", f"1-{A}"), ("b", f"1-{B}")]
    results = bulk_get(db, *({"id": doc_id, "rev": rev} for doc_id, rev in asked))
    assert [result["id"] for result in results] == ["b", "a", "b"]
    assert [len(result["docs"]) for result in results] == [1, 1, 1]
    assert [result["docs"][0]["ok"]["n"] for result in results] == [2, 1, 2]


def test_a_revision_that_is_not_here_is_an_error_in_its_place(db: WireDatabase) -> None:
    db.graft(revision("a", A))
    results = bulk_get(
        db, {"id": "a", "rev": f"1-{B}"}, {"id": "a", "rev": f"1-{A}"}, {"id": "x", "rev": "1-c"}
    )
    error = results[0]["docs"][0]["error"]
    assert (error["id"], error["rev"]) == ("a", f"1-{B}")
    assert (error["error"], error["reason"]) == ("not_found", "missing")
    assert results[1]["docs"][0]["ok"]["_id"] == "a"
    assert results[2]["docs"][0]["error"]["error"] == "not_found"


@pytest.mark.extension
def test_a_malformed_item_is_an_error_in_its_place(db: WireDatabase) -> None:
    db.graft(revision("a", A))
    items: list[Any] = [5, {}, {"id": 7}, {"id": "a", "rev": "x"}, {"id": "a", "rev": f"1-{A}"}]
    results = db.post("/_bulk_get", json={"docs": items}).json()["results"]
    assert ["error" in result["docs"][0] for result in results] == [True] * 4 + [False]


def test_revs_tells_the_ancestry(db: WireDatabase) -> None:
    db.graft(revision("d", C, B, A))
    (result,) = bulk_get(db, {"id": "d", "rev": f"3-{C}"}, revs="true")
    assert result["docs"][0]["ok"]["_revisions"] == {"start": 3, "ids": [C, B, A]}
    (result,) = bulk_get(db, {"id": "d", "rev": f"3-{C}"})
    assert "_revisions" not in result["docs"][0]["ok"]


def test_latest_gives_the_leaf_that_came_of_a_revision(db: WireDatabase) -> None:
    db.graft(revision("d", A), revision("d", B, A))
    (result,) = bulk_get(db, {"id": "d", "rev": f"1-{A}"}, latest="true")
    assert result["docs"][0]["ok"]["_rev"] == f"2-{B}"


def test_without_a_revision_every_leaf_comes(db: WireDatabase) -> None:
    db.graft(revision("d", B, A), revision("d", C, A))
    (result,) = bulk_get(db, {"id": "d"})
    assert {doc["ok"]["_rev"] for doc in result["docs"]} == {f"2-{B}", f"2-{C}"}


def test_attachments_come_inline_where_asked(db: WireDatabase) -> None:
    db.graft(revision("d", A, _attachments=TEXT))
    item = {"id": "d", "rev": f"1-{A}"}
    stub = bulk_get(db, item)[0]["docs"][0]["ok"]["_attachments"]["a.txt"]
    assert stub["stub"] is True and "data" not in stub
    whole = bulk_get(db, item, attachments="true")[0]["docs"][0]["ok"]["_attachments"]["a.txt"]
    assert base64.b64decode(whole["data"]) == b"hello" and "stub" not in whole


@pytest.mark.extension
def test_atts_since_gives_contents_that_are_newer(db: WireDatabase) -> None:
    db.graft(revision("d", A, _attachments=TEXT))
    stub = {"a.txt": {"stub": True, "revpos": 1}}
    later = {"b.txt": {"data": base64.b64encode(b"new").decode()}}
    db.graft(revision("d", B, A, _attachments={**stub, **later}))
    item = {"id": "d", "rev": f"2-{B}", "atts_since": [f"1-{A}"]}
    attachments = bulk_get(db, item)[0]["docs"][0]["ok"]["_attachments"]
    assert attachments["a.txt"]["stub"] is True
    assert "data" in attachments["b.txt"]


def test_a_tombstone_comes_as_a_document(db: WireDatabase) -> None:
    db.graft(revision("d", B, A, _deleted=True))
    (result,) = bulk_get(db, {"id": "d", "rev": f"2-{B}"})
    assert result["docs"][0]["ok"]["_deleted"] is True


def test_get_is_405(db: WireDatabase) -> None:
    response = db.get("/_bulk_get")
    assert response.status_code == 405
    assert response.json()["error"] == "method_not_allowed"


def test_no_docs_is_400(db: WireDatabase) -> None:
    assert db.post("/_bulk_get", json={}).status_code == 400
    assert bulk_get(db) == []


@pytest.mark.parametrize("accept", ["multipart/mixed", "multipart/related"])
def test_multipart_comes_where_accept_asks(db: WireDatabase, accept: str) -> None:
    db.graft(revision("plain", A), revision("photo", B, _attachments=TEXT))
    items = [
        {"id": "plain", "rev": f"1-{A}"},
        {"id": "photo", "rev": f"1-{B}"},
        {"id": "gone", "rev": f"1-{C}"},
    ]
    response = db.post(
        "/_bulk_get?revs=true&attachments=true", json={"docs": items}, headers={"Accept": accept}
    )
    plain, photo, gone = read_multipart(response.headers["Content-Type"], response.content)
    assert plain.json()["_id"] == "plain"
    assert photo.headers["x-doc-id"] == "photo"
    assert photo.headers["x-rev-id"] == f"1-{B}"
    document, content = photo.parts()
    assert document.json()["_attachments"]["a.txt"]["follows"] is True
    assert content.content == b"hello"
    assert gone.headers["content-type"] == 'application/json; error="true"'
    assert gone.json()["error"] == "not_found"


@pytest.mark.extension
def test_accept_of_anything_gets_json(db: WireDatabase) -> None:
    response = db.post("/_bulk_get", json={"docs": []}, headers={"Accept": "*/*"})
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"results": []}


@pytest.mark.extension
def test_a_stored_body_comes_back_as_it_was_sent(db: WireDatabase) -> None:
    body = f'{{"_id":"d","_rev":"1-{A}","z":1,"a":[1.0,-0.5,1e-7,"ខ្មែរ\u2028\\"\\\\"],"":{{}}}}'
    docs = f'{{"docs":[{body}],"new_edits":false}}'
    db.post("/_bulk_docs", data=docs.encode(), headers={"Content-Type": "application/json"})
    response = db.post("/_bulk_get", json={"docs": [{"id": "d", "rev": f"1-{A}"}]})
    assert body.encode() in response.content
