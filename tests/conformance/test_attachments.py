"""Attachments."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import Any

import pytest

from tests.conformance.wire import A, B, C, WireDatabase, revision

JPEG = bytes(range(256)) * 40


def inline(content: bytes, **more: Any) -> dict[str, Any]:
    return {
        "content_type": "image/jpeg",
        "data": base64.b64encode(content).decode(),
        **more,
    }


def digest(content: bytes) -> str:
    return "md5-" + base64.b64encode(hashlib.md5(content).digest()).decode()


def test_a_stub_tells_digest_length_and_revpos(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(JPEG)})
    assert db.json("/d")["_attachments"]["p.jpg"] == {
        "content_type": "image/jpeg",
        "digest": digest(JPEG),
        "length": len(JPEG),
        "revpos": 1,
        "stub": True,
    }


def test_a_stub_keeps_what_an_ancestor_has(db: WireDatabase) -> None:
    rev = db.save("d", _attachments={"p.jpg": inline(JPEG)})
    stub = db.json("/d")["_attachments"]
    db.save("d", _rev=rev, n=2, _attachments=stub)
    assert db.get("/d/p.jpg").content == JPEG
    assert db.json("/d")["_attachments"]["p.jpg"]["revpos"] == 1


def test_an_attachment_that_is_left_out_is_gone(db: WireDatabase) -> None:
    rev = db.save("d", _attachments={"p.jpg": inline(JPEG)})
    db.save("d", _rev=rev)
    assert "_attachments" not in db.json("/d")
    assert db.get("/d/p.jpg").status_code == 404
    assert db.get(f"/d/p.jpg?rev={rev}").content == JPEG


def test_a_stub_of_nothing_is_missing_stub(db: WireDatabase) -> None:
    stub = {"p.jpg": {"stub": True, "digest": digest(JPEG), "revpos": 1}}
    response = db.put("/d", json={"_attachments": stub})
    assert (response.status_code, response.json()["error"]) == (412, "missing_stub")


def test_a_stub_never_resolves_to_another_documents_content(db: WireDatabase) -> None:
    db.save("theirs", _attachments={"p.jpg": inline(JPEG)})
    stub = {"p.jpg": {"stub": True, "digest": digest(JPEG), "revpos": 1, "length": len(JPEG)}}
    assert db.put("/mine", json={"_attachments": stub}).status_code == 412
    rev = db.save("mine")
    assert db.put(f"/mine?rev={rev}", json={"_attachments": stub}).status_code == 412
    assert "_attachments" not in db.json("/mine")


@pytest.mark.extension
def test_a_missing_stub_in_a_batch_is_an_error_in_its_row(db: WireDatabase) -> None:
    stub = {"p.jpg": {"stub": True, "revpos": 1}}
    docs = [revision("d", B, A, _attachments=stub), revision("e", A)]
    rows = db.post("/_bulk_docs", json={"docs": docs, "new_edits": False}).json()
    assert [(row["id"], row["rev"], row["error"]) for row in rows] == [
        ("d", f"2-{B}", "missing_stub")
    ]
    assert db.get("/e").status_code == 200


def test_a_replicated_stub_resolves_on_its_own_branch(db: WireDatabase) -> None:
    db.graft(revision("d", A, _attachments={"p.jpg": inline(JPEG)}))
    stub = {"p.jpg": {"stub": True, "digest": digest(JPEG), "revpos": 1}}
    db.graft(revision("d", B, A, _attachments=stub), revision("d", C, A, _attachments=stub))
    for rev in (f"2-{B}", f"2-{C}"):
        assert db.get(f"/d/p.jpg?rev={rev}").content == JPEG


@pytest.mark.extension
def test_a_digest_that_is_wrong_is_refused(db: WireDatabase) -> None:
    wrong = inline(JPEG, digest=digest(b"other"))
    assert db.put("/d", json={"_attachments": {"p.jpg": wrong}}).status_code == 400


@pytest.mark.extension
def test_a_digest_of_another_kind_is_passed_over(db: WireDatabase) -> None:
    described = inline(JPEG, digest="sha1-8xgHZ8Mt9rXbKBIMeQJ8zv6SUqU=")
    db.save("d", _attachments={"p.jpg": described})
    assert db.json("/d")["_attachments"]["p.jpg"]["digest"] == digest(JPEG)


def test_get_has_type_length_and_etag(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(JPEG)})
    response = db.get("/d/p.jpg")
    assert (response.status_code, response.content) == (200, JPEG)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Content-Length"] == str(len(JPEG))
    assert response.headers["ETag"] == f'"{digest(JPEG).removeprefix("md5-")}"'
    again = db.get("/d/p.jpg", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_head_has_the_headers_of_get(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(JPEG)})
    head, get = db("HEAD", "/d/p.jpg"), db.get("/d/p.jpg")
    assert head.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Accept-Ranges"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, len(JPEG)), ("bytes=-5", len(JPEG) - 5, len(JPEG))],
)
def test_a_range_gives_that_part(db: WireDatabase, asked: str, start: int, stop: int) -> None:
    db.save("d", _attachments={"p.jpg": inline(JPEG)})
    response = db.get("/d/p.jpg", headers={"Range": asked})
    assert (response.status_code, response.content) == (206, JPEG[start:stop])
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(JPEG)}"


def test_a_range_outside_is_416(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(b"short")})
    assert db.get("/d/p.jpg", headers={"Range": "bytes=100-50"}).status_code in (200, 416)
    response = db.get("/d/p.jpg", headers={"Range": "bytes=100-200"})
    assert response.status_code in (206, 416)


@pytest.mark.extension
def test_a_range_that_begins_behind_the_end_is_416(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(b"short")})
    response = db.get("/d/p.jpg", headers={"Range": "bytes=100-200"})
    assert response.status_code == 416
    assert response.json()["error"] == "requested_range_not_satisfiable"


def test_get_is_sandboxed(db: WireDatabase) -> None:
    rev = db.save("d")
    html = {"Content-Type": "text/html"}
    db.put(f"/d/x.html?rev={rev}", data=b"<script>alert(1)</script>", headers=html)
    assert db.get("/d/x.html").headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.extension
def test_get_forbids_guessing_the_type(db: WireDatabase) -> None:
    db.save("d", _attachments={"p.jpg": inline(JPEG)})
    assert db.get("/d/p.jpg").headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.extension
@pytest.mark.parametrize("kind", ["text/plain\r\nSet-Cookie: a=b", "ខ្មែរ", ""])
def test_a_type_that_no_header_can_carry_is_served_as_bytes(db: WireDatabase, kind: str) -> None:
    db.save("d", _attachments={"a": {"content_type": kind, "data": "eA=="}})
    response = db.get("/d/a")
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert "Set-Cookie" not in response.headers


def test_put_makes_a_revision_and_keeps_the_rest(db: WireDatabase) -> None:
    rev = db.save("d", n=1, _attachments={"p.jpg": inline(JPEG)})
    text = {"Content-Type": "text/plain"}
    response = db.put(f"/d/a.txt?rev={rev}", data=b"text", headers=text)
    assert response.status_code == 201, response.text
    assert response.json()["rev"].startswith("2-")
    document = db.json("/d")
    assert document["n"] == 1 and document["_attachments"].keys() == {"p.jpg", "a.txt"}
    assert document["_attachments"]["a.txt"]["revpos"] == 2
    assert db.get("/d/a.txt").headers["Content-Type"] == "text/plain"


def test_put_on_a_new_id_makes_the_document(db: WireDatabase) -> None:
    assert db.put("/new/a.txt", data=b"text").status_code == 201
    assert db.json("/new")["_attachments"].keys() == {"a.txt"}


def test_put_and_delete_need_the_current_revision(db: WireDatabase) -> None:
    rev = db.save("d", _attachments={"a": inline(b"x")})
    assert db.put("/d/b", data=b"x").status_code == 409
    assert db.delete("/d/a").status_code == 409
    assert db.json("/d")["_rev"] == rev


def test_delete_removes_it_from_a_new_revision(db: WireDatabase) -> None:
    rev = db.save("d", n=1, _attachments={"a": inline(b"x"), "b": inline(b"y")})
    response = db.delete(f"/d/a?rev={rev}")
    assert response.status_code == 200
    document = db.json("/d")
    assert (document["n"], document["_attachments"].keys()) == (1, {"b"})
    assert db.delete(f"/d/a?rev={document['_rev']}").status_code == 404


def test_one_that_is_not_there_is_404(db: WireDatabase) -> None:
    db.save("d")
    assert db.get("/d/none").status_code == 404
    assert db.get("/none/none").status_code == 404


def test_a_name_that_starts_with_an_underscore_is_400(db: WireDatabase) -> None:
    assert db.put("/d/_a", data=b"x").status_code == 400
    assert db.put("/d", json={"_attachments": {"_a": inline(b"x")}}).status_code == 400


def encoded(db: WireDatabase) -> bytes:
    packed = gzip.compress(b"text " * 1000, mtime=0)
    attachment = inline(packed, encoding="gzip", content_type="text/plain")
    db.graft(revision("d", A, _attachments={"a.txt": attachment}))
    return packed


def test_an_encoded_one_is_decoded_for_who_does_not_take_the_encoding(db: WireDatabase) -> None:
    packed = encoded(db)
    plain = db.get("/d/a.txt", headers={"Accept-Encoding": "identity"})
    assert plain.content == b"text " * 1000 and "Content-Encoding" not in plain.headers
    taken = db.get("/d/a.txt", headers={"Accept-Encoding": "gzip"}, stream=True)
    assert taken.headers["Content-Encoding"] == "gzip"
    assert taken.raw.read(decode_content=False) == packed


def test_encoding_is_told_with_att_encoding_info_alone(db: WireDatabase) -> None:
    packed = encoded(db)
    told = db.json("/d", att_encoding_info="true")["_attachments"]["a.txt"]
    assert (told["encoding"], told["encoded_length"]) == ("gzip", len(packed))
    assert told["length"] == 5000 or told["length"] == len(packed)
    silent = db.json("/d")["_attachments"]["a.txt"]
    assert "encoding" not in silent and "encoded_length" not in silent
    content = db.json("/d", att_encoding_info="true", attachments="true")["_attachments"]["a.txt"]
    assert base64.b64decode(content["data"]) == packed
    content = db.json("/d", attachments="true")["_attachments"]["a.txt"]
    assert base64.b64decode(content["data"]) == b"text " * 1000


def test_put_takes_gzip_as_it_is(db: WireDatabase) -> None:
    packed = gzip.compress(b"text " * 100, mtime=0)
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    assert db.put("/d/a.txt", data=packed, headers=headers).status_code == 201
    assert db.get("/d/a.txt").content == b"text " * 100


@pytest.mark.extension
def test_caches_know_that_it_depends_on_the_accepted_encoding(db: WireDatabase) -> None:
    db.put("/g/a.txt", data=gzip.compress(b"text"), headers={"Content-Encoding": "gzip"})
    assert "Accept-Encoding" in db.get("/g/a.txt").headers["Vary"]


def test_put_checks_the_md5_that_comes_along(db: WireDatabase) -> None:
    content = b"a photo"
    right = base64.b64encode(hashlib.md5(content).digest()).decode()
    damaged = db.put("/d/a.jpg", data=b"a phot", headers={"Content-MD5": right})
    assert damaged.status_code == 400
    assert db.get("/d").status_code == 404
    assert db.put("/d/a.jpg", data=content, headers={"Content-MD5": right}).status_code == 201


def test_line_breaks_in_base64_are_no_harm(db: WireDatabase) -> None:
    wrapped = base64.encodebytes(JPEG).decode()
    db.save("d", _attachments={"p.jpg": {"data": wrapped}})
    assert db.get("/d/p.jpg").content == JPEG


def test_an_empty_one_is_one(db: WireDatabase) -> None:
    db.save("d", _attachments={"empty": inline(b"")})
    assert db.json("/d")["_attachments"]["empty"]["length"] == 0
    assert (db.get("/d/empty").status_code, db.get("/d/empty").content) == (200, b"")
