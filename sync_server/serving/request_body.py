"""The request's body as the application reads it: complete, or an error that it can answer.

gunicorn hands out what came before the connection broke as if it were all, and raises errors
of its own for broken chunks. A batch that was cut off must change nothing, so here both become
errors of the request.
"""

from __future__ import annotations

from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, ClientDisconnected

_DECLARED = "CONTENT_LENGTH"


class CheckedBody:
    """A body of `length` bytes, or one in chunks where that is None."""

    def __init__(self, body: Any, length: int | None) -> None:
        self._body = body
        self._left = length

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
            data: bytes = read(size)
        except (NoMoreData, ConnectionError, TimeoutError) as error:
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


def check_body(environ: dict[str, Any]) -> None:
    """Put a `CheckedBody` in the place of the request's body, if it has one."""
    length = environ.get(_DECLARED)
    if length or "HTTP_TRANSFER_ENCODING" in environ:
        environ["wsgi.input"] = CheckedBody(environ["wsgi.input"], int(length) if length else None)
