"""HTTP as it comes over the wire: long requests, broken ones, bodies in chunks."""

from __future__ import annotations

import json

import pytest

from tests.service.wire import Wire
from tests.serving import RunningServer


def is_refusal(body: bytes) -> bool:
    parsed = json.loads(body)
    return set(parsed) == {"error", "reason"} and all(parsed.values())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: sideways\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X-Many: y\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_what_is_no_http_is_refused_in_json(
    server: RunningServer, sent: bytes, status: int
) -> None:
    with Wire(server) as wire:
        wire.send(sent)
        answer = wire.answer()
        assert answer.status == status
        assert is_refusal(answer.body)
        assert answer.headers["content-type"] == "application/json"
        assert wire.closed()


def test_a_request_line_may_name_hundreds_of_revisions(server: RunningServer) -> None:
    revisions = ",".join(f'"1-{number:032x}"' for number in range(1500))
    with Wire(server) as wire:
        wire.request("PUT /db/rushit/long", b"Content-Type: application/json\r\n", b"{}")
        line = f"GET /db/rushit/long?open_revs=[{revisions}]"
        assert len(line) > 50_000
        assert wire.request(line, b"Accept: application/json\r\n").status == 200


def test_addresses_that_nothing_answers_to_are_404_in_json(server: RunningServer) -> None:
    with Wire(server) as wire:
        for path in ("/", "/nowhere", "/healthz/x", "/%2e%2e/etc/passwd"):
            answer = wire.request(f"GET {path}")
            assert answer.status in (400, 404), path
            assert is_refusal(answer.body)


def test_an_answer_leaves_in_one_piece(server: RunningServer) -> None:
    with Wire(server) as wire:
        wire.send(b"GET /db/ HTTP/1.1\r\nHost: x\r\n\r\n")
        first = wire.socket.recv(65536)
    head, _, body = first.partition(b"\r\n\r\n")
    assert b"200" in head
    assert json.loads(body)["couchdb"] == "Welcome"


def test_a_connection_serves_many_requests(server: RunningServer) -> None:
    with Wire(server) as wire:
        for _ in range(5):
            answer = wire.request("GET /db/rushit")
            assert answer.status == 200
            assert answer.headers["connection"] == "keep-alive"
        assert wire.request("GET /db/", b"Connection: close\r\n").headers["connection"] == "close"
        assert wire.closed()


def test_requests_sent_back_to_back_are_answered_in_order(server: RunningServer) -> None:
    with Wire(server) as wire:
        one = b"GET /db/ HTTP/1.1\r\n" + wire.signed_in + b"\r\n"
        two = b"GET /nowhere HTTP/1.1\r\n" + wire.signed_in + b"\r\n"
        wire.send(one + two + one)
        assert [wire.answer().status for _ in range(3)] == [200, 404, 200]


def test_a_client_that_expects_100_continue_gets_it(server: RunningServer) -> None:
    body = b'{"docs":[{"_id":"expected"}]}'
    with Wire(server) as wire:
        wire.send(
            b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n"
            + wire.signed_in
            + b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        assert wire.head() == (100, {})
        wire.send(body)
        assert wire.answer().status == 201


def test_who_is_refused_need_not_send_the_body_that_was_announced(server: RunningServer) -> None:
    head = b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
    with Wire(server) as wire:
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\nHost: x\r\n" + head)
        wire.send(b"Content-Length: 60000000\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        assert wire.closed()
    with Wire(server) as wire:
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n" + wire.signed_in + head)
        wire.send(b"Content-Length: 99999999999\r\n\r\n")
        assert wire.answer().status == 413


def test_a_body_may_come_in_chunks(server: RunningServer) -> None:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Wire(server) as wire:
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n" + wire.signed_in + head)
        for part in (b'{"docs":[', b'{"_id":"in-chunks"}', b"]}"):
            wire.send(b"%x\r\n%b\r\n" % (len(part), part))
        wire.send(b"0\r\n\r\n")
        assert wire.answer().status == 201
        assert wire.request("GET /db/rushit/in-chunks").status == 200


@pytest.mark.parametrize(
    "body", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}{}\r\n0\r\n\r\n"], ids=["size", "terminator"]
)
def test_malformed_chunks_are_the_clients_fault(server: RunningServer, body: bytes) -> None:
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Wire(server) as wire:
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n" + wire.signed_in + head + body)
        answer = wire.answer()
        assert answer.status == 400
        assert is_refusal(answer.body)
        assert wire.closed()


def test_a_body_cut_off_in_the_middle_changes_nothing(server: RunningServer) -> None:
    body = b'{"docs":[{"_id":"cut-off"}]}'
    head = f"Content-Type: application/json\r\nContent-Length: {len(body) + 50}\r\n\r\n".encode()
    with Wire(server) as wire:
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n" + wire.signed_in + head + body)
        wire.socket.shutdown(1)
        assert wire.closed()
    with Wire(server) as wire:
        assert wire.request("GET /db/rushit/cut-off").status == 404


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"]
)
def test_a_body_that_has_stalled_is_given_up(head: bytes) -> None:
    with RunningServer(web_workers="1", stalled_body_seconds="1") as own, Wire(own) as wire:
        kind = b"Content-Type: application/json\r\n"
        wire.send(b"POST /db/rushit/_bulk_docs HTTP/1.1\r\n" + wire.signed_in + kind + head)
        wire.send(b'{"d')
        answer = wire.answer()
        assert (answer.status, answer.json()["error"]) == (408, "request_timeout")
        assert wire.closed()


