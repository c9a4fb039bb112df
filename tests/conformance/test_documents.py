"""Single documents."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests.conformance.multipart_reader import read_multipart
from tests.conformance.wire import A, B, C, D, Wire, WireDatabase, param, revision

TEXT = {"a.txt": {"content_type": "image/png", "data": base64.b64encode(b"hello").decode()}}


def conflicted(db: WireDatabase) -> None:
    """Leaves 2-c (the winner), 2-b, and the deleted 2-d."""
    db.graft(revision("d", C, A, n=3), revision("d", B, A, n=2), revision("d", D, A, _deleted=True))


def test_put_makes_and_edits(db: WireDatabase) -> None:
    response = db.put("/d", json={"n": 1})
    assert response.status_code == 201
    made = response.json()
    assert (made["ok"], made["id"]) == (True, "d") and made["rev"].startswith("1-")
    assert response.headers["ETag"].strip('W/"') == made["rev"]
    edited = db.put("/d", json={"n": 2, "_rev": made["rev"]})
    assert edited.json()["rev"].startswith("2-")
    assert db.json("/d") == {"_id": "d", "_rev": edited.json()["rev"], "n": 2}


def test_own_revisions_have_32_lower_case_hex_digits(db: WireDatabase) -> None:
    _, _, rev_id = db.save("d").partition("-")
    assert len(rev_id) == 32 and set(rev_id) <= set("0123456789abcdef")


@pytest.mark.parametrize("rev", [None, f"1-{A}"])
def test_an_edit_of_another_revision_is_a_conflict(db: WireDatabase, rev: str | None) -> None:
    db.save("d", n=1)
    response = db.put("/d", json={"n": 2, **({"_rev": rev} if rev else {})})
    assert (response.status_code, response.json()["error"]) == (409, "conflict")
    assert db.json("/d")["n"] == 1


def test_the_parent_may_stand_in_the_query_or_in_if_match(db: WireDatabase) -> None:
    first = db.save("d", n=1)
    second = db.put(f"/d?rev={first}", json={"n": 2}).json()["rev"]
    third = db.put("/d", json={"n": 3}, headers={"If-Match": f'"{second}"'})
    assert third.status_code == 201
    differing = db.put("/d?rev=" + third.json()["rev"], json={"_rev": f"1-{A}"})
    assert differing.status_code == 400


def test_post_stores_under_the_given_or_a_new_id(db: WireDatabase) -> None:
    assert db.post(json={"_id": "mine"}).json()["id"] == "mine"
    made = db.post(json={"n": 1}).json()["id"]
    assert len(made) == 32 and db.json("/" + made)["n"] == 1


def test_delete_leaves_a_tombstone(db: WireDatabase) -> None:
    rev = db.save("d", n=1)
    response = db.delete(f"/d?rev={rev}")
    assert response.status_code == 200
    gone = db.get("/d")
    assert (gone.status_code, gone.json()["reason"]) == (404, "deleted")
    assert db.json("/d", rev=response.json()["rev"])["_deleted"] is True


def test_delete_needs_the_current_revision(db: WireDatabase) -> None:
    db.save("d")
    assert db.delete("/d").status_code == 409
    assert db.delete(f"/d?rev=1-{A}").status_code == 409
    assert db.delete("/nothing?rev=1-a").status_code == 404
    assert db.get("/d").status_code == 200


def test_delete_takes_if_match(db: WireDatabase) -> None:
    rev = db.save("d")
    assert db.delete("/d", headers={"If-Match": rev}).status_code == 200


def test_a_deleted_document_may_be_written_again(db: WireDatabase) -> None:
    db.delete(f"/d?rev={db.save('d')}")
    assert db.save("d", n=2).startswith("3-")


def test_copy_makes_a_new_document(db: WireDatabase) -> None:
    rev = db.save("d", n=1, _attachments=TEXT)
    response = db("COPY", "/d", headers={"Destination": "copied"})
    assert response.status_code == 201, response.text
    assert response.json()["id"] == "copied"
    assert db.json("/copied")["n"] == 1
    assert db.get("/copied/a.txt").content == b"hello"
    assert db("COPY", "/d", headers={"Destination": "copied"}).status_code == 409
    onto = f"copied?rev={response.json()['rev']}"
    assert db("COPY", f"/d?rev={rev}", headers={"Destination": onto}).status_code == 201


def test_copy_without_a_relative_destination_is_400(db: WireDatabase) -> None:
    db.save("d")
    assert db("COPY", "/d").status_code == 400
    url = {"Destination": "http://example.org/db/x"}
    assert db("COPY", "/d", headers=url).status_code == 400


def test_a_missing_document_is_404(db: WireDatabase) -> None:
    response = db.get("/nothing")
    assert response.status_code == 404
    assert response.json() == {"error": "not_found", "reason": "missing"}
    db.save("d")
    assert db.get(f"/d?rev=5-{A}").status_code == 404


def test_rev_reads_that_revision(db: WireDatabase) -> None:
    conflicted(db)
    assert db.json("/d", rev=f"2-{B}")["n"] == 2


def test_latest_reads_the_leaf_that_came_of_it(db: WireDatabase) -> None:
    db.graft(revision("d", A, n=1), revision("d", B, A, n=2))
    assert db.json("/d", rev=f"1-{A}", latest="true")["_rev"] == f"2-{B}"


def test_revs_tells_the_ancestry(db: WireDatabase) -> None:
    db.graft(revision("d", C, B, A))
    assert db.json("/d", revs="true")["_revisions"] == {"start": 3, "ids": [C, B, A]}


def test_revs_info_tells_what_is_kept(db: WireDatabase) -> None:
    first = db.save("d", n=1)
    second = db.save("d", _rev=first)
    assert db.json("/d", revs_info="true")["_revs_info"] == [
        {"rev": second, "status": "available"},
        {"rev": first, "status": "available"},
    ]


def test_revs_info_tells_what_never_came(db: WireDatabase) -> None:
    db.graft(revision("d", B, A))
    assert db.json("/d", revs_info="true")["_revs_info"][1] == {
        "rev": f"1-{A}",
        "status": "missing",
    }


def test_conflicts_and_deleted_conflicts_are_the_other_leaves(db: WireDatabase) -> None:
    conflicted(db)
    assert db.json("/d", conflicts="true")["_conflicts"] == [f"2-{B}"]
    assert db.json("/d", deleted_conflicts="true")["_deleted_conflicts"] == [f"2-{D}"]
    plain = db.json("/d")
    assert "_conflicts" not in plain and "_deleted_conflicts" not in plain


def test_meta_is_all_of_them(db: WireDatabase) -> None:
    conflicted(db)
    document = db.json("/d", meta="true")
    assert {"_revs_info", "_conflicts", "_deleted_conflicts"} <= document.keys()


def test_local_seq_is_the_documents_sequence(db: WireDatabase) -> None:
    db.save("other")
    db.save("d")
    assert db.json("/d", local_seq="true")["_local_seq"]


def test_etag_and_304_where_no_meta_is_asked(db: WireDatabase) -> None:
    rev = db.save("d")
    response = db.get("/d")
    assert response.headers["ETag"] == f'"{rev}"'
    again = db.get("/d", headers={"If-None-Match": f'"{rev}"'})
    assert (again.status_code, again.content) == (304, b"")
    assert db.get("/d", headers={"If-None-Match": '"1-x"'}).status_code == 200
    assert "ETag" not in db.get("/d?conflicts=true&revs_info=true").headers


def test_open_revs_all_gives_every_leaf(db: WireDatabase) -> None:
    conflicted(db)
    rows = db.json("/d", open_revs="all", revs="true")
    assert {row["ok"]["_rev"] for row in rows} == {f"2-{B}", f"2-{C}", f"2-{D}"}
    assert all(row["ok"]["_revisions"]["ids"][1] == A for row in rows)


def test_open_revs_gives_those_named_and_says_which_are_missing(db: WireDatabase) -> None:
    conflicted(db)
    rows = db.json("/d", open_revs=param([f"2-{B}", f"9-{A}"]))
    found = {row["ok"]["_rev"] if "ok" in row else row["missing"] for row in rows}
    assert found == {f"2-{B}", f"9-{A}"}
    assert db.json("/unknown", open_revs=param([f"1-{A}"])) == [{"missing": f"1-{A}"}]
    assert db.get("/unknown?open_revs=all").status_code == 404


def test_open_revs_latest_gives_the_leaves_that_came_of_them(db: WireDatabase) -> None:
    db.graft(revision("d", A), revision("d", B, A))
    rows = db.json("/d", open_revs=param([f"1-{A}"]), latest="true")
    assert [row["ok"]["_rev"] for row in rows] == [f"2-{B}"]


@pytest.mark.parametrize("value", ["x", "{", "5", '"a"', "[5]", '["x"]'])
def test_open_revs_that_are_no_revisions_are_400(db: WireDatabase, value: str) -> None:
    db.save("d")
    assert db.get("/d", params={"open_revs": value}).status_code >= 400


def test_open_revs_as_multipart_has_the_document_before_its_attachments(
    db: WireDatabase,
) -> None:
    db.graft(revision("d", B, A, _attachments=TEXT), revision("d", C, A))
    response = db.get(
        "/d",
        params={"open_revs": param([f"2-{B}", f"2-{C}", f"2-{D}"]), "revs": "true"},
        headers={"Accept": "multipart/mixed"},
    )
    assert response.headers["Content-Type"].startswith("multipart/mixed")
    parts = read_multipart(response.headers["Content-Type"], response.content)
    related = next(p for p in parts if p.headers["content-type"].startswith("multipart/related"))
    document, content = related.parts()
    assert document.json()["_rev"] == f"2-{B}"
    assert document.json()["_attachments"]["a.txt"]["follows"] is True
    assert (content.filename, content.content) == ("a.txt", b"hello")
    assert content.headers["content-length"] == "5"
    missing = next(p for p in parts if "error" in p.headers["content-type"])
    assert missing.json() == {"missing": f"2-{D}"}


def test_attachments_come_inline_or_as_multipart_related(db: WireDatabase) -> None:
    db.save("d", _attachments=TEXT)
    inline = db.json("/d", attachments="true")["_attachments"]["a.txt"]
    assert base64.b64decode(inline["data"]) == b"hello"
    response = db.get("/d?attachments=true", headers={"Accept": "multipart/related"})
    document, content = read_multipart(response.headers["Content-Type"], response.content)
    assert document.json()["_id"] == "d"
    assert content.content == b"hello"


def test_atts_since_gives_contents_that_are_newer(db: WireDatabase) -> None:
    first = db.save("d", _attachments=TEXT)
    second = db.put(f"/d/b.txt?rev={first}", data=b"new").json()["rev"]
    attachments = db.json("/d", rev=second, atts_since=param([first]))["_attachments"]
    assert attachments["a.txt"]["stub"] is True
    assert base64.b64decode(attachments["b.txt"]["data"]) == b"new"


def test_atts_since_comes_as_multipart_too(db: WireDatabase) -> None:
    first = db.save("d", _attachments=TEXT)
    response = db.get(
        "/d", params={"atts_since": param([first])}, headers={"Accept": "multipart/related"}
    )
    assert response.headers["Content-Type"].startswith("multipart/related")


@pytest.mark.parametrize("doc_id", ["household/7", "a b?c#d", "_design/a/b"])
def test_location_is_the_documents_address(wire: Wire, db: WireDatabase, doc_id: str) -> None:
    location = db.put("/" + quote(doc_id, safe=""), json={}).headers["Location"]
    assert urlsplit(location).netloc == urlsplit(wire.root).netloc
    found = requests.get(location, auth=wire.auth, timeout=60)
    assert (found.status_code, found.json()["_id"]) == (200, doc_id)


def test_put_without_new_edits_grafts_the_revision_it_names(db: WireDatabase) -> None:
    response = db.put("/d?new_edits=false", json=revision("d", B, A, n=1))
    assert (response.status_code, response.json()["rev"]) == (201, f"2-{B}")
    assert db.json("/d", revs="true")["_revisions"] == {"start": 2, "ids": [B, A]}


def related(document: dict[str, Any], *parts: tuple[dict[str, str], bytes]) -> bytes:
    chunks = [b"--edge\r\nContent-Type: application/json\r\n\r\n", json.dumps(document).encode()]
    for headers, content in parts:
        chunks.append(b"\r\n--edge\r\n")
        chunks += [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
        chunks += [b"\r\n", content]
    return b"".join([*chunks, b"\r\n--edge--"])


def put_related(db: WireDatabase, body: bytes) -> Any:
    headers = {"Content-Type": 'multipart/related; boundary="edge"'}
    return db.put("/d", data=body, headers=headers)


def follows(content: bytes, **more: Any) -> dict[str, Any]:
    return {"content_type": "image/png", "length": len(content), "follows": True, **more}


def digest(content: bytes) -> str:
    return "md5-" + base64.b64encode(hashlib.md5(content).digest()).decode()


def disposition(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def test_put_as_multipart_related_matches_parts_by_order(db: WireDatabase) -> None:
    document = {"_attachments": {"a": follows(b"first"), "b": follows(b"second")}}
    response = put_related(db, related(document, ({}, b"first"), ({}, b"second")))
    assert response.status_code == 201, response.text
    assert (db.get("/d/a").content, db.get("/d/b").content) == (b"first", b"second")


@pytest.mark.extension
def test_put_as_multipart_related_matches_parts_by_file_name_first(db: WireDatabase) -> None:
    document = {"_attachments": {"a": follows(b"first"), "b": follows(b"second")}}
    parts = [(disposition("b"), b"second"), (disposition("a"), b"first")]
    assert put_related(db, related(document, *parts)).status_code == 201
    assert (db.get("/d/a").content, db.get("/d/b").content) == (b"first", b"second")


@pytest.mark.extension
def test_put_as_multipart_related_matches_parts_by_digest_next(db: WireDatabase) -> None:
    document = {
        "_attachments": {
            "a": follows(b"first", digest=digest(b"first")),
            "b": follows(b"other", digest=digest(b"other")),
        }
    }
    assert put_related(db, related(document, ({}, b"other"), ({}, b"first"))).status_code == 201
    assert (db.get("/d/a").content, db.get("/d/b").content) == (b"first", b"other")


@pytest.mark.extension
@pytest.mark.parametrize(
    "body",
    [
        related({"_attachments": {"a": follows(b"longer than it is")}}, ({}, b"short")),
        related({"_attachments": {"a": follows(b"x")}}),
        related({}, ({}, b"left over")),
        related({"_attachments": {"a": follows(b"x")}}, ({}, b"x"))[:-8],
        b"",
        b"--edge--",
        b"no boundary at all",
    ],
)
def test_a_multipart_body_that_does_not_add_up_is_400(db: WireDatabase, body: bytes) -> None:
    response = put_related(db, body)
    assert response.status_code == 400, response.text
    assert db.get("/d").status_code == 404


@pytest.mark.extension
def test_an_id_that_is_not_the_one_in_the_address_is_400(db: WireDatabase) -> None:
    assert db.put("/d", json={"_id": "other"}).status_code == 400


def test_an_unknown_underscore_member_is_doc_validation(db: WireDatabase) -> None:
    response = db.put("/d", json={"_unknown": 1})
    assert (response.status_code, response.json()["error"]) == (400, "doc_validation")


def test_an_id_that_starts_with_an_underscore_is_400(db: WireDatabase) -> None:
    assert db.put("/_x", json={}).status_code == 400
    assert db.post(json={"_id": "_x"}).status_code == 400


def test_members_that_reads_add_are_taken_and_forgotten(db: WireDatabase) -> None:
    rev = db.save("d", n=1)
    read = db.json("/d", meta="true", revs="true", local_seq="true")
    assert db.put("/d", json=read).status_code == 201
    assert db.json("/d").keys() == {"_id", "_rev", "n"}
    assert db.json("/d")["_rev"] != rev


def test_batch_ok_stores_all_the_same(db: WireDatabase) -> None:
    assert db.put("/d?batch=ok", json={}).status_code in (201, 202)
