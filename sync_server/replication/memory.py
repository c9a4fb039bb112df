"""Memory that a large request has taken, given back to the system.

The C library keeps what was freed in the middle of its heap. A batch of 60 MB, parsed, takes ten
times as much for a moment, and a web process that has had a few of them would keep gigabytes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from flask import Response, after_this_request

_trim: Callable[[int], object] = getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)
"""Of glibc; other C libraries have none, and need none."""


def give_back_afterwards() -> None:
    """Once this request's view has returned, and what it held is free."""
    after_this_request(_give_back)


def _give_back(response: Response) -> Response:
    _trim(0)
    return response
