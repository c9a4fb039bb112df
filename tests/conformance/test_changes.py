"""`_changes` at rest: rows, sequences, filters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.wire import A, B, C, D, WireDatabase, param, revision


def ids(changes: Any) -> list[str]:
    return [row["id"] for row in changes["results"]]


def fill(db: WireDatabase, count: int) -> None:
    db.graft(*(revision(f"d{number:03}", A, n=number) for number in range(count)))


def test_rows_last_seq_and_pending(db: WireDatabase) -> None:
    fill(db, 3)
    changes = db.changes()
    assert ids(changes) == ["d000", "d001", "d002"]
    assert changes["results"][0]["changes"] == [{"rev": f"1-{A}"}]
    assert changes["last_seq"] == changes["results"][-1]["seq"]
    assert changes["pending"] == 0


def test_get_and_post_answer_the_same(db: WireDatabase) -> None:
    fill(db, 2)
    posted = db.post("/_changes", json={}).json()
    assert posted == db.changes()


def test_since_gives_what_came_after(db: WireDatabase) -> None:
    fill(db, 4)
    rows = db.changes()["results"]
    assert ids(db.changes(since=rows[1]["seq"])) == ["d002", "d003"]
    assert ids(db.changes(since="0")) == ids(db.changes())
    assert db.changes(since="now")["results"] == []
    assert db.changes(since=rows[-1]["seq"])["results"] == []


def test_a_document_stands_once_at_its_latest_change(db: WireDatabase) -> None:
    fill(db, 2)
    db.save("d000", _rev=f"1-{A}")
    assert ids(db.changes()) == ["d001", "d000"]


def test_the_query_wins_over_a_post_body(db: WireDatabase) -> None:
    fill(db, 3)
    assert len(db.post("/_changes?limit=1", json={"limit": 2}).json()["results"]) == 1


@pytest.mark.extension
def test_a_post_body_may_hold_the_parameters(db: WireDatabase) -> None:
    fill(db, 3)
    seq = db.changes()["results"][0]["seq"]
    assert ids(db.post("/_changes", json={"limit": 1, "since": seq}).json()) == ["d001"]


def test_a_post_body_may_be_empty(db: WireDatabase) -> None:
    db.save("d")
    response = db.post("/_changes", headers={"Content-Type": "application/json"})
    assert [row["id"] for row in response.json()["results"]] == ["d"]


def test_limit_leaves_the_rest_pending(db: WireDatabase) -> None:
    fill(db, 5)
    page = db.changes(limit=2)
    assert (ids(page), page["pending"]) == (["d000", "d001"], 3)
    page = db.changes(limit=2, since=page["last_seq"])
    assert (ids(page), page["pending"]) == (["d002", "d003"], 1)


@pytest.mark.extension
def test_limit_0_gives_no_rows_and_the_right_pending(db: WireDatabase) -> None:
    fill(db, 3)
    page = db.changes(limit=0)
    assert (page["results"], page["pending"]) == ([], 3)
    assert ids(db.changes(since=page["last_seq"])) == ["d000", "d001", "d002"]


def test_descending_begins_with_the_latest(db: WireDatabase) -> None:
    fill(db, 3)
    assert ids(db.changes(descending="true")) == ["d002", "d001", "d000"]
    assert ids(db.changes(descending="true", limit=1)) == ["d002"]


def test_style_tells_the_winner_or_every_leaf(db: WireDatabase) -> None:
    db.graft(revision("d", B, A), revision("d", C, A), revision("d", D, A, _deleted=True))
    (row,) = db.changes()["results"]
    assert row["changes"] == [{"rev": f"2-{C}"}]
    (row,) = db.changes(style="all_docs")["results"]
    assert row["changes"][0] == {"rev": f"2-{C}"}
    assert {change["rev"] for change in row["changes"]} == {f"2-{B}", f"2-{C}", f"2-{D}"}


def test_a_deleted_document_is_marked(db: WireDatabase) -> None:
    db.delete(f"/d?rev={db.save('d')}")
    (row,) = db.changes()["results"]
    assert row["deleted"] is True


def test_include_docs_adds_the_winner_with_conflicts_and_attachments(db: WireDatabase) -> None:
    attachment = {"a.txt": {"content_type": "text/plain", "data": "aGVsbG8="}}
    db.graft(revision("d", B, A, n=1), revision("d", C, A, n=2, _attachments=attachment))
    (row,) = db.changes(include_docs="true")["results"]
    assert (row["doc"]["n"], row["doc"]["_rev"]) == (2, f"2-{C}")
    assert row["doc"]["_attachments"]["a.txt"]["stub"] is True
    assert "_conflicts" not in row["doc"]
    (row,) = db.changes(include_docs="true", conflicts="true", attachments="true")["results"]
    assert row["doc"]["_conflicts"] == [f"2-{B}"]
    assert row["doc"]["_attachments"]["a.txt"]["data"] == "aGVsbG8="


def test_include_docs_of_a_tombstone_says_deleted(db: WireDatabase) -> None:
    db.delete(f"/d?rev={db.save('d', n=1)}")
    (row,) = db.changes(include_docs="true")["results"]
    assert row["doc"]["_deleted"] is True


def test_seq_interval_may_leave_sequences_out_between(db: WireDatabase) -> None:
    fill(db, 6)
    page = db.changes(seq_interval=3, limit=6)
    told = [row["seq"] is not None for row in page["results"]]
    assert told[2] and told[5]
    assert db.changes(since=page["last_seq"])["results"] == []


def test_filter_doc_ids_gives_those_named(db: WireDatabase) -> None:
    fill(db, 4)
    body = {"doc_ids": ["d001", "d003", "unknown"]}
    assert ids(db.post("/_changes?filter=_doc_ids", json=body).json()) == ["d001", "d003"]
    query = db.changes(filter="_doc_ids", doc_ids=param(["d002"]))
    assert ids(query) == ["d002"]


def test_filter_selector_gives_those_that_match(db: WireDatabase) -> None:
    fill(db, 6)
    body = {"selector": {"n": {"$gte": 4}}}
    assert ids(db.post("/_changes?filter=_selector", json=body).json()) == ["d004", "d005"]


def test_filter_design_gives_design_documents(db: WireDatabase) -> None:
    fill(db, 2)
    db.put("/_design/d", json={})
    assert ids(db.changes(filter="_design")) == ["_design/d"]


def test_last_seq_advances_past_rows_that_were_filtered_out(db: WireDatabase) -> None:
    fill(db, 5)
    latest = db.changes()["last_seq"]
    body: dict[str, Any] = {"selector": {"n": 1}}
    page = db.post("/_changes?filter=_selector", json=body).json()
    assert ids(page) == ["d001"]
    assert db.changes(since=page["last_seq"])["results"] == []
    page = db.post("/_changes?filter=_doc_ids", json={"doc_ids": ["d000"]}).json()
    assert page["last_seq"].partition("-")[0] == latest.partition("-")[0]


def test_a_filtered_page_with_a_limit_passes_nothing_over(db: WireDatabase) -> None:
    fill(db, 9)
    body: dict[str, Any] = {"selector": {"n": {"$mod": [2, 0]}}}
    seen: list[str] = []
    since = "0"
    while True:
        page = db.post(f"/_changes?filter=_selector&limit=2&since={since}", json=body).json()
        seen += ids(page)
        if not page["results"]:
            break
        since = page["last_seq"]
    assert seen == ["d000", "d002", "d004", "d006", "d008"]


@pytest.mark.extension
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("filter=_view&view=a/b", 400),
        ("filter=_selector", 400),
        ("filter=_doc_ids", 400),
        ("filter=_unknown", 400),
        ("filter=plain", 400),
        ("filter=app/by_commune", 404),
    ],
)
def test_filters_that_are_not_offered_say_so(db: WireDatabase, query: str, status: int) -> None:
    response = db.get("/_changes?" + query)
    assert response.status_code == status
    assert response.json()["reason"]


@pytest.mark.extension
@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "limit=1.5",
        "limit=99999999999999999999",
        "since=garbage",
        "since=-1",
        "heartbeat=0",
        "heartbeat=x",
        "timeout=x",
        "timeout=-5",
        "seq_interval=0",
        "feed=other",
        "style=other",
        "include_docs=1",
        "descending=yes",
        "filter=_doc_ids&doc_ids=[1]",
        "filter=_doc_ids&doc_ids={",
    ],
)
def test_a_parameter_that_cannot_be_is_400_in_every_feed(db: WireDatabase, query: str) -> None:
    feeds = [""] if query.startswith("feed") else ["", "&feed=longpoll", "&feed=continuous"]
    for feed in feeds:
        response = db.get(f"/_changes?{query}{feed}")
        assert response.status_code == 400, query + feed
        assert response.json()["reason"]


@pytest.mark.extension
def test_a_sequence_of_another_epoch_counts_as_the_beginning(db: WireDatabase) -> None:
    fill(db, 2)
    assert ids(db.changes(since="2-otherepoch")) == ["d000", "d001"]


@pytest.mark.extension
def test_a_sequence_quoted_as_json_is_understood(db: WireDatabase) -> None:
    fill(db, 2)
    seq = db.changes()["results"][0]["seq"]
    assert ids(db.changes(since=param(seq))) == ["d001"]


@pytest.mark.extension
def test_a_feed_longer_than_a_page_is_whole(db: WireDatabase) -> None:
    count = 5100
    db.graft(*({"_id": f"d{number:05}", "_rev": f"1-{A}"} for number in range(count)))
    page = db.changes()
    assert ids(page) == [f"d{number:05}" for number in range(count)]
    assert page["pending"] == 0
    assert len({row["seq"] for row in page["results"]}) == count
    assert len(db.changes(include_docs="true", limit=1200)["results"]) == 1200


SELECTED = {
    "type": "household",
    "age": 41,
    "tags": ["rice", "hens"],
    "head": {"name": "Sok", "sex": "f"},
    "none": None,
    "visits": [{"n": 1}, {"n": 5}],
    "a.b": 1,
}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"type": "household"}, True),
        ({"type": "household", "age": {"$gt": 41}}, False),
        ({"age": {"$gte": 41, "$lt": 42}}, True),
        ({"age": {"$lte": 40}}, False),
        ({"age": {"$ne": 40}}, True),
        ({"missing": {"$ne": 40}}, False),
        ({"missing": {"$exists": False}}, True),
        ({"none": {"$exists": True}}, True),
        ({"none": None}, True),
        ({"head.name": "Sok"}, True),
        ({"head": {"sex": {"$in": ["m", "f"]}}}, True),
        ({"age": {"$nin": [41]}}, False),
        ({"tags": {"$all": ["hens", "rice"]}}, True),
        ({"tags": {"$size": 2}}, True),
        ({"tags": {"$elemMatch": {"$eq": "hens"}}}, True),
        ({"visits": {"$elemMatch": {"n": {"$gt": 4}}}}, True),
        ({"visits": {"$allMatch": {"n": {"$gt": 4}}}}, False),
        ({"$or": [{"age": 1}, {"type": "household"}]}, True),
        ({"$and": [{"age": 41}, {"type": "x"}]}, False),
        ({"$nor": [{"age": 1}, {"type": "x"}]}, True),
        ({"$not": {"age": 41}}, False),
        ({"age": {"$not": {"$gt": 50}}}, True),
        ({"age": {"$mod": [10, 1]}}, True),
        ({"age": {"$type": "number"}}, True),
        ({"age": {"$type": "string"}}, False),
        ({"type": {"$regex": "^house"}}, True),
        ({"age": True}, False),
        ({"a\\.b": 1}, True),
        ({"_id": "d"}, True),
    ],
)
def test_selectors_mean_what_mango_means(
    db: WireDatabase, selector: dict[str, Any], matches: bool
) -> None:
    db.save("d", **SELECTED)
    page = db.post("/_changes?filter=_selector", json={"selector": selector})
    assert page.status_code == 200, page.text
    assert bool(page.json()["results"]) is matches


@pytest.mark.parametrize(
    "selector",
    [
        [],
        5,
        {"a": {"$unknown": 1}},
        {"$and": {}},
        {"a": {"$in": 1}},
        {"a": {"$size": "x"}},
        {"a": {"$mod": [0, 1]}},
        {"a": {"$type": "x"}},
        {"a": {"$regex": "("}},
    ],
)
def test_a_selector_that_means_nothing_is_400(db: WireDatabase, selector: object) -> None:
    response = db.post("/_changes?filter=_selector", json={"selector": selector})
    assert response.status_code == 400, response.text
