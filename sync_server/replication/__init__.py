"""The HTTP API that tablets speak: the CouchDB replication protocol under `/db/`."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Put the replication endpoints on the app, which finds its parts at
    `app.extensions["sync_server"]` when requests come in.
    """
