"""The HTTP API that tablets speak: the CouchDB replication protocol under `/db/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flask import Flask

from sync_server.replication import (
    all_docs,
    attachments,
    bulk_docs,
    bulk_get,
    changes,
    cors,
    databases,
    design,
    documents,
    editing,
    find,
    local,
    revs_diff,
    server,
    session,
)
from sync_server.replication.surroundings import EXTENSION, Runtime, end_visit

if TYPE_CHECKING:
    from sync_server.parts import Parts

CONCEPTS = (
    server,
    session,
    databases,
    documents,
    editing,
    bulk_docs,
    bulk_get,
    revs_diff,
    all_docs,
    changes,
    local,
    attachments,
    design,
    find,
)


def register(app: Flask) -> None:
    """Put the replication endpoints on the app, which has its parts at
    `app.extensions["sync_server"]` already.
    """
    parts = cast("Parts", app.extensions["sync_server"])
    app.extensions[EXTENSION] = Runtime.of(parts.settings)
    app.teardown_request(end_visit)
    for concept in CONCEPTS:
        app.register_blueprint(concept.blueprint, url_prefix="/db")
    cors.allow_origins(app, parts.settings.cors_origins)
