"""`_local` documents: checkpoints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import MEMBERS_DATABASE
from tests.conformance.wire import Wire, WireDatabase

BODIES = [
    {"last_seq": "12-abc", "session_id": "x", "history": [{"last_seq": 12, "n": None}]},
    {"last_seq": 0, "float": 1.5, "whole": 10000000000000000, "yes": True, "none": None},
    {"nested": {"a": [[], {}, [1, "1", 1.25]]}, "text": 'ខ្មែរ \u2028 \\ " \u0001'},
    {},
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_round_trip_with_exact_json_types(db: WireDatabase, body: dict[str, Any]) -> None:
    assert db.put("/_local/mark", json=body).status_code == 201
    stored = db.json("/_local/mark")
    assert stored == {"_id": "_local/mark", "_rev": "0-1", **body}
    assert [type(value) for value in stored.values()][2:] == [type(v) for v in body.values()]


@pytest.mark.extension
def test_a_whole_float_stays_a_float(db: WireDatabase) -> None:
    db.put("/_local/mark", data='{"n":1.0}')
    assert b'"n":1.0' in db.get("/_local/mark").content


def test_the_new_revision_is_one_above_the_one_that_was_sent(db: WireDatabase) -> None:
    assert db.put("/_local/mark", json={}).json()["rev"] == "0-1"
    assert db.put("/_local/mark", json={"_rev": "0-1"}).json()["rev"] == "0-2"
    assert db.json("/_local/mark")["_rev"] == "0-2"


@pytest.mark.extension
def test_the_revision_may_stand_in_the_query(db: WireDatabase) -> None:
    assert db.put("/_local/c?rev=0-4", json={}).json()["rev"] == "0-5"


def test_the_last_write_wins_whatever_revision_it_names(db: WireDatabase) -> None:
    db.put("/_local/mark", json={"n": 1})
    db.put("/_local/mark", json={"n": 2, "_rev": "0-1"})
    assert db.put("/_local/mark", json={"n": 3, "_rev": "0-7"}).json()["rev"] == "0-8"
    assert db.put("/_local/mark", json={"n": 4}).json()["rev"] == "0-1"
    assert db.json("/_local/mark")["n"] == 4


def test_delete_answers_0_0_and_then_it_is_gone(db: WireDatabase) -> None:
    db.put("/_local/mark", json={})
    response = db.delete("/_local/mark?rev=0-1")
    assert (response.status_code, response.json()["rev"]) == (200, "0-0")
    assert db.get("/_local/mark").status_code == 404
    assert db.delete("/_local/mark").status_code == 404


@pytest.mark.extension
def test_revisions_are_not_kept(db: WireDatabase) -> None:
    db.put("/_local/mark", json={"_revisions": {"start": 0, "ids": ["1"]}, "n": 1})
    assert db.json("/_local/mark") == {"_id": "_local/mark", "_rev": "0-1", "n": 1}


def test_attachments_on_them_are_400(db: WireDatabase) -> None:
    db.put("/_local/mark", json={})
    assert db.put("/_local/mark/a.txt", data=b"x").status_code == 400
    assert db.get("/_local/mark/a.txt").status_code == 400


@pytest.mark.extension
def test_attachments_inside_them_are_400(db: WireDatabase) -> None:
    body = {"_attachments": {"a": {"data": "eA=="}}}
    assert db.put("/_local/mark", json=body).status_code == 400


@pytest.mark.parametrize("path", ["/_local", "/_local/"])
def test_one_without_an_id_is_400(db: WireDatabase, path: str) -> None:
    assert db.get(path).status_code == 400


@pytest.mark.extension
@pytest.mark.parametrize("rev", ["1-abc", "x", 5, "0-x", "0-99999999999999999999"])
def test_a_revision_that_is_no_0_n_is_400(db: WireDatabase, rev: object) -> None:
    assert db.put("/_local/mark", json={"_rev": rev}).status_code == 400
    assert db.get("/_local/mark").status_code == 404


def test_they_are_in_no_feed_and_no_count(db: WireDatabase) -> None:
    db.put("/_local/mark", json={})
    assert db.changes()["results"] == []
    assert db.json("/_all_docs")["rows"] == []
    assert db.json()["doc_count"] == 0


def test_local_docs_lists_them(db: WireDatabase) -> None:
    db.put("/_local/b", json={"n": 2})
    db.put("/_local/a", json={"n": 1})
    rows = db.json("/_local_docs", include_docs="true")["rows"]
    assert [row["id"] for row in rows] == ["_local/a", "_local/b"]
    assert rows[0]["doc"]["n"] == 1


@pytest.mark.extension
def test_each_account_has_its_own(wire: Wire, member: Wire) -> None:
    path = f"/{MEMBERS_DATABASE}/_local/shared-name"
    wire.put(path, json={"whose": "admin"})
    assert member.get(path).status_code == 404
    member.put(path, json={"whose": "cew"})
    assert wire.get(path).json()["whose"] == "admin"
    rows = member.get(f"/{MEMBERS_DATABASE}/_local_docs").json()["rows"]
    assert [row["id"] for row in rows] == ["_local/shared-name"]


@pytest.mark.extension
def test_each_device_has_its_own(wire: Wire, member: Wire, server: Any) -> None:
    printed = server.command("account", "token", "cew", "tablet-7")
    token = next(word for word in printed.split() if len(word) > 30)
    tablet = Wire(wire.root, ("cew", token))
    path = f"/{MEMBERS_DATABASE}/_local/per-device"
    member.put(path, json={"whose": "password"})
    assert tablet.get(path).status_code == 404
    assert tablet.put(path, json={"whose": "tablet"}).status_code == 201
    assert member.get(path).json()["whose"] == "password"


@pytest.mark.extension
def test_they_are_taken_among_bulk_docs(db: WireDatabase) -> None:
    docs = [{"_id": "_local/mark", "n": 1}, {"_id": "plain"}]
    rows = db.post("/_bulk_docs", json={"docs": docs}).json()
    assert [row["id"] for row in rows] == ["_local/mark", "plain"]
    assert rows[0]["rev"] == "0-1"
    assert db.json("/_local/mark")["n"] == 1
