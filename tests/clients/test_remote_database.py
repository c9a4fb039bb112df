"""PouchDB works on a server's database directly, as a script or an online page does."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from sync_server.demo.tablet import Remote, Tablet, TabletError
from tests.clients.photos import photo

MakeTablet = Callable[..., Tablet]
Call = Callable[..., Any]


@pytest.fixture(params=[9, 7])
def call(tablet: MakeTablet, remote: Remote, request: pytest.FixtureRequest) -> Call:
    """`call("put", {...})` runs PouchDB's `put` against the server."""
    one = tablet(request.param)
    return lambda method, *arguments: one.remote_call(remote, method, *arguments)


def test_a_document_lives_from_put_to_remove(call: Call) -> None:
    first = call("put", {"_id": "household:1", "members_total": 4})["rev"]
    second = call("put", {"_id": "household:1", "_rev": first, "members_total": 5})["rev"]
    assert call("get", "household:1") == {
        "_id": "household:1",
        "_rev": second,
        "members_total": 5,
    }
    assert call("get", "household:1", {"rev": first})["members_total"] == 4
    third = call("remove", "household:1", second)["rev"]
    assert third.startswith("3-")
    with pytest.raises(TabletError) as caught:
        call("get", "household:1")
    assert (caught.value.status, caught.value.reason) == (404, "deleted")


def test_an_edit_of_an_old_revision_is_a_conflict(call: Call) -> None:
    first = call("put", {"_id": "household:1"})["rev"]
    call("put", {"_id": "household:1", "_rev": first})
    with pytest.raises(TabletError) as caught:
        call("put", {"_id": "household:1", "_rev": first})
    assert (caught.value.status, caught.value.name) == (409, "conflict")


def test_bulk_docs_answers_row_by_row(call: Call) -> None:
    call("put", {"_id": "household:1"})
    rows = call("bulkDocs", [{"_id": "household:1"}, {"_id": "household:2"}])
    assert [row.get("ok") for row in rows] == [None, True]
    assert (rows[0]["status"], rows[0]["id"]) == (409, "household:1")


def test_all_docs_lists_in_order_and_within_a_range(call: Call) -> None:
    call("bulkDocs", [{"_id": f"household:{n}", "n": n} for n in (3, 1, 2)])
    call("bulkDocs", [{"_id": "proposal:1"}])
    rows = call("allDocs", {"startkey": "household:", "endkey": "household:\uffff"})["rows"]
    assert [row["id"] for row in rows] == ["household:1", "household:2", "household:3"]
    wanted = ["proposal:1", "nowhere", "household:2"]
    rows = call("allDocs", {"keys": wanted, "include_docs": True})["rows"]
    assert [row["key"] for row in rows] == wanted
    assert [row.get("error") for row in rows] == [None, "not_found", None]
    assert rows[2]["doc"]["n"] == 2


def test_an_attachment_is_put_read_and_removed(call: Call) -> None:
    data = photo(30_000)
    encoded = base64.b64encode(data).decode()
    rev = call("putAttachment", "household:1", "dir/a b.jpg", encoded, "image/jpeg")["rev"]
    assert base64.b64decode(call("getAttachment", "household:1", "dir/a b.jpg")) == data
    inline = call("get", "household:1", {"attachments": True})["_attachments"]["dir/a b.jpg"]
    assert (inline["data"], inline["content_type"]) == (encoded, "image/jpeg")
    call("removeAttachment", "household:1", "dir/a b.jpg", rev)
    assert "_attachments" not in call("get", "household:1")


def test_changes_can_be_read_backwards_in_part_and_with_documents(call: Call) -> None:
    call("bulkDocs", [{"_id": f"household:{n}", "n": n} for n in range(5)])
    last = call("changes", {"descending": True, "limit": 2, "include_docs": True})["results"]
    assert [row["doc"]["n"] for row in last] == [4, 3]
    first = call("changes", {"limit": 3})
    rest = call("changes", {"since": first["last_seq"]})["results"]
    assert [row["id"] for row in rest] == ["household:3", "household:4"]
    assert call("changes", {"since": "now"})["results"] == []


def test_the_database_tells_what_it_holds(call: Call) -> None:
    rev = call("put", {"_id": "household:1"})["rev"]
    call("put", {"_id": "household:2"})
    call("remove", "household:1", rev)
    info = call("info")
    assert (info["doc_count"], info["doc_del_count"]) == (1, 1)
    call("compact")
    unknown = "1-" + "0" * 32
    assert call("revsDiff", {"household:2": [rev, unknown]})["household:2"]["missing"] == [unknown]


def test_a_database_can_be_destroyed(call: Call) -> None:
    call("put", {"_id": "household:1"})
    assert call("destroy")["ok"] is True
    assert call("info")["doc_count"] == 0, "PouchDB has made it anew"