def test_a_refused_body_does_not_garble_the_next_request(server: RunningServer) -> None:
    with Wire(server) as wire:
        answer = wire.request("POST /nowhere", b"Content-Type: text/plain\r\n", b"x" * 200_000)
        assert answer.status == 404
        assert wire.request("GET /db/rushit").status == 200


def test_every_answer_carries_a_request_id(server: RunningServer) -> None:
    with Wire(server) as wire:
        assert wire.request("GET /db/", b"X-Request-Id: mine-1\r\n").headers["x-request-id"] == (
            "mine-1"
        )
        for path in ("/db/rushit", "/nowhere", "/db/rushit/_changes?since=x"):
            assert len(wire.request(f"GET {path}").headers["x-request-id"]) == 16


def test_answers_are_compressed_for_who_accepts_it(server: RunningServer) -> None:
    with Wire(server) as wire:
        docs = [{"_id": f"compress-{number}"} for number in range(50)]
        body = json.dumps({"docs": docs}).encode()
        wire.request("POST /db/rushit/_bulk_docs", b"Content-Type: application/json\r\n", body)
        for coding in ("gzip", "br", "zstd"):
            accept = f"Accept-Encoding: {coding}\r\n".encode()
            answer = wire.request("GET /db/rushit/_all_docs", accept)
            assert answer.headers["content-encoding"] == coding
            assert answer.headers["vary"] == "Accept-Encoding"
        assert "content-encoding" not in wire.request("GET /db/rushit/_all_docs").headers


def test_each_request_of_a_connection_is_who_it_says_it_is(server: RunningServer) -> None:
    """Heads that repeat are read once; what differs by one byte is another head."""
    with Wire(server) as wire:
        right = wire.signed_in
        for _ in range(3):
            assert wire.request("GET /db/rushit").status == 200
        wire.signed_in = right.replace(b"Basic ", b"Basic A")
        assert wire.request("GET /db/rushit").status == 401
        wire.signed_in = b"Host: x\r\n"
        assert wire.request("GET /db/rushit").status == 401
        wire.signed_in = right
        assert wire.request("GET /db/rushit").status == 200
        assert wire.request("PUT /db/rushit/heads", b"", b"{}").status == 201
        assert wire.request("PUT /db/rushit/heads", b"", b"{}").status == 409
        assert wire.request("PUT /db/rushit/tails", b"", b"[]").status == 400


def test_who_repeats_an_expectation_is_asked_each_time_for_the_body(server: RunningServer) -> None:
    with Wire(server) as wire:
        for name in (b"first", b"second"):
            head = b"PUT /db/rushit/expected-" + name + b" HTTP/1.1\r\n" + wire.signed_in
            wire.send(head + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert wire.file.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert wire.file.readline() == b"\r\n"
            wire.send(b"{}")
            assert wire.answer().status == 201
