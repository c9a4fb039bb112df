"""What is just within a limit is taken, what is just beyond is refused, and nothing else with it.

A replicator is told `forbidden` of the document alone, since a 4xx of the whole request would make
it send the same batch for ever; an editor gets 413.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.conformance.conftest import LIMITS
from tests.conformance.wire import A, Wire, WireDatabase, fresh_name, revision
from tests.serving import RunningServer

pytestmark = pytest.mark.extension

GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


@pytest.fixture
def small(limited: Wire) -> WireDatabase:
    database = WireDatabase(limited, fresh_name())
    assert database.put().status_code == 201
    return database


def push(db: WireDatabase, *docs: dict[str, Any]) -> list[dict[str, Any]]:
    """What `_bulk_docs` refuses of documents that come beside one that it takes."""
    neighbour = revision(f"neighbour-{fresh_name()}", A)
    response = db.post("/_bulk_docs", json={"docs": [*docs, neighbour], "new_edits": False})
    assert response.status_code == 201, response.text
    assert db.get("/" + neighbour["_id"]).status_code == 200
    rows: list[dict[str, Any]] = response.json()
    return rows


def kept(db: WireDatabase, doc_id: str) -> list[str]:
    """Why documents of this id are in quarantine."""
    root = db.wire.root.removesuffix("/db")
    page = db.wire.session.get(f"{root}/api/{db.name}/quarantine?limit=500", timeout=60).json()
    return [entry["reason"] for entry in page["entries"] if entry["doc_id"] == doc_id]


def check_both_ways(
    db: WireDatabase, code: str, fits: dict[str, Any], too_much: dict[str, Any]
) -> None:
    """`fits` and `too_much` are members of a document, just within and just beyond a limit."""
    assert push(db, revision("within", A, **fits)) == []
    (row,) = push(db, revision("beyond", A, **too_much))
    assert (row["id"], row["rev"], row["error"]) == ("beyond", f"1-{A}", "forbidden")
    assert "It is kept" in row["reason"]
    assert kept(db, "beyond") == [code]
    assert db.get("/beyond").status_code == 404
    assert db.put("/edited", json=fits).status_code == 201
    refused = db.put("/beyond", json=too_much)
    assert (refused.status_code, refused.json()["error"]) == (413, "document_too_large")
    grafted = db.put("/beyond?new_edits=false", json=revision("beyond", A, **too_much))
    assert (grafted.status_code, grafted.json()["error"]) == (403, "forbidden")


def padded(size: int) -> dict[str, str]:
    """Members that make a body of so many bytes."""
    return {"x": "x" * (size - len('{"x":""}'))}


def test_bytes_of_a_document(small: WireDatabase) -> None:
    limit = LIMITS["max_document_bytes"]
    check_both_ways(small, "document_bytes", padded(limit), padded(limit + 1))


def test_depth_of_a_document(small: WireDatabase) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels - 1):
            value = [value]
        return {"x": value}

    limit = LIMITS["max_json_depth"]
    check_both_ways(small, "depth", nested(limit), nested(limit + 1))


def attached(*sizes: int) -> dict[str, Any]:
    contents = [base64.b64encode(b"x" * size).decode() for size in sizes]
    return {"_attachments": {f"photo{i}": {"data": data} for i, data in enumerate(contents)}}


def test_bytes_of_an_attachment(small: WireDatabase) -> None:
    limit = LIMITS["max_attachment_bytes"]
    check_both_ways(small, "attachment_bytes", attached(limit), attached(limit + 1))
    assert small.put("/direct/photo", data=b"x" * limit).status_code == 201
    assert small.put("/larger/photo", data=b"x" * (limit + 1)).status_code == 413


def test_number_of_attachments(small: WireDatabase) -> None:
    limit = LIMITS["max_attachments"]
    check_both_ways(small, "attachments", attached(*[1] * limit), attached(*[1] * (limit + 1)))
    small.put("/one-by-one", json=attached(*[1] * limit))
    rev = small.json("/one-by-one")["_rev"]
    assert small.put(f"/one-by-one/more?rev={rev}", data=b"x").status_code == 413


def test_integers_beyond_64_bits_are_refused_with_their_document(small: WireDatabase) -> None:
    assert push(small, revision("within", A, big=2**64 - 1, small=-(2**63))) == []
    for number in (2**64, -(2**63) - 1):
        (row,) = push(small, revision("beyond", A, n=number))
        assert (row["id"], row["error"]) == ("beyond", "forbidden")
        assert "number in the document is too large" in row["reason"]
    assert set(kept(small, "beyond")) == {"integers"}
    grafted = small.put("/beyond?new_edits=false", json=revision("beyond", A, n=2**64))
    assert (grafted.status_code, grafted.json()["error"]) == (403, "forbidden")
    assert small.put("/beyond", json={"n": 2**64}).status_code == 400
    local = small.post("/_bulk_docs", json={"docs": [{"_id": "_local/x", "n": 2**64}]})
    assert local.status_code == 400


def test_half_a_character_is_refused_with_its_document(small: WireDatabase) -> None:
    """As JavaScript sends a text that was cut in the middle of an emoji."""
    assert push(small, revision("within", A, text="\U0001f600")) == []
    for name, members in (("value", {"text": "x\ud83d"}), ("key", {"a": {"\udc00": 1}})):
        (row,) = push(small, revision(f"half-{name}", A, **members))
        assert (row["id"], row["error"]) == (f"half-{name}", "forbidden")
        assert kept(small, f"half-{name}") == ["text"]
    assert small.put("/edited", json={"text": "\ud83d"}).status_code == 400
    edited = small.post("/_bulk_docs", json={"docs": [{"_id": "edited", "text": "\ud83d"}]})
    assert edited.json()[0]["error"] == "document_too_large"
    for doc in ({"_id": "x\ud83d"}, {"_id": "x", "_\ud83d": 1}, {"_id": "_local/x", "t": "\ud83d"}):
        refused = small.post("/_bulk_docs", json={"docs": [doc]})
        assert (refused.status_code, refused.json()["error"]) != (500, "")
        assert refused.status_code == 400


def test_length_of_a_history(small: WireDatabase) -> None:
    limit = LIMITS["max_revisions"]
    ids = [f"{number:032x}" for number in range(limit + 1)]
    assert push(small, revision("within", *ids[:limit])) == []
    (row,) = push(small, revision("beyond", *ids))
    assert (row["id"], row["error"]) == ("beyond", "forbidden")
    assert kept(small, "beyond") == ["revisions"]
    assert small.get("/beyond").status_code == 404


def branches(count: int, **members: Any) -> list[dict[str, Any]]:
    return [revision("d", f"{number:032x}", A, **members) for number in range(count)]


def test_live_leaves_of_a_document(small: WireDatabase) -> None:
    limit = LIMITS["max_live_leaves"]
    small.graft(revision("d", A), *branches(limit))
    (row,) = push(small, *branches(limit + 1))
    assert (row["id"], row["rev"], row["error"]) == ("d", f"2-{limit:032x}", "forbidden")
    assert kept(small, "d") == ["leaves"]
    assert len(small.leaves("d")) == limit
    small.graft(revision("d", "c" * 32, f"{0:032x}", A))


def test_leaves_of_a_document_deleted_ones_too(small: WireDatabase) -> None:
    limit = LIMITS["max_leaves"]
    small.graft(revision("d", A), *branches(limit, _deleted=True))
    (row,) = push(small, *branches(limit + 1, _deleted=True))
    assert (row["rev"], row["error"]) == (f"2-{limit:032x}", "forbidden")


def test_documents_of_a_batch(small: WireDatabase) -> None:
    limit = LIMITS["max_batch_documents"]
    docs = [revision(f"d{number}", A) for number in range(limit + 1)]
    small.graft(*docs[:limit])
    beyond = small.post("/_bulk_docs", json={"docs": docs, "new_edits": False})
    assert (beyond.status_code, beyond.json()["error"]) == (413, "too_large")
    assert small.json()["doc_count"] == limit
    asked = [{"id": doc["_id"]} for doc in docs]
    assert small.post("/_bulk_get", json={"docs": asked[:limit]}).status_code == 200
    assert small.post("/_bulk_get", json={"docs": asked}).status_code == 413
    named = {doc["_id"]: [doc["_rev"]] for doc in docs}
    assert small.post("/_revs_diff", json=named).status_code == 413
    named.popitem()
    assert small.post("/_revs_diff", json=named).status_code == 200


def batch_of(size: int) -> bytes:
    """A batch of so many bytes of documents within their limit."""
    docs = [{"_id": str(number), "x": "x" * 15_000} for number in range(size // 16_000)]
    missing = size - len(json.dumps({"docs": docs, "x": ""}))
    return json.dumps({"docs": docs, "x": "x" * missing}).encode()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
def test_bytes_of_a_request(small: WireDatabase, chunked: bool) -> None:
    limit = LIMITS["max_request_bytes"]

    def send(size: int) -> requests.Response:
        body = batch_of(size)
        data: Any = iter([body[:1000], body[1000:]]) if chunked else body
        return small.post("/_bulk_docs", data=data, headers={"Content-Type": "application/json"})

    refused = send(limit + 1)
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")
    assert small.json()["doc_count"] == 0
    assert send(limit).status_code == 201


def noise(size: int) -> str:
    """Text that gzip shortens to about a half."""
    return "".join(random.Random(size).choices("0123456789abcdef", k=size))


def test_bytes_of_a_request_once_unpacked(small: WireDatabase) -> None:
    limit = LIMITS["max_inflated_bytes"]

    def send(size: int) -> requests.Response:
        head, tail = b'{"docs":[],"x":"' + noise(200_000).encode(), b'"}'
        body = head + b"x" * (size - len(head) - len(tail)) + tail
        return small.post("/_bulk_docs", data=gzip.compress(body), headers=GZIP)

    assert send(limit).status_code == 201
    assert send(limit + 1).status_code == 413


def test_times_that_a_request_may_grow(small: WireDatabase) -> None:
    limit = LIMITS["max_inflation"]
    for noisy, status in ((138_000, 201), (122_000, 413)):
        body = b'{"docs":[],"x":"' + noise(noisy).encode() + b" " * (1_500_000 - noisy) + b'"}'
        sent = gzip.compress(body)
        times = len(body) / len(sent)
        assert 0.9 * limit < times < limit if status == 201 else limit < times < 1.1 * limit
        assert small.post("/_bulk_docs", data=sent, headers=GZIP).status_code == status


def test_bytes_of_a_local_document(small: WireDatabase) -> None:
    limit = LIMITS["max_local_bytes"]
    assert small.put("/_local/mark", json=padded(limit)).status_code == 201
    refused = small.put("/_local/mark", json=padded(limit + 1))
    assert (refused.status_code, refused.json()["error"]) == (413, "document_too_large")


def test_of_local_documents_the_oldest_go(small: WireDatabase) -> None:
    limit = LIMITS["max_local_documents"]
    for number in range(limit + 1):
        assert small.put(f"/_local/mark{number}", json={"n": number}).status_code == 201
        time.sleep(0.002)  # Times are kept in milliseconds.
    rows = small.json("/_local_docs")["rows"]
    assert [row["id"] for row in rows] == [f"_local/mark{n}" for n in range(1, limit + 1)]


@pytest.fixture
def tablet(limited_server: RunningServer, small: WireDatabase) -> WireDatabase:
    """The database as a tablet of its own account reaches it."""
    name = fresh_name()
    limited_server.account(name, "a-cew-password", ("cew",), (small.name,))
    token = limited_server.command("account", "token", name, "tablet-1").strip()
    return WireDatabase(Wire(small.wire.root, (name, token)), small.name)


def follow(db: WireDatabase, stack: ExitStack) -> tuple[requests.Response, Iterator[bytes]]:
    """A feed that waits, and its lines, of which the first has come."""
    params: dict[str, Any] = {"feed": "continuous", "since": "now", "heartbeat": 100}
    response = stack.enter_context(db.get("/_changes", params=params, stream=True))
    lines = response.iter_lines(chunk_size=1)
    if response.status_code == 200:
        next(lines)
    return response, lines


def test_a_new_feed_ends_the_oldest_but_not_one_that_is_new_itself(tablet: WireDatabase) -> None:
    with ExitStack() as stack:
        feeds = [follow(tablet, stack) for _ in range(LIMITS["max_device_feeds"])]
        refused, _ = follow(tablet, stack)
        assert (refused.status_code, refused.json()["error"]) == (503, "service_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        time.sleep(5.1)
        assert follow(tablet, stack)[0].status_code == 200
        (_, oldest), (_, other) = feeds
        rest = [line for line in oldest if line]
        assert json.loads(rest[-1]).keys() == {"last_seq", "pending"}
        assert next(other) == b""


@pytest.fixture
def unfinished(tablet: WireDatabase) -> Iterator[list[socket.socket]]:
    """As many pushes as a device may have open, none of which has quite arrived."""
    body = json.dumps({"docs": [{"_id": "d"}]}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = tablet.wire.head_lines("POST", tablet.path + "/_bulk_docs", **headers)
    with ExitStack() as stack:
        opened = []
        for _ in range(LIMITS["max_device_requests"]):
            connection = stack.enter_context(tablet.wire.socket())
            connection.sendall(head + body[:-1])
            opened.append(connection)
        yield opened


def test_requests_of_a_device_that_are_open_at_once(
    small: WireDatabase, tablet: WireDatabase, unfinished: list[socket.socket]
) -> None:
    def ask() -> requests.Response:
        return tablet.get()

    answers = [ask()]
    while answers[-1].status_code == 200:  # Until all heads have arrived.
        answers.append(ask())
    refused = answers[-1]
    assert (refused.status_code, refused.json()["error"]) == (503, "service_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert small.get().status_code == 200
    for connection in unfinished:
        connection.sendall(b"}")
        assert connection.recv(20).startswith(b"HTTP/1.1 201")
    assert ask().status_code == 200


@pytest.fixture
def slow_tablet() -> Iterator[tuple[WireDatabase, WireDatabase]]:
    """A tablet of a service that takes little in a minute or a day, and the same for an admin."""
    limits = {"max_device_requests_per_minute": "20", "max_device_documents_per_day": "3"}
    with RunningServer(web_workers="1", **limits) as running:
        database = WireDatabase(Wire(running.url + "/db", running.admin), fresh_name())
        assert database.put().status_code == 201
        running.account("sok", "a-cew-password", ("cew",), (database.name,))
        token = running.command("account", "token", "sok", "tablet-1").strip()
        yield WireDatabase(Wire(database.wire.root, ("sok", token)), database.name), database


def check_sent_away(answer: requests.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    english, khmer = answer.json()["reason"].split(" / ")
    assert "tablet" in english and "ថេប្លេត" in khmer


def test_requests_of_a_device_in_a_minute(
    slow_tablet: tuple[WireDatabase, WireDatabase],
) -> None:
    tablet, admin = slow_tablet
    answers = [tablet.get() for _ in range(30)]
    assert [answer.status_code for answer in answers[:20]] == [200] * 20
    check_sent_away(answers[-1])
    assert all(admin.get().status_code == 200 for _ in range(30))


def test_revisions_that_a_device_may_write_in_a_day(
    slow_tablet: tuple[WireDatabase, WireDatabase],
) -> None:
    tablet, admin = slow_tablet
    tablet.graft(*(revision(f"visit:{n}", A, type="visit") for n in range(3)))
    check_sent_away(tablet.put("/visit:more", json={"type": "visit"}))
    assert tablet.changes()["pending"] == 0
    assert admin.put("/visit:more", json={"type": "visit"}).status_code == 201


def test_revisions_that_a_device_may_write(
    limited_server: RunningServer, small: WireDatabase, tablet: WireDatabase
) -> None:
    limit = LIMITS["max_device_documents"]
    for number in range(limit):
        tablet.graft(revision(f"visit:{number}", A, type="visit"))
    for refused in (
        tablet.post("/_bulk_docs", json={"docs": [revision("visit:more", A)], "new_edits": False}),
        tablet.put("/visit:more", json={"type": "visit"}),
    ):
        assert (refused.status_code, refused.json()["error"]) == (503, "service_unavailable")
        assert "administrator" in refused.json()["reason"]
        assert int(refused.headers["Retry-After"]) > 0
    assert tablet.changes()["pending"] == 0
    assert tablet.put("/_local/mark", json={}).status_code == 201
    assert small.put("/more", json={}).status_code == 201
    assert tablet.wire.auth is not None
    limited_server.command("device", "allow", tablet.wire.auth[0], "tablet-1")
    assert tablet.put("/visit:more", json={"type": "visit"}).status_code == 201
