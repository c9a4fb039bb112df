"""Filters of the changes feed: by id, by selector, design documents only.

The server runs no code from documents, so filter functions of design documents are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sync_server.errors import BadRequest, NotFound
from sync_server.replication import parameters
from sync_server.replication.identifiers import DESIGN_PREFIX
from sync_server.replication.mango import Predicate, compile_selector
from sync_server.storage.base import Change, Database, Revision

Keep = Callable[[Database, Sequence[Change]], list[Change]]
"""What passes a filter; a departure always does, or the client would keep the document."""


@dataclass(frozen=True, slots=True)
class ChangesFilter:
    """`doc_ids` is for storage to select by; `keep` picks rows out of what storage gives."""

    doc_ids: Sequence[str] | None = None
    keep: Keep | None = None


NO_FILTER = ChangesFilter()


def read_filter(given: dict[str, Any], *, is_post: bool, is_admin: bool) -> ChangesFilter:
    """The filter that a request names. Raises BadRequest, or NotFound for a design function."""
    name = given.get("filter")
    if name is None or name == "":
        return NO_FILTER
    if name == "_doc_ids":
        return ChangesFilter(doc_ids=parameters.string_list("doc_ids", given.get("doc_ids")))
    if name == "_selector":
        return _selector(given, is_post, is_admin)
    if name == "_design":
        return ChangesFilter(keep=_design_documents)
    if name == "_view":
        raise BadRequest("filter=_view needs a view, and this server runs no code from documents.")
    if type(name) is str and "/" in name:
        raise NotFound("This server runs no code from documents: use filter=_selector.")
    raise BadRequest(f"Unknown filter {name!r}: there are _doc_ids, _selector and _design.")


def _selector(given: dict[str, Any], is_post: bool, is_admin: bool) -> ChangesFilter:
    if not is_post or "selector" not in given:
        raise BadRequest("filter=_selector needs a POST whose body holds a `selector`.")
    matches = compile_selector(given["selector"], regular_expressions=is_admin)

    def keep(database: Database, rows: Sequence[Change]) -> list[Change]:
        winners = database.winners([row.doc_id for row in rows])
        return [
            row
            for row, winner in zip(rows, winners, strict=True)
            if row.departed or (winner is not None and selects(matches, winner))
        ]

    return ChangesFilter(keep=keep)


def _design_documents(database: Database, rows: Sequence[Change]) -> list[Change]:
    return [row for row in rows if row.departed or row.doc_id.startswith(DESIGN_PREFIX)]


def selects(matches: Predicate, revision: Revision) -> bool:
    return matches(selectable(revision))


def selectable(revision: Revision) -> dict[str, Any]:
    """The document as selectors see it."""
    document: dict[str, Any] = orjson.loads(revision.body)
    document["_id"] = revision.doc_id
    document["_rev"] = revision.rev
    if revision.deleted:
        document["_deleted"] = True
    return document
