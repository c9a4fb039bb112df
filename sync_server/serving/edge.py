"""What every answer gets on its way out: a request id, and compression where it pays.

It runs for each request, so it costs a few microseconds at most.
"""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from sync_server.serving.compression import compress
from sync_server.serving.request_id import request_id
from sync_server.settings import Settings

ENDPOINT_KEY = "sync_server.endpoint"
"""Where the log and the metrics find which route answered."""


def finish(
    environ: dict[str, Any], endpoint: str | None, response: Response, settings: Settings
) -> None:
    """Change the response in place; leave the route's name for the log and the metrics."""
    environ[ENDPOINT_KEY] = endpoint
    response.headers.set("X-Request-Id", request_id(environ))
    if settings.compress_responses:
        compress(environ, response)
