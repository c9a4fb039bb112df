"""The JSON API under `/api/` for coordinators, admins and scripts; OpenAPI at /api/openapi.json."""

from __future__ import annotations

from flask import Flask
from flask_smorest import Api

from schemas.api import Error
from sync_server.api import audit, cases, devices, proposals, quarantine

CONFIG = {
    "API_TITLE": "Sync server",
    "API_VERSION": "1",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api",
    "OPENAPI_JSON_PATH": "openapi.json",
}

SUBJECTS = (devices, proposals, cases, quarantine, audit)


class ServiceApi(Api):  # type: ignore[misc]
    """Errors look as everywhere in the service, and the app renders them."""

    ERROR_SCHEMA = Error

    def _register_error_handlers(self) -> None:
        """The app's own handlers do it."""


def register(app: Flask) -> None:
    """Put the API on the app, which finds its parts at `app.extensions["sync_server"]`."""
    app.config.update(CONFIG)
    service = ServiceApi(app)
    for subject in SUBJECTS:
        service.register_blueprint(subject.blueprint)
