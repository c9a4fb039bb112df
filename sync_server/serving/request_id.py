"""A short id for every request: in its log lines and in its answer, as `X-Request-Id`."""

from __future__ import annotations

import itertools
import os
import re
import secrets
from typing import Any

_KEY = "sync_server.request_id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


_numbers = itertools.count(secrets.randbits(32))


def _new_id() -> str:
    """Distinct in this process by the number, among processes by their own ids."""
    return f"{os.getpid():x}-{next(_numbers):x}"


def request_id(environ: dict[str, Any]) -> str:
    """The id of this request: the one a proxy or client sent if it is sane, else a new one."""
    known: str | None = environ.get(_KEY)
    if known is None:
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        known = sent if sent and _ACCEPTED.fullmatch(sent) else _new_id()
        environ[_KEY] = known
    return known
