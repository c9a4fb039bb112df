"""`_all_docs`, `_design_docs`, `_find`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.wire import A, B, WireDatabase, param, revision


@pytest.fixture
def filled(db: WireDatabase) -> WireDatabase:
    db.graft(*(revision(name, A, n=number) for number, name in enumerate("abcde")))
    db.graft(revision("gone", B, A, _deleted=True))
    return db


def keys(page: Any) -> list[str]:
    return [row["key"] for row in page["rows"]]


def test_ids_in_order_without_deleted_documents(filled: WireDatabase) -> None:
    page = filled.json("/_all_docs")
    assert page["total_rows"] == 5
    assert page["rows"][0] == {"id": "a", "key": "a", "value": {"rev": f"1-{A}"}}
    assert keys(page) == list("abcde")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"startkey": param("b"), "endkey": param("d")}, "bcd"),
        ({"startkey": param("b"), "endkey": param("d"), "inclusive_end": "false"}, "bc"),
        ({"start_key": param("d")}, "de"),
        ({"key": param("c")}, "c"),
        ({"limit": 2}, "ab"),
        ({"limit": 2, "skip": 3}, "de"),
        ({"limit": 0}, ""),
        ({"descending": "true"}, "edcba"),
        ({"descending": "true", "startkey": param("d"), "endkey": param("b")}, "dcb"),
    ],
)
def test_ranges_and_pages(filled: WireDatabase, params: dict[str, Any], expected: str) -> None:
    assert keys(filled.json("/_all_docs", **params)) == list(expected)


def test_include_docs_adds_the_winner(filled: WireDatabase) -> None:
    filled.graft(revision("c", B, n=9))
    page = filled.json("/_all_docs", include_docs="true", conflicts="true", key=param("c"))
    assert page["rows"][0]["doc"]["n"] == 9
    assert page["rows"][0]["doc"]["_conflicts"] == [f"1-{A}"]


def test_keys_answer_one_row_per_key_in_their_order(filled: WireDatabase) -> None:
    page = filled.post("/_all_docs", json={"keys": ["d", "gone", "unknown", "a"]}).json()
    assert keys(page) == ["d", "gone", "unknown", "a"]
    assert page["rows"][1]["value"] == {"rev": f"2-{B}", "deleted": True}
    assert page["rows"][2] == {"key": "unknown", "error": "not_found"}
    assert keys(filled.json("/_all_docs", keys=param(["b"]))) == ["b"]


def test_keys_with_include_docs_is_how_couchbase_lite_pulls(filled: WireDatabase) -> None:
    response = filled.post("/_all_docs?include_docs=true", json={"keys": ["b", "gone", "x"]})
    rows = response.json()["rows"]
    assert rows[0]["doc"]["n"] == 1
    assert rows[1]["doc"] is None
    assert rows[2]["error"] == "not_found"


def test_update_seq_is_told_where_asked(filled: WireDatabase) -> None:
    assert filled.json("/_all_docs", update_seq="true")["update_seq"]
    assert "update_seq" not in filled.json("/_all_docs")


def test_design_docs_lists_those_alone(filled: WireDatabase) -> None:
    filled.put("/_design/x", json={})
    for order in ("", "?descending=false", "?descending=true"):
        assert keys(filled.json("/_design_docs" + order)) == ["_design/x"]
    assert "_design/x" in keys(filled.json("/_all_docs"))


def test_several_queries_are_answered_at_once(filled: WireDatabase) -> None:
    body = {"queries": [{"limit": 1}, {"keys": ["e"]}]}
    results = filled.post("/_all_docs/queries", json=body).json()["results"]
    assert [keys(page) for page in results] == [["a"], ["e"]]


@pytest.mark.extension
@pytest.mark.parametrize(
    "query",
    ["limit=x", "skip=-1", "startkey=a", "startkey=5", "keys=5", "include_docs=1", "keys={"],
)
def test_a_parameter_that_cannot_be_is_400(db: WireDatabase, query: str) -> None:
    assert db.get("/_all_docs?" + query).status_code == 400


def test_a_range_longer_than_a_page_is_whole(db: WireDatabase) -> None:
    ids = [f"d{n:05}" for n in range(10_400)]
    for start in range(0, len(ids), 2_600):
        docs = [{"_id": doc_id} for doc_id in ids[start : start + 2_600]]
        assert db.post("/_bulk_docs", json={"docs": docs}).status_code == 201
    assert keys(db.json("/_all_docs")) == ids
    assert keys(db.json("/_all_docs", descending="true", skip=7)) == ids[::-1][7:]
    assert keys(db.json("/_all_docs", startkey=param("d00003"), limit=7_000)) == ids[3:7_003]
    assert keys(db.json("/_all_docs", endkey=param(ids[9_999]), limit=10_000)) == ids[:10_000]
    answer = db.post("/_all_docs", json={"keys": ids[::-1] + ["none"]}).json()
    assert [row["key"] for row in answer["rows"]] == [*ids[::-1], "none"]
    answer = db.json("/_all_docs", include_docs="true")
    assert [row["doc"]["_id"] for row in answer["rows"]] == ids


def find(db: WireDatabase, **query: Any) -> Any:
    response = db.post("/_find", json=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_find_gives_documents_that_match(filled: WireDatabase) -> None:
    filled.put("/_design/x", json={"n": 3})
    answer = find(filled, selector={"n": {"$gte": 3}})
    assert [doc["_id"] for doc in answer["docs"]] == ["d", "e"]
    assert find(filled, selector={"_id": "b"}, fields=["n"])["docs"] == [{"n": 1}]


def test_find_goes_on_at_its_bookmark(filled: WireDatabase) -> None:
    seen: list[str] = []
    bookmark = None
    while True:
        answer = find(filled, selector={"n": {"$gte": 0}}, limit=2, bookmark=bookmark)
        if not answer["docs"]:
            break
        seen += [doc["_id"] for doc in answer["docs"]]
        bookmark = answer["bookmark"]
    assert seen == list("abcde")


def test_find_sorts_by_id(filled: WireDatabase) -> None:
    answer = find(filled, selector={"_id": {"$gt": None}}, sort=[{"_id": "desc"}], limit=2)
    assert [doc["_id"] for doc in answer["docs"]] == ["e", "d"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"selector": 5},
        {"selector": {}, "limit": "x"},
        {"selector": {}, "fields": 5},
        {"selector": {}, "sort": ["unindexed"]},
        {"selector": {"a": {"$what": 1}}},
    ],
)
def test_a_query_that_means_nothing_is_400(db: WireDatabase, query: dict[str, Any]) -> None:
    assert db.post("/_find", json=query).status_code == 400


def test_the_index_on_ids_is_listed(db: WireDatabase) -> None:
    (index,) = db.json("/_index")["indexes"]
    assert (index["name"], index["type"]) == ("_all_docs", "special")
    assert index["def"] == {"fields": [{"_id": "asc"}]}


@pytest.mark.extension
def test_no_other_index_is_offered(db: WireDatabase) -> None:
    assert db.post("/_index", json={"index": {"fields": ["n"]}}).status_code == 501
