"""Names in a database that start with an underscore, and what is asked of them in vain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from flask import Flask, current_app
from werkzeug.exceptions import MethodNotAllowed as HTTPMethodNotAllowed

from sync_server.errors import IllegalDocumentId, NotFound
from sync_server.replication.identifiers import DESIGN_PREFIX

_UNDER_A_DATABASE = "/db/<db:name>/_"

UNOFFERED_DESIGN = ("_show", "_list", "_rewrite", "_update")


def endpoint_methods(app: Flask) -> dict[str, list[str]]:
    """Methods of every `/db/<database>/_name`, by that name."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        name = rule.rule.removeprefix(_UNDER_A_DATABASE)
        if name != rule.rule and "/" not in name:
            found.setdefault("_" + name, set()).update(rule.methods or ())
    return {name: sorted(methods) for name, methods in found.items()}


def is_reserved(doc_id: str) -> bool:
    """Whether this can be no document's id: it starts with an underscore and is no design's."""
    return doc_id[:1] == "_" and not doc_id.startswith(DESIGN_PREFIX)


def refuse_reading(name: str) -> NoReturn:
    """Raises 405 for an endpoint that another method has (Cloudant Sync looks for `_bulk_get`
    that way), else NotFound.
    """
    _refuse_method(name)
    raise NotFound("missing")


def refuse_writing(name: str) -> NoReturn:
    """Raises 405 for an endpoint that another method has, else IllegalDocumentId."""
    _refuse_method(name)
    raise IllegalDocumentId("Only reserved document ids may start with underscore.")


def _refuse_method(name: str) -> None:
    methods: Iterable[str] = endpoint_methods(current_app).get(name, ())
    if methods:
        allowed = list(methods)
        raise HTTPMethodNotAllowed(allowed, f"Only {', '.join(allowed)} allowed")
