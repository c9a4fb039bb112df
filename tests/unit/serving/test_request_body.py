"""A body is read whole, or the request fails in a way that it can answer."""

from __future__ import annotations

import io

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader
from werkzeug.exceptions import BadRequest, ClientDisconnected

from sync_server.serving.request_body import CheckedBody, check_body


def with_length(length: int, sent: bytes) -> CheckedBody:
    return CheckedBody(Body(LengthReader(IterUnreader(iter([sent])), length)), length)


def in_chunks(sent: bytes) -> CheckedBody:
    return CheckedBody(Body(ChunkedReader(object(), IterUnreader(iter([sent])))), None)


def test_a_whole_body_reads_in_one_go_or_in_pieces() -> None:
    assert with_length(10, b"0123456789").read() == b"0123456789"
    body = with_length(10, b"0123456789")
    assert [body.read(4), body.read(4), body.read(4), body.read(4)] == [
        b"0123",
        b"4567",
        b"89",
        b"",
    ]
    assert list(with_length(6, b"ab\ncd\n")) == [b"ab\n", b"cd\n"]


def test_a_body_cut_off_in_the_middle_is_an_error() -> None:
    with pytest.raises(ClientDisconnected):
        with_length(10, b"01234").read()
    body = with_length(10, b"01234")
    assert body.read(5) == b"01234"
    with pytest.raises(ClientDisconnected):
        body.read(5)


def test_chunks_are_joined() -> None:
    assert in_chunks(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").read() == b"abcde"


@pytest.mark.parametrize("sent", [b"3\r\nabc\r\n", b"5\r\nabc"])
def test_chunks_that_break_off_are_an_error(sent: bytes) -> None:
    with pytest.raises(ClientDisconnected):
        in_chunks(sent).read()


@pytest.mark.parametrize("sent", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"])
def test_malformed_chunks_are_the_clients_fault(sent: bytes) -> None:
    with pytest.raises(BadRequest):
        in_chunks(sent).read()


def test_a_request_without_a_body_is_left_alone() -> None:
    nothing = io.BytesIO()
    environ = {"wsgi.input": nothing}
    check_body(environ, 120)
    assert environ["wsgi.input"] is nothing
