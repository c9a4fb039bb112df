"""How bodies travel: gzip, chunks, Expect, compression, size."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator

import pytest

from tests.conformance.wire import A, WireDatabase, revision

JSON = {"Content-Type": "application/json"}


def test_a_request_body_may_be_gzip(db: WireDatabase) -> None:
    body = gzip.compress(json.dumps({"docs": [revision("d", A)], "new_edits": False}).encode())
    response = db.post("/_bulk_docs", data=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert (response.status_code, response.json()) == (201, [])
    assert db.get("/d").status_code == 200


def test_a_request_body_may_come_in_chunks(db: WireDatabase) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"docs":[{"_id":'
        yield b'"d","n":1}]}'

    response = db.post("/_bulk_docs", data=pieces(), headers=JSON)
    assert response.status_code == 201
    assert db.json("/d")["n"] == 1


def test_expect_100_continue_works(db: WireDatabase) -> None:
    body = b'{"n":1}'
    head = db.wire.head_lines(
        "PUT",
        db.path + "/d",
        **{"Expect": "100-continue", "Content-Length": str(len(body)), "Connection": "close"},
    )
    with db.wire.socket() as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        answer = connection.makefile("rb").read()
    assert b" 201 " in answer
    assert db.json("/d")["n"] == 1


@pytest.mark.extension
@pytest.mark.parametrize("coding", ["gzip", "zstd", "br"])
def test_answers_are_compressed_as_the_client_accepts(db: WireDatabase, coding: str) -> None:
    db.graft(*(revision(f"household:{number}", A, village="02030401") for number in range(100)))
    headers = {"Accept-Encoding": coding}
    plain = len(db.get("/_changes?limit=100").content)
    with db.get("/_changes?limit=100", headers=headers, stream=True) as response:
        assert response.headers["Content-Encoding"] == coding
        assert "Accept-Encoding" in response.headers["Vary"]
        assert len(response.raw.read(decode_content=False)) < plain / 5


@pytest.mark.extension
def test_a_bulk_answer_without_contents_is_compressed(db: WireDatabase) -> None:
    db.graft(*(revision(f"household:{number}", A, village="02030401") for number in range(100)))
    docs = [{"id": f"household:{number}", "rev": f"1-{A}"} for number in range(100)]
    for query in ("revs=true&latest=true", "revs=true&attachments=true"):
        response = db.post(
            "/_bulk_get?" + query, json={"docs": docs}, headers={"Accept-Encoding": "gzip"}
        )
        assert response.headers["Content-Encoding"] == "gzip"
        assert len(response.json()["results"]) == 100


def test_a_batch_of_100_photo_documents_passes(db: WireDatabase) -> None:
    photo = os.urandom(300_000)
    attachment = {
        "front.jpg": {"content_type": "image/jpeg", "data": base64.b64encode(photo).decode()}
    }
    docs = [revision(f"visit:{number}", A, _attachments=attachment) for number in range(100)]
    db.graft(*docs)
    assert db.json()["doc_count"] == 100
    assert db.get("/visit:99/front.jpg").content == photo
    items = [{"id": f"visit:{number}", "rev": f"1-{A}"} for number in range(100)]
    response = db.post("/_bulk_get?attachments=true", json={"docs": items})
    results = response.json()["results"]
    assert len(results) == 100
    assert len(results[99]["docs"][0]["ok"]["_attachments"]["front.jpg"]["data"]) == 400_000


@pytest.mark.extension
def test_a_long_address_passes(db: WireDatabase) -> None:
    db.graft(revision("d", A))
    revs = json.dumps([f"1-{number:032x}" for number in range(500)] + [f"1-{A}"])
    rows = db.json("/d", open_revs=revs)
    assert len(rows) == 501 and "ok" in rows[-1]
