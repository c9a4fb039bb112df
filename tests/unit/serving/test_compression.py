"""Answers are compressed as the client likes, when that pays, and never when it must not be."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard
from werkzeug.wrappers import Response

from sync_server.serving.compression import MINIMUM_BYTES, choose_coding, compress

ROWS = b'{"id":"household:1","rev":"1-abc","village":"12010203"}' * 100

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
}


def answer(
    body: bytes = ROWS, content_type: str = "application/json", status: int = 200
) -> Response:
    return Response(body, status, content_type=content_type)


def accepting(accept: str, response: Response) -> Response:
    compress({"HTTP_ACCEPT_ENCODING": accept}, response)
    return response


@pytest.mark.parametrize("coding", DECODERS)
def test_what_was_compressed_reads_back_the_same(coding: str) -> None:
    response = accepting(coding, answer())
    assert response.headers["Content-Encoding"] == coding
    assert DECODERS[coding](response.get_data()) == ROWS
    assert response.content_length == len(response.get_data()) < len(ROWS) // 5


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("zstd;q=0, br ; q=0.3, gzip;q=0.2", "br"),
        ("*", "zstd"),
        ("*;q=0.1, gzip", "gzip"),
        ("zstd;q=0, *", "br"),
        ("", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("gzip;q=zero", None),
        ("deflate, compress", None),
        (",;,=,", None),
    ],
)
def test_the_client_chooses_the_coding(accept: str, coding: str | None) -> None:
    assert choose_coding(accept) == coding


def test_caches_learn_that_the_answer_depends_on_the_client() -> None:
    for accept in ("gzip", ""):
        assert accepting(accept, answer()).headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "response",
    [
        answer(b"x" * (MINIMUM_BYTES - 1)),
        answer(content_type="image/jpeg"),
        answer(status=206),
        Response(iter([ROWS]), content_type="text/plain", headers={"Content-Length": "5600"}),
    ],
    ids=["small", "photo", "range", "attachment"],
)
def test_what_must_stay_as_it_is_stays(response: Response) -> None:
    before = dict(response.headers)
    assert dict(accepting("gzip", response).headers) == before


def test_an_encoded_attachment_is_not_encoded_twice() -> None:
    response = answer(content_type="text/plain")
    response.headers["Content-Encoding"] = "gzip"
    assert accepting("gzip", response).get_data() == ROWS


def test_a_strong_etag_becomes_weak() -> None:
    response = answer()
    response.set_etag("1-abc")
    assert accepting("gzip", response).headers["ETag"] == 'W/"1-abc"'


def test_a_feed_goes_out_as_it_comes() -> None:
    feed = Response(iter([ROWS]), content_type="application/json")
    compress({"HTTP_ACCEPT_ENCODING": "gzip", "QUERY_STRING": "since=0&feed=longpoll"}, feed)
    assert "Content-Encoding" not in feed.headers
    assert list(feed.response) == [ROWS]


@pytest.mark.parametrize("coding", DECODERS)
def test_a_long_answer_is_compressed_as_it_is_made(coding: str) -> None:
    response = accepting(coding, Response(iter([ROWS] * 50), content_type="application/json"))
    assert response.headers["Content-Encoding"] == coding
    sent = b"".join(response.iter_encoded())
    decoder = {
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    }[coding]
    assert decoder(sent) == ROWS * 50
    assert len(sent) < len(ROWS) * 5


def test_a_stream_is_neither_read_ahead_nor_left_open() -> None:
    events = []

    def rows() -> Iterator[bytes]:
        events.append("begun")
        try:
            yield ROWS
            yield ROWS
        finally:
            events.append("closed")

    response = accepting("gzip", Response(rows(), content_type="application/json"))
    assert events == []
    next(iter(response.response), None)
    response.close()
    assert events[-1] == "closed"
