"""Addresses: what is a database, an id, an attachment; and no redirects."""

from __future__ import annotations

import pytest

from tests.conformance.wire import Wire, WireDatabase


def test_welcome_answers_anyone_with_a_stable_uuid(wire: Wire, anonymous: Wire) -> None:
    first, second = anonymous.get("/").json(), wire.get("/").json()
    assert first["couchdb"] == "Welcome"
    assert first["uuid"] and first["uuid"] == second["uuid"]
    assert first["version"] and isinstance(first["features"], list)


@pytest.mark.extension
@pytest.mark.parametrize("header", ["nonsense", "Basic ???", "Basic", "Bearer", "Digest x", ""])
def test_welcome_answers_whatever_the_authorization_header(anonymous: Wire, header: str) -> None:
    assert anonymous.get("/", headers={"Authorization": header}).status_code == 200


def test_root_without_slash_is_the_root_when_mounted(wire: Wire) -> None:
    assert wire.get("").status_code == 200


@pytest.mark.parametrize("path", ["", "/", "/_changes", "/_changes/", "/_all_docs/", "/doc/"])
def test_a_trailing_slash_changes_nothing_and_nothing_redirects(
    db: WireDatabase, path: str
) -> None:
    db.save("doc")
    response = db.get(path)
    assert response.status_code == 200, response.text


@pytest.mark.extension
def test_doubled_slashes_are_not_merged_into_a_redirect(wire: Wire, db: WireDatabase) -> None:
    assert wire.get("/" + db.path).status_code in (400, 404)


def test_an_encoded_slash_is_part_of_a_document_id(db: WireDatabase) -> None:
    db.save("household/7", name="x")
    assert db.get("/household%2F7").json()["_id"] == "household/7"
    assert db.get("/household/7").status_code == 404


@pytest.mark.parametrize("doc_id", ["a b", "a+b", "a%b", "ខ្មែរ", "a:b@c", "a?b#c", "a&b", "~'()*!"])
def test_any_character_in_an_id_comes_back_as_it_went(db: WireDatabase, doc_id: str) -> None:
    db.save(doc_id, n=1)
    assert db.changes()["results"][0]["id"] == doc_id


def test_attachment_names_may_hold_raw_slashes(db: WireDatabase) -> None:
    rev = db.save("visit/1")
    put = db.put(f"/visit%2F1/photos/front.jpg?rev={rev}", data=b"jpeg")
    assert put.status_code == 201, put.text
    assert db.get("/visit%2F1/photos/front.jpg").content == b"jpeg"
    assert db.get("/visit%2F1/photos%2Ffront.jpg").content == b"jpeg"
    assert list(db.json("/visit%2F1")["_attachments"]) == ["photos/front.jpg"]


def test_design_and_local_documents_take_a_raw_slash(db: WireDatabase) -> None:
    assert db.put("/_design/pages", json={"x": 1}).status_code == 201
    assert db.get("/_design/pages").json()["_id"] == "_design/pages"
    assert db.put("/_local/mark", json={"x": 1}).status_code == 201
    assert db.get("/_local/mark").json()["_id"] == "_local/mark"


@pytest.mark.extension
def test_design_and_local_documents_take_an_encoded_slash_too(db: WireDatabase) -> None:
    db.put("/_design/pages", json={})
    db.put("/_local/mark", json={})
    assert db.get("/_design%2Fpages").json()["_id"] == "_design/pages"
    assert db.get("/_local%2Fmark").json()["_id"] == "_local/mark"


def test_a_database_name_may_hold_an_encoded_slash(wire: Wire) -> None:
    assert wire.put("/wire%2Fnested").status_code == 201
    assert wire.get("/wire%2Fnested").json()["db_name"] == "wire/nested"
    assert wire.delete("/wire%2Fnested").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing-here/doc"),
        ("GET", "/_nothing"),
        ("PATCH", "/nothing-here"),
        ("POST", "/nothing-here/a/b"),
        ("GET", "/%ff%fe"),
        ("GET", "/nothing-here/%ff"),
    ],
)
def test_every_error_is_json_with_error_and_reason(wire: Wire, method: str, path: str) -> None:
    response = wire(method, path)
    assert 400 <= response.status_code < 500, response.text
    assert {"error", "reason"} <= response.json().keys()


@pytest.mark.extension
def test_what_the_web_server_itself_refuses_is_json_too(wire: Wire) -> None:
    with wire.socket() as connection:
        connection.sendall(b"GET /db/ HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b'"error"' in answer and b'"reason"' in answer


@pytest.mark.parametrize(
    "path", ["", "/doc", "/_changes", "/_all_docs", "/_local/x", "/doc/a.txt", "/_design/d"]
)
def test_head_works_wherever_get_works(db: WireDatabase, path: str) -> None:
    rev = db.save("doc")
    db.put(f"/doc/a.txt?rev={rev}", data=b"text", headers={"Content-Type": "text/plain"})
    db.put("/_local/x", json={"a": 1})
    db.put("/_design/d", json={})
    head, get = db("HEAD", path), db.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    assert head.headers.get("Content-Type") == get.headers.get("Content-Type")
