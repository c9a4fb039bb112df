"""Compressing answers with zstd, br or gzip, as the client accepts.

Documents of this kind shrink to a tenth, which over 2G is the difference between a sync that
ends and one that does not. A long answer that is made as it is read is compressed as it is made.
Feeds pass as they are: each row must reach the client at once, and a compressor per waiting
tablet would take a quarter of a megabyte. So do attachments: photos do not shrink.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

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


_WAITING_FEED = re.compile("feed=(longpoll|continuous|eventsource)")


class _Stream(NamedTuple):
    """A compressor that is fed part by part."""

    add: Callable[[bytes], bytes]
    finish: Callable[[], bytes]


class _Coding(NamedTuple):
    whole: Callable[[bytes], bytes]
    stream: Callable[[], _Stream]


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def _zstd_stream() -> _Stream:
    stream = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return _Stream(stream.compress, stream.flush)


def _br(data: bytes) -> bytes:
    compressed: bytes = brotli.compress(data, quality=_BROTLI_QUALITY)
    return compressed


def _br_stream() -> _Stream:
    stream = brotli.Compressor(quality=_BROTLI_QUALITY)
    return _Stream(stream.process, stream.finish)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, _GZIP_LEVEL, mtime=0)


def _gzip_stream() -> _Stream:
    stream = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    return _Stream(stream.compress, stream.flush)


# Preferred first, where the client likes several equally.
_CODINGS = {
    "zstd": _Coding(_zstd, _zstd_stream),
    "br": _Coding(_br, _br_stream),
    "gzip": _Coding(_gzip, _gzip_stream),
}


def compress(environ: dict[str, Any], response: Response) -> None:
    """Compress the response in place, if the client accepts that and it is worth it."""
    if not _worth_it(environ, response):
        return
    response.headers.add("Vary", "Accept-Encoding")
    name = choose_coding(environ.get("HTTP_ACCEPT_ENCODING", ""))
    if name is None:
        return
    if response.is_streamed:
        response.response = _compressed(response.response, _CODINGS[name].stream())
    else:
        response.set_data(_CODINGS[name].whole(response.get_data()))
    response.headers["Content-Encoding"] = name
    _weaken_etag(response)


def _worth_it(environ: dict[str, Any], response: Response) -> bool:
    length = response.content_length
    if response.is_streamed:
        # A stream of known length is an attachment.
        pays = length is None and not _WAITING_FEED.search(environ.get("QUERY_STRING", ""))
    else:
        pays = length is not None and length >= MINIMUM_BYTES
    return (
        pays
        and (response.content_type or "").startswith(_COMPRESSIBLE)
        and response.status_code not in (204, 206, 304)
        and "Content-Encoding" not in response.headers
    )


def _compressed(parts: Iterable[Any], stream: _Stream) -> Iterator[bytes]:
    try:
        for part in parts:
            if data := stream.add(part):
                yield data
        yield stream.finish()
    finally:
        close = getattr(parts, "close", None)
        if close is not None:
            close()


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
