"""Whatever comes in: a 4xx that says what to change, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
import requests

from tests.conformance.wire import A, Wire, WireDatabase, revision

pytestmark = pytest.mark.extension

JSON = {"Content-Type": "application/json"}


def refused(response: requests.Response, status: int) -> str:
    """The reason of a refusal, which must be of that status."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"] and len(body["reason"]) > 5
    return str(body["reason"])


def untouched(db: WireDatabase) -> None:
    assert db.changes()["results"] == []


MALFORMED = {
    "empty": b"",
    "cut off": b'{"a":',
    "trailing": b'{"a":1} x',
    "two values": b"{}{}",
    "single quotes": b"{'a':1}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "number beyond a double": b'{"a":1e400}',
    "bare word": b"undefined",
    "no UTF-8": b'{"a":"\xff\xfe"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "raw control character": b'{"a":"\x01"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "lone surrogate in a key": b'{"\\udc00":1}',
    "duplicate key": b'{"a":1,"a":2}',
    "duplicate key after escapes": b'{"a":1,"\\u0061":2}',
    "duplicate key deep inside": b'{"a":[{"b":{"c":1,"c":1}}]}',
    "integer beyond 64 bits": b'{"a":18446744073709551616}',
    "negative integer beyond 64 bits": b'{"a":-9223372036854775809}',
    "integer of 5000 digits": b'{"a":' + b"1" * 5000 + b"}",
    "deep arrays": b'{"a":' + b"[" * 400 + b"]" * 400 + b"}",
    "deep objects": b'{"a":' * 300 + b"1" + b"}" * 300,
    "very deep": b"[" * 100_000,
    "no object": b"[1,2]",
    "a string": b'"text"',
    "null": b"null",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_json_is_400_wherever_json_is_read(db: WireDatabase, body: bytes) -> None:
    refused(db.put("/d", data=body), 400)
    refused(db.post(data=body, headers=JSON), 400)
    refused(db.put("/_local/d", data=body), 400)
    for endpoint in ("/_bulk_docs", "/_bulk_get", "/_revs_diff", "/_all_docs"):
        refused(db.post(endpoint, data=body, headers=JSON), 400)
    if body:  # an empty one names no parameters there
        refused(db.post("/_changes", data=body, headers=JSON), 400)
    untouched(db)


def test_what_is_at_the_edge_of_valid_is_taken(db: WireDatabase) -> None:
    body = (
        b'{"_id":"d","big":18446744073709551615,"small":-9223372036854775808,"float":1E+5,'
        b'"escaped":"\\u00e9\\ud83d\\ude00","deep":' + b"[" * 99 + b"]" * 99 + b"}"
    )
    assert db.put("/d", data=body).status_code == 201
    stored = db.json("/d")
    assert (stored["big"], stored["small"], stored["float"]) == (2**64 - 1, -(2**63), 1e5)
    assert stored["escaped"] == "é😀"


def test_a_duplicate_key_refuses_the_whole_batch(db: WireDatabase) -> None:
    body = b'{"docs":[{"_id":"good"},{"_id":"bad","n":1,"n":2}]}'
    assert '"n"' in refused(db.post("/_bulk_docs", data=body, headers=JSON), 400)
    untouched(db)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"]
)
@pytest.mark.parametrize("endpoint", ["", "/_bulk_docs", "/_bulk_get", "/_revs_diff", "/_changes"])
def test_a_body_that_is_not_declared_json_is_415(
    db: WireDatabase, endpoint: str, kind: str
) -> None:
    headers = {"Content-Type": kind} if kind else {}
    refused(db.post(endpoint, data=b'{"docs":[]}', headers=headers), 415)


def test_a_charset_beside_the_type_is_no_harm(db: WireDatabase) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert db.post("/_bulk_docs", data=b'{"docs":[]}', headers=headers).status_code == 201


GZIP = {**JSON, "Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        b"",
        gzip.compress(b'{"docs":[]}')[:-6],
        gzip.compress(b'{"docs":[]}') + b"more",
        zlib.compress(b'{"docs":[]}'),
    ],
    ids=["no gzip", "empty", "cut off", "trailing", "zlib"],
)
def test_a_broken_gzip_body_is_400(db: WireDatabase, body: bytes) -> None:
    refused(db.post("/_bulk_docs", data=body, headers=GZIP), 400)


def test_an_unknown_encoding_is_415(db: WireDatabase) -> None:
    headers = {**JSON, "Content-Encoding": "deflate"}
    refused(db.post("/_bulk_docs", data=b"{}", headers=headers), 415)


