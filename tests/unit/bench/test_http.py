"""The benchmark client reads every framing that an HTTP/1.1 server may choose."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync_server.bench.http import Endpoint, HttpError, Response, ResponseReader, decode

PLAIN = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
)
CHUNKED = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'4;name=value\r\n{"ok\r\n7\r\n":true}\r\n0\r\n\r\n'
)


def read(data: bytes, *, head_request: bool = False) -> Response | None:
    return ResponseReader(head_request=head_request).feed(data)


def in_pieces(data: bytes, cuts: list[int]) -> Response | None:
    reader = ResponseReader()
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    response = None
    for start, end in zip(edges, edges[1:], strict=False):
        response = reader.feed(data[start:end])
    return response


def test_a_body_ends_where_its_content_length_says() -> None:
    response = read(PLAIN)
    assert response is not None
    assert (response.status, response.body) == (200, b'{"ok":true}')
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"ok": True}


def test_chunks_are_joined() -> None:
    response = read(CHUNKED)
    assert response is not None
    assert (response.status, response.body) == (201, b'{"ok":true}')


@given(st.sampled_from([PLAIN, CHUNKED]), st.lists(st.integers(0, 1000)))
def test_a_response_reads_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert in_pieces(data, cuts) == read(data)


@given(st.sampled_from([PLAIN, CHUNKED]), st.data())
def test_nothing_is_answered_before_the_response_is_complete(
    data: bytes, draw: st.DataObject
) -> None:
    end = draw.draw(st.integers(1, len(data) - 1))
    assert read(data[:end]) is None


def test_wire_bytes_count_headers_and_framing() -> None:
    response = read(CHUNKED)
    assert response is not None
    assert response.wire_bytes == len(CHUNKED)


def test_an_interim_response_is_passed_over() -> None:
    response = read(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN)
    assert response is not None
    assert response.status == 200


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_statuses_have_no_body(status: bytes) -> None:
    response = read(b"HTTP/1.1 " + status + b"\r\nETag: x\r\n\r\n")
    assert response is not None
    assert response.body == b""


def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    response = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", head_request=True)
    assert response is not None
    assert response.body == b""


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.0 200 OK\r\n\r\nsome") is None
    assert reader.feed(b" text") is None
    response = reader.feed(b"")
    assert response is not None
    assert response.body == b"some text"


@pytest.mark.parametrize("data", [PLAIN[:-1], CHUNKED[:-1], b"", PLAIN[:20]])
def test_a_connection_that_closes_early_is_an_error(data: bytes) -> None:
    reader = ResponseReader()
    if data:
        assert reader.feed(data) is None
    with pytest.raises(HttpError):
        reader.feed(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        PLAIN + b"more",
    ],
)
def test_what_is_not_a_response_is_an_error(data: bytes) -> None:
    with pytest.raises(HttpError):
        read(data)


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("identity", b"text"),
        ("gzip", gzip.compress(b"text", mtime=0)),
        ("deflate", zlib.compress(b"text")),
        ("br", brotli.compress(b"text")),
        ("zstd", zstandard.ZstdCompressor().compress(b"text")),
    ],
)
def test_content_encodings_are_undone(encoding: str, encoded: bytes) -> None:
    assert decode(encoded, encoding) == b"text"


def test_an_unknown_content_encoding_is_an_error() -> None:
    with pytest.raises(HttpError):
        decode(b"text", "rot13")


def test_a_request_carries_its_length_and_who_asks() -> None:
    request = Endpoint("127.0.0.1", 5984, "Basic eA==", "gzip").request("POST", "/db/x", b"{}")
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == b"{}"
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /db/x HTTP/1.1"
    assert b"Host: 127.0.0.1:5984" in lines
    assert b"Authorization: Basic eA==" in lines
    assert b"Accept-Encoding: gzip" in lines
    assert b"Content-Length: 2" in lines
