"""Request bodies: read whole before anything is decided, spooled to disk where they are large.

A body that is cut off, too large, or inflates too far never reaches a parser, so it changes
nothing. Few large bodies are held parsed at once, whatever the number of requests.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from typing import Any, BinaryIO, cast

from flask import request
from werkzeug.exceptions import HTTPException

from sync_server.errors import BadRequest, RequestTooLarge, UnsupportedMediaType
from sync_server.replication.memory import give_back_afterwards
from sync_server.replication.parsing import parse_json, parse_object
from sync_server.replication.surroundings import begin_work, has_chunks, parts, runtime
from sync_server.settings import Settings

CHUNK_BYTES = 64 * 1024
IN_MEMORY_BYTES = 1024 * 1024
"""Bodies up to this size stay in memory while they arrive."""

TELL = (
    "It stays on the tablet: update the app, or tell an administrator. / "
    "ទិន្នន័យដែលផ្ញើក្នុងពេលតែមួយធំពេក។ វានៅក្នុងថេប្លេតដដែល៖ សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី ឬប្រាប់អ្នកគ្រប់គ្រង។"
)
"""What whoever holds the tablet may do about a batch that is too large."""

LARGE_BYTES = 4 * 1024 * 1024
"""From this size on a body waits for one of the few places to be parsed."""


def require_json_type() -> None:
    """Raises UnsupportedMediaType unless the body is declared to be JSON."""
    content_type = request.environ.get("CONTENT_TYPE", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType()


@contextmanager
def json_object(*, or_nothing: bool = False, any_value: bool = False) -> Iterator[dict[str, Any]]:
    """The request's JSON object, which must be declared `application/json`.

    `or_nothing`: an empty body is an empty object. `any_value`: as in `parse_json`.
    """
    require_json_type()
    with request_body() as raw:
        yield parse_object(raw, any_value=any_value) if raw or not or_nothing else {}


@contextmanager
def json_value() -> Iterator[Any]:
    """The request's JSON value, whatever its declared type."""
    with request_body() as raw:
        yield parse_json(raw)


@contextmanager
def request_body(*, inflate: bool = True) -> Iterator[bytes]:
    """The request's body, unpacked if it came as gzip (`inflate=False`: as it was sent).

    Raises RequestTooLarge, UnsupportedMediaType (another encoding), BadRequest (cut off, or no
    valid gzip).
    """
    settings = parts().settings
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "") if inflate else ""
    declared = _declared_length(settings.max_request_bytes)
    if declared is not None and declared <= IN_MEMORY_BYTES and not encoding:
        raw = _read_exactly(declared)
        begin_work()
        yield raw
        return
    with _spool(_sent_chunks(declared, settings.max_request_bytes)) as sent:
        begin_work()
        with _decoded(sent, encoding, settings) as spool:
            if _size(spool) < LARGE_BYTES:
                yield spool.read()
                return
            give_back_afterwards()
            with _place(runtime().large_bodies):
                yield spool.read()


@contextmanager
def _place(places: BoundedSemaphore) -> Iterator[None]:
    with places:
        yield


def _declared_length(limit: int) -> int | None:
    """Content-Length, None for a chunked body, 0 where there is no body."""
    environ = request.environ
    if has_chunks(environ):
        return None
    declared = environ.get("CONTENT_LENGTH") or "0"
    if not declared.isascii() or not declared.isdigit():
        raise BadRequest("Content-Length must be a number of bytes.")
    length = int(declared)
    if length > limit:
        raise RequestTooLarge(_too_large(limit))
    return length


def _too_large(limit: int) -> str:
    return f"The request body may hold {limit} bytes at most: send smaller batches. {TELL}"


def _read_exactly(length: int) -> bytes:
    data = _read(length) if length else b""
    while len(data) < length:
        more = _read(length - len(data))
        if not more:
            raise BadRequest("The request body ended before its Content-Length.")
        data += more
    return data


def _read(size: int) -> bytes:
    """Up to `size` bytes; whatever the server raises for a broken body is the client's fault."""
    try:
        return cast(bytes, request.environ["wsgi.input"].read(size))
    except HTTPException:
        raise
    except Exception as error:
        raise BadRequest(f"The request body could not be read: {type(error).__name__}") from error


def _sent_chunks(declared: int | None, limit: int) -> Iterator[bytes]:
    received = 0
    while declared is None or received < declared:
        wanted = CHUNK_BYTES if declared is None else min(CHUNK_BYTES, declared - received)
        chunk = _read(wanted)
        if not chunk:
            break
        received += len(chunk)
        if received > limit:
            raise RequestTooLarge(_too_large(limit))
        yield chunk
    if declared is not None and received < declared:
        raise BadRequest("The request body ended before its Content-Length.")


@contextmanager
def _spool(chunks: Iterable[bytes]) -> Iterator[BinaryIO]:
    """A file of the chunks, at its beginning."""
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as spool:
        for chunk in chunks:
            spool.write(chunk)
        spool.seek(0)
        yield cast(BinaryIO, spool)


def _decoded(sent: BinaryIO, encoding: str, settings: Settings) -> AbstractContextManager[BinaryIO]:
    """A file of the body without its encoding. Raises UnsupportedMediaType."""
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return nullcontext(sent)
    if coding not in ("gzip", "x-gzip"):
        raise UnsupportedMediaType("Only gzip and identity content-encodings are supported.")
    chunks = iter(lambda: sent.read(CHUNK_BYTES), b"")
    return _spool(_inflated(chunks, settings))


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _inflated(chunks: Iterator[bytes], settings: Settings) -> Iterator[bytes]:
    """Unpack gzip piece by piece, so that a bomb is noticed before it has grown."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    sent = grown = 0
    for chunk in chunks:
        sent += len(chunk)
        pending = chunk
        while pending:
            piece = _inflate(inflater, pending)
            pending = inflater.unconsumed_tail
            grown += len(piece)
            _check_growth(sent, grown, settings)
            yield piece
            if inflater.unused_data:
                raise BadRequest("There is more after the end of the gzip body.")
    if not inflater.eof:
        raise BadRequest("The gzip body ended too early.")


def _inflate(inflater: Any, data: bytes) -> bytes:
    try:
        return cast(bytes, inflater.decompress(data, CHUNK_BYTES))
    except zlib.error as error:
        raise BadRequest(f"The body is not valid gzip: {error}") from None


def _check_growth(sent: int, grown: int, settings: Settings) -> None:
    if grown > settings.max_inflated_bytes:
        raise RequestTooLarge(
            f"The unpacked body may hold {settings.max_inflated_bytes} bytes at most: send smaller "
            f"batches. {TELL}"
        )
    if grown > IN_MEMORY_BYTES and grown > sent * settings.max_inflation:
        raise RequestTooLarge(
            f"A gzip body may grow {settings.max_inflation} times at most. {TELL}"
        )