def test_a_gzip_bomb_is_413(db: WireDatabase) -> None:
    bomb = gzip.compress(b'{"docs":[{"a":"' + b" " * 20_000_000 + b'"}]}')
    assert len(bomb) < 100_000
    refused(db.post("/_bulk_docs", data=bomb, headers=GZIP), 413)
    untouched(db)


def test_a_body_that_is_cut_off_changes_nothing(db: WireDatabase) -> None:
    body = json.dumps({"docs": [revision(str(n), A) for n in range(50)], "new_edits": False})
    whole = body.encode()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        head = db.wire.head_lines(
            "POST", db.path + "/_bulk_docs", **JSON, **{"Content-Length": str(len(whole))}
        )
        with db.wire.socket() as connection:
            connection.sendall(head + whole[:length])
    untouched(db)


def test_a_chunked_body_that_is_cut_off_changes_nothing(db: WireDatabase) -> None:
    whole = json.dumps({"docs": [{"_id": "d"}]}).encode()
    head = db.wire.head_lines(
        "POST", db.path + "/_bulk_docs", **JSON, **{"Transfer-Encoding": "chunked"}
    )
    with db.wire.socket() as connection:
        connection.sendall(head + b"%x\r\n" % len(whole) + whole + b"\r\n")
    with db.wire.socket() as connection:
        connection.sendall(head + b"zz\r\n" + whole)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    untouched(db)


@pytest.mark.parametrize("length", ["x", "-5", "1e3", "99999999999999999999999"])
def test_a_content_length_that_is_no_length_is_4xx(db: WireDatabase, length: str) -> None:
    head = db.wire.head_lines("POST", db.path + "/_bulk_docs", **JSON, **{"Content-Length": length})
    with db.wire.socket() as connection:
        connection.sendall(head + b'{"docs":[]}')
        connection.shutdown(1)
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "path",
    [
        "/d?rev=x",
        "/d?rev=",
        "/d?rev=1",
        "/d?revs=yes",
        "/d?attachments=1",
        "/d?atts_since=x",
        "/d?atts_since=[5]",
        "/d?open_revs=%ff",
        "/%00%ff",
        "/%ed%a0%80",
        "/" + "x" * 2000,
        "/d/a?rev=x",
    ],
)
def test_an_address_or_parameter_that_cannot_be_is_4xx(db: WireDatabase, path: str) -> None:
    db.save("d")
    response = db.get(path)
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["reason"]


@pytest.mark.parametrize("value", ["garbage", "Basic !!!", "Basic " + "A" * 5000, "Bearer é"])
def test_a_malformed_authorization_is_401(db: WireDatabase, value: str) -> None:
    anonymous = Wire(db.wire.root, None)
    response = anonymous.get(db.path, headers={"Authorization": value.encode()})
    refused(response, 401)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/_security", "[]"),
        ("PUT", "/_revs_limit", '"many"'),
        ("POST", "/_purge", '{"d":"1-a"}'),
        ("POST", "/_purge", '{"d":["x"]}'),
        ("POST", "/_all_docs", '{"keys":5}'),
        ("POST", "/_all_docs", '{"limit":"x"}'),
        ("POST", "/_all_docs/queries", '{"queries":[5]}'),
        ("POST", "/_find", '{"selector":[]}'),
        ("POST", "/_changes?filter=_doc_ids", '{"doc_ids":5}'),
        ("POST", "/_changes", '{"limit":true}'),
        ("POST", "/_bulk_get", '{"docs":{}}'),
    ],
)
def test_a_payload_of_another_shape_is_400(
    db: WireDatabase, method: str, path: str, body: str
) -> None:
    refused(db(method, path, data=body, headers=JSON), 400)


def test_an_id_that_only_json_can_hold_is_stored_as_it_is(db: WireDatabase) -> None:
    ids: list[Any] = ["\u0000", "a\nb", '"', "\\", "\u2028", "😀", " "]
    db.graft(*(revision(doc_id, A) for doc_id in ids))
    assert {row["id"] for row in db.changes()["results"]} == set(ids)
    items = [{"id": doc_id, "rev": f"1-{A}"} for doc_id in ids]
    results = db.post("/_bulk_get", json={"docs": items}).json()["results"]
    assert [result["docs"][0]["ok"]["_id"] for result in results] == ids
    mixed = db.post("/_bulk_get", json={"docs": items}, headers={"Accept": "multipart/mixed"})
    assert mixed.status_code == 200
