"""The JSON API under `/api/` for coordinators, admins and scripts."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Put the API on the app, which finds its parts at `app.extensions["sync_server"]`."""
