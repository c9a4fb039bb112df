"""The request's body as the application reads it: complete, or an error that it can answer.

gunicorn hands out what came before the connection broke as if it were all, raises errors of its
own for broken chunks, and waits for ever for one that has stalled. A batch that was cut off must
change nothing, so here all of these become errors of the request.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestTimeout

_DECLARED = "CONTENT_LENGTH"

AWAITED_KEY = "sync_server.awaited"
"""In the environment of a request whose client waits for `100 Continue` before it sends a body.

It gets that when the body is first read: what is refused before does not have to be uploaded.
"""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Arrival:
    """While a part of the body is read: asks for it where the client waits to be asked, and
    waits no longer than that for each piece.
    """

    def __init__(self, environ: dict[str, Any], stalled_seconds: float) -> None:
        self._environ = environ
        self._connection = environ["gunicorn.socket"]
        self._stalled_seconds = stalled_seconds

    def __enter__(self) -> None:
        if self._environ.pop(AWAITED_KEY, False):
            self._connection.sendall(_CONTINUE)
        self._connection.settimeout(self._stalled_seconds)

    def __exit__(self, *_: object) -> None:
        self._connection.settimeout(None)


class CheckedBody:
    """A body of `length` bytes, or one in chunks where that is None."""

    def __init__(
        self,
        body: Any,
        length: int | None,
        arrival: AbstractContextManager[None] | None = None,
    ) -> None:
        self._body = body
        self._left = length
        self._arrival = arrival or nullcontext()

    def read(self, size: int | None = None) -> bytes:
        everything = size is None or size < 0
        data = self._checked(self._body.read, size)
        if everything and self._left:
            raise self._cut_off()
        return data

    def readline(self, size: int | None = None) -> bytes:
        return self._checked(self._body.readline, size)

    def readlines(self) -> list[bytes]:
        return list(self)

    def __iter__(self) -> CheckedBody:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _checked(self, read: Any, size: int | None) -> bytes:
        try:
            with self._arrival:
                data: bytes = read(size)
        except TimeoutError as error:
            raise RequestTimeout("The request's body did not arrive: send it again.") from error
        except (NoMoreData, ConnectionError) as error:
            raise ClientDisconnected from error
        except ParseException as error:
            raise BadRequest(f"The body's chunks are malformed: {error}") from error
        if self._left is not None:
            self._left -= len(data)
            if self._left > 0 and not data and size != 0:
                raise self._cut_off()
        return data

    def _cut_off(self) -> ClientDisconnected:
        # Tells the connection's loop, too, that no other request can follow.
        self._body.failed = True
        return ClientDisconnected()


def check_body(environ: dict[str, Any], stalled_seconds: float) -> None:
    """Put a `CheckedBody` in the place of the request's body, if it has one."""
    length = environ.get(_DECLARED)
    if length or "HTTP_TRANSFER_ENCODING" in environ:
        environ["wsgi.input"] = CheckedBody(
            environ["wsgi.input"],
            int(length) if length else None,
            Arrival(environ, stalled_seconds),
        )
