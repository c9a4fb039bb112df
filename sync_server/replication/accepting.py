"""What a client asked to be answered with, by its Accept header."""

from __future__ import annotations

from flask import request


def prefers_multipart(subtype: str) -> bool:
    """Whether `multipart/<subtype>` is named by the Accept header, and no less than JSON.

    A mere `*/*` gets JSON: every client reads it.
    """
    if "multipart/" not in request.environ.get("HTTP_ACCEPT", ""):
        return False
    accepted = request.accept_mimetypes
    wanted = max((q for name, q in accepted if name in _names(subtype)), default=0)
    json = max((q for name, q in accepted if name == "application/json"), default=0)
    return wanted > 0 and wanted >= json


def _names(subtype: str) -> tuple[str, str]:
    return f"multipart/{subtype}", "multipart/*"
