"""A lean HTTP/1.1 client, so that what is measured is the server and not its caller.

One `Connection` is one tablet: one kept-alive socket, one request at a time, requests built
beforehand as bytes. Bodies stay as they came over the wire; decoding them is left until the
clock has stopped.
"""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import brotli
import orjson
import zstandard

RECEIVE_BYTES = 256 * 1024
BODILESS_STATUSES = frozenset({204, 304})


class HttpError(Exception):
    """The peer sent something that is not a complete HTTP/1.1 response."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response, its body still encoded as `Content-Encoding` says."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; of a repeated header the last value."""
    body: bytes
    wire_bytes: int
    """Bytes received for it: status line, headers, chunk framing and body."""

    def content(self) -> bytes:
        """The body without its content encoding."""
        encoding = self.headers.get("content-encoding", "identity").lower()
        return decode(self.body, encoding)

    def json(self) -> Any:
        return orjson.loads(self.content())


def decode(body: bytes, encoding: str) -> bytes:
    """Undo a content encoding. Raises HttpError for one that is not known."""
    if encoding == "identity":
        return body
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "br":
        return bytes(brotli.decompress(body))
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    raise HttpError(f"unknown content encoding {encoding!r}")


class ResponseReader:
    """Takes the bytes of one response as they arrive.

    `feed` answers the response once it is complete. It never blocks, so thousands of them can
    hang on one selector.
    """

    def __init__(self, *, head_request: bool = False) -> None:
        self._buffer = bytearray()
        self._received = 0
        self._head_request = head_request
        self._status = 0
        self._headers: dict[str, str] = {}
        self._length: int | None = None
        self._chunked = False
        self._chunks: list[bytes] = []
        self._at = 0

    def feed(self, data: bytes) -> Response | None:
        """Add what was received; `b""` says that the peer closed the connection."""
        if not data:
            return self._closed()
        self._buffer += data
        self._received += len(data)
        if not self._status and not self._read_head():
            return None
        if self._chunked:
            return self._read_chunks()
        if self._length is None or len(self._buffer) < self._length:
            return None
        if len(self._buffer) > self._length:
            raise HttpError("bytes after the end of the response")
        return self._response(bytes(self._buffer))

    @property
    def started(self) -> bool:
        """Whether the status line and the headers are there."""
        return bool(self._status)

    @property
    def status(self) -> int:
        """The status code, 0 before the headers are there."""
        return self._status

    def _read_head(self) -> bool:
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lines = self._buffer[:end].decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            status = _status_code(lines[0])
            if status < 200:
                continue
            self._status = status
            self._headers = dict(_header(line) for line in lines[1:])
            self._choose_framing()
            return True
        return False

    def _choose_framing(self) -> None:
        coding = self._headers.get("transfer-encoding", "").lower()
        if self._head_request or self._status in BODILESS_STATUSES:
            self._length = 0
        elif coding == "chunked":
            self._chunked = True
        elif coding:
            raise HttpError(f"unknown transfer encoding {coding!r}")
        elif "content-length" in self._headers:
            self._length = _natural(self._headers["content-length"], 10, "content-length")

    def _read_chunks(self) -> Response | None:
        while (end := self._buffer.find(b"\r\n", self._at)) >= 0:
            line = self._buffer[self._at : end].split(b";", 1)[0]
            size = _natural(line.decode("latin-1").strip(), 16, "chunk size")
            start = end + 2
            if len(self._buffer) < start + size + 2:
                return None
            if self._buffer[start + size : start + size + 2] != b"\r\n":
                raise HttpError("a chunk does not end where its size says")
            if size == 0:
                return self._response(b"".join(self._chunks))
            self._chunks.append(bytes(self._buffer[start : start + size]))
            self._at = start + size + 2
        return None

    def _closed(self) -> Response:
        if not self._status or self._chunked or self._length is not None:
            raise HttpError("the connection was closed in the middle of a response")
        return self._response(bytes(self._buffer))

    def _response(self, body: bytes) -> Response:
        return Response(self._status, self._headers, body, self._received)


def _status_code(line: str) -> int:
    parts = line.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or len(parts[1]) != 3:
        raise HttpError(f"not a status line: {line[:80]!r}")
    return _natural(parts[1], 10, "status code")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip():
        raise HttpError(f"not a header: {line[:80]!r}")
    return name.lower(), value.strip()


def _natural(text: str, base: int, what: str) -> int:
    if not text.isalnum():
        raise HttpError(f"bad {what}: {text[:80]!r}")
    try:
        return int(text, base)
    except ValueError:
        raise HttpError(f"bad {what}: {text[:80]!r}") from None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer listens and how a tablet signs in there."""

    host: str
    port: int
    authorization: str
    accept_encoding: str = "identity"
    gzip_requests: bool = False
    """Send bodies gzip-encoded, which PouchDB and CouchDB do not do but this server takes."""

    def request(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """A request as bytes, with the headers that PouchDB sends."""
        length = ""
        if body is not None and self.gzip_requests:
            body = gzip.compress(body)
            length = "Content-Encoding: gzip\r\n"
        if body is not None:
            length += f"Content-Length: {len(body)}\r\n"
        head = (
            f"{method} {target} HTTP/1.1\r\n"
            f"Host: {self.host}:{self.port}\r\n"
            f"Authorization: {self.authorization}\r\n"
            "Content-Type: application/json\r\n"
            "Accept: application/json\r\n"
            f"Accept-Encoding: {self.accept_encoding}\r\n"
            f"{length}\r\n"
        )
        return head.encode("latin-1") + (body or b"")


class Connection:
    """A kept-alive connection; counts what goes over it in both directions."""

    def __init__(self, endpoint: Endpoint, timeout: float = 120.0) -> None:
        self.endpoint = endpoint
        self.sent_bytes = 0
        self.received_bytes = 0
        self._socket = socket.create_connection((endpoint.host, endpoint.port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> Response:
        """Send a request built by `Endpoint.request` and wait for its response."""
        self._socket.sendall(request)
        reader = ResponseReader(head_request=request.startswith(b"HEAD "))
        while (response := reader.feed(self._socket.recv(RECEIVE_BYTES))) is None:
            pass
        self.sent_bytes += len(request)
        self.received_bytes += response.wire_bytes
        return response

    def ask(self, method: str, target: str, body: object | None = None) -> Response:
        """Build a request with a JSON body and exchange it; for what is not timed."""
        raw = None if body is None else orjson.dumps(body)
        return self.exchange(self.endpoint.request(method, target, raw))

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
