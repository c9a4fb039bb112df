"""Routing on the request target as it came over the wire.

An encoded slash in a document id is part of the id, a raw one separates. WSGI's `PATH_INFO` is
decoded already, so the two cannot be told apart there: rules match the raw path, segment by
segment, and the converters decode what they matched.

    /db/rushit/household%2F7          database, document id "household/7"
    /db/rushit/_design/pages          database, design document
    /db/rushit/a/photos/front.jpg     database, document id, attachment "photos/front.jpg"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from flask import Request
from werkzeug.routing import BaseConverter, MapAdapter

from sync_server.replication.lean_flask import LeanFlask

_PATH_SAFE = "!$&'()*+,/:;=@~"
_SEGMENT_SAFE = "!$&'()*+,:;=@~"


def raw_path(environ: Mapping[str, Any]) -> str:
    """The still encoded path of the request, without the prefix the app is mounted under."""
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not target:
        return quote(environ.get("PATH_INFO", "").encode("latin-1"), safe=_PATH_SAFE)
    if not target.startswith("/"):
        target = _origin_form(target)
    path = target.partition("?")[0].partition("#")[0]
    prefix: str = environ.get("SCRIPT_NAME", "")
    return path[len(prefix) :] if prefix and path.startswith(prefix) else path


def _origin_form(target: str) -> str:
    """The path and query of an absolute request target, `http://host/path`."""
    authority_and_path = target.partition("://")[2]
    return "/" + authority_and_path.partition("/")[2]


def decode_segment(value: str) -> str:
    """Percent-decode; bytes that are no UTF-8 become lone surrogates, which no id may hold."""
    if "%" not in value and value.isascii():
        return value
    return unquote_to_bytes(value.encode("latin-1", "replace")).decode("utf-8", "surrogateescape")


class _DecodedConverter(BaseConverter):
    def to_python(self, value: str) -> str:
        return decode_segment(value)

    def to_url(self, value: Any) -> str:
        return quote(str(value), safe=_SEGMENT_SAFE)


class DatabaseNameConverter(_DecodedConverter):
    """`<db:name>`: one segment; a slash in the name comes encoded."""


class DocumentIdConverter(_DecodedConverter):
    """`<docid:doc_id>`: one segment; a slash in the id comes encoded."""


class AttachmentNameConverter(_DecodedConverter):
    """`<attname:name>`: all that is left; PouchDB sends slashes in attachment names raw."""

    regex = ".+?"
    part_isolating = False
    weight = 200

    def to_url(self, value: Any) -> str:
        return quote(str(value), safe=_PATH_SAFE)


class RawPathFlask(LeanFlask):
    """A Flask app whose rules match the raw path, and which never redirects.

    Cloudant Sync treats any 3xx as failure, so `/db/x` and `/db/x/` are the same and doubled
    slashes are not merged.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.url_map.redirect_defaults = False
        self.url_map.converters.update(
            db=DatabaseNameConverter, docid=DocumentIdConverter, attname=AttachmentNameConverter
        )

    def path_key(self, request: Request) -> tuple[str, str]:
        return request.method, raw_path(request.environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        return MapAdapter(
            self.url_map,
            server_name=environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
            script_name=(environ.get("SCRIPT_NAME") or "") + "/",
            subdomain="",
            url_scheme=environ.get("wsgi.url_scheme", "http"),
            path_info=raw_path(environ),
            default_method=environ["REQUEST_METHOD"],
            query_args=environ.get("QUERY_STRING", ""),
        )
