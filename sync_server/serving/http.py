"""A request as WSGI's environ and its answer on the wire, made for many small requests.

gunicorn parses the request; these two replace its own for speed and for the network: the head
of an answer leaves in the same packet as its body, where gunicorn sends two.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes

from gunicorn.http.wsgi import FileWrapper, Response, WSGIErrorsWrapper

_JOINED_BYTES = 128 * 1024
"""Up to this size copying the body behind the head is cheaper than a second send."""

_UNPREFIXED = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}


class SyncResponse(Response):  # type: ignore[misc]
    """The answer to one request; WSGI's `start_response` and what writes the body."""

    def send_headers(self) -> None:
        if not self.headers_sent:
            self.sock.sendall(self._head())

    def _head(self) -> bytes:
        self.headers_sent = True
        connection = "close" if self.should_close() else "keep-alive"
        lines = [
            f"HTTP/{self.req.version[0]}.{self.req.version[1]} {self.status}",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {connection}",
        ]
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        lines.extend([f"{name}: {value}" for name, value in self.headers])
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def write(self, arg: bytes) -> None:
        """Send a part of the body, as a chunk where the answer has no length."""
        data = b"" if self._omits_body else self._within_length(arg)
        self.sent += len(data)
        if self.chunked and data:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        if self.headers_sent:
            if data:
                self.sock.sendall(data)
        elif len(data) <= _JOINED_BYTES:
            self.sock.sendall(self._head() + data)
        else:
            self.sock.sendall(self._head())
            self.sock.sendall(data)

    def _within_length(self, data: bytes) -> bytes:
        if self.response_length is None:
            return data
        left: int = self.response_length - self.sent
        return data if len(data) <= left else data[:left]

    def close(self) -> None:
        """The end of the body."""
        end = b"0\r\n\r\n" if self.chunked else b""
        if not self.headers_sent:
            self.sock.sendall(self._head() + end)
        elif end:
            self.sock.sendall(end)


class Gateway:
    """Makes environs for the requests of one listening socket."""

    def __init__(self, cfg: Any, server: Any) -> None:
        self._fixed: dict[str, Any] = {
            "wsgi.errors": WSGIErrorsWrapper(cfg),
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_SOFTWARE": "sync-server",
            "SERVER_NAME": str(server[0]),
            "SERVER_PORT": str(server[1]),
            "SCRIPT_NAME": "",
        }

    def environ(self, request: Any, sock: Any, peer: Any) -> dict[str, Any]:
        """WSGI's environ. A field that came several times is joined with commas."""
        path: str = request.path
        environ = {
            **self._fixed,
            "wsgi.input": request.body,
            "wsgi.url_scheme": request.scheme,
            "gunicorn.socket": sock,
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query or "",
            "RAW_URI": request.uri,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
            "SERVER_PROTOCOL": f"HTTP/{request.version[0]}.{request.version[1]}",
            "REMOTE_ADDR": peer[0],
            "REMOTE_PORT": str(peer[1]),
        }
        for name, value in request.headers:
            key = _UNPREFIXED.get(name) or _key(name)
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ


_keys: dict[str, str] = {}


def _key(name: str) -> str:
    known = _keys.get(name)
    if known is None:
        known = "HTTP_" + name.replace("-", "_")
        if len(_keys) < 1000:
            _keys[name] = known
    return known


_dated: tuple[int, str] = (0, "")


def _date(second: int) -> str:
    global _dated
    if _dated[0] != second:
        _dated = (second, formatdate(second, usegmt=True))
    return _dated[1]
