"""Compressing answers with zstd, br or gzip, as the client accepts.

Documents of this kind shrink to a tenth, which over 2G is the difference between a sync that
ends and one that does not. Streams (longpoll, continuous, attachments) pass as they are: a feed
must reach the client row by row, and photos do not shrink.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import brotli
import zstandard
from werkzeug.wrappers import Response

MINIMUM_BYTES = 860
"""Below this an answer fits one packet anyway."""

# Levels at which a batch of 100 documents takes a few milliseconds at most.
_ZSTD_LEVEL = 3
_BROTLI_QUALITY = 4
_GZIP_LEVEL = 5

_COMPRESSIBLE = ("application/json", "text/", "application/javascript", "image/svg+xml")


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def _br(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data, quality=_BROTLI_QUALITY)
    return compressed


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, _GZIP_LEVEL, mtime=0)


# Preferred first, where the client likes several equally.
_CODINGS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "br": _br, "gzip": _gzip}


def compress(environ: dict[str, Any], response: Response) -> None:
    """Compress the response in place, if the client accepts that and it is worth it."""
    if response.is_streamed or response.direct_passthrough or not _worth_it(response):
        return
    response.headers.add("Vary", "Accept-Encoding")
    coding = choose_coding(environ.get("HTTP_ACCEPT_ENCODING", ""))
    if coding is None:
        return
    response.set_data(_CODINGS[coding](response.get_data()))
    response.headers["Content-Encoding"] = coding
    _weaken_etag(response)


def _worth_it(response: Response) -> bool:
    length = response.content_length
    return (
        length is not None
        and length >= MINIMUM_BYTES
        and (response.content_type or "").startswith(_COMPRESSIBLE)
        and response.status_code not in (204, 206, 304)
        and "Content-Encoding" not in response.headers
    )


def _weaken_etag(response: Response) -> None:
    # The compressed bytes are another representation: a strong validator must not span both.
    etag, weak = response.get_etag()
    if etag is not None and not weak:
        response.set_etag(etag, weak=True)


@lru_cache(maxsize=256)
def choose_coding(accept_encoding: str) -> str | None:
    """The coding the client likes best, of those offered; None to send it as it is.

    RFC 9110, section 12.5.3: `*` stands for what is not named, `q=0` forbids.
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameter = item.strip().partition(";")
        weights[name.strip()] = _weight(parameter)
    rest = weights.get("*", 0.0)
    liked = {coding: weights.get(coding, rest) for coding in _CODINGS}
    best = max(liked, key=liked.__getitem__)
    plain = weights.get("identity", 0.0)
    return best if liked[best] > 0 and liked[best] >= plain else None


def _weight(parameter: str) -> float:
    key, _, value = parameter.strip().partition("=")
    if key.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
