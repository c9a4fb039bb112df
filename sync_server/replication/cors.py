"""CORS for the origins that the settings name: a tablet's page may talk to this server, to
enrol and to sync.

Credentials are allowed, so an answer names the one origin that asked and never `*`.
"""

from __future__ import annotations

from flask import Flask, Response, request

METHODS = "GET, HEAD, PUT, POST, DELETE, COPY, OPTIONS"
REQUEST_HEADERS = (
    "accept, authorization, content-type, origin, referer, destination, if-match, x-app-version"
)
EXPOSED_HEADERS = (
    "content-type, cache-control, accept-ranges, etag, server, x-request-id, retry-after"
)
OPEN_PATHS = ("/db", "/api/enrol")
PREFLIGHT_SECONDS = "86400"


def allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer preflights and mark responses to tablets for these origins; none: do nothing."""
    if not origins:
        return
    allowed = frozenset(origin.rstrip("/") for origin in origins)

    def mark(response: Response) -> Response:
        if request.path.startswith("/db/") or request.path in OPEN_PATHS:
            response.headers.add("Vary", "Origin")
            origin = request.environ.get("HTTP_ORIGIN")
            if origin in allowed:
                _allow(response, origin)
        return response

    app.after_request(mark)


def _allow(response: Response, origin: str) -> None:
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    if request.method != "OPTIONS":
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return
    headers["Access-Control-Allow-Methods"] = METHODS
    headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
    headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
