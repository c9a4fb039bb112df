"""The one place where the parts of the service become a web application."""

from __future__ import annotations

import errno
import logging

import orjson
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from sync_server import api, metrics, replication
from sync_server.access import authentication, permissions
from sync_server.access.remote_address import peer_of
from sync_server.errors import NotFound, StorageFull, SyncError
from sync_server.parts import Parts, open_parts
from sync_server.replication.routing import RawPathFlask
from sync_server.serving import edge, health
from sync_server.settings import Settings
from sync_server.storage.base import DocumentStore
from sync_server.storage.sqlite.connections import NO_ROOM

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a file that a large body or answer is spooled to may meet."""

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings, store: DocumentStore | None = None, *, migrate: bool = True
) -> Flask:
    """The application for these settings, its parts at `app.extensions["sync_server"]`.

    `migrate=False` where `serve` has brought the service's database up to date already.
    """
    app = RawPathFlask("sync_server", static_folder=None)
    app.extensions["sync_server"] = open_parts(settings, store, migrate=migrate)
    app.after_request(_finish)  # registered first, so it runs last
    app.register_error_handler(SyncError, _render)
    app.register_error_handler(StorageFull, _render_full)
    app.register_error_handler(OSError, _render_os_error)
    app.register_error_handler(OperationalError, _render_sql_error)
    app.register_error_handler(HTTPException, _render_http)
    app.register_error_handler(Exception, _render_unexpected)
    app.add_url_rule("/healthz", "healthz", _healthz)
    app.add_url_rule("/metrics", "metrics", _metrics)
    replication.register(app)
    api.register(app)
    return app


def _parts() -> Parts:
    parts: Parts = current_app.extensions["sync_server"]
    return parts


def _finish(response: Response) -> Response:
    edge.finish(request.environ, request.endpoint, response, _parts().settings)
    return response


def _healthz() -> Response:
    report = health.check(_parts())
    status = 200 if report.ok else 503
    return _json(status, report.as_json())


def _metrics() -> Response:
    parts = _parts()
    if not parts.settings.public_metrics:
        header, peer = request.headers.get("Authorization"), peer_of(request.environ)
        permissions.require_admin(authentication.authenticate(parts, header, None, peer))
    return Response(parts.metrics.render(), content_type=metrics.CONTENT_TYPE)


def _render(error: SyncError) -> Response:
    response = _json(error.status, {"error": error.error, "reason": error.reason, **error.details})
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _render_full(error: StorageFull) -> Response:
    _log.error("the disk is full")
    return _render(error)


def _render_os_error(error: OSError) -> Response:
    return _render_full(StorageFull()) if error.errno in _NO_ROOM else _render_unexpected(error)


def _render_sql_error(error: OperationalError) -> Response:
    """The service's own database may be the one that finds no room."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return _render_full(StorageFull()) if code in NO_ROOM else _render_unexpected(error)


def _render_http(error: HTTPException) -> Response:
    if error.code == 404:
        return _render(NotFound("There is nothing at this address."))
    name = (error.name or "error").lower().replace(" ", "_")
    response = _json(error.code or 500, {"error": name, "reason": error.description or name})
    response.headers.extend(
        (key, value) for key, value in error.get_headers() if key.lower() != "content-type"
    )
    return response


def _render_unexpected(error: Exception) -> Response:
    _log.exception("unexpected error")
    return _render(SyncError())


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(orjson.dumps(body) + b"\n", status, content_type="application/json")
