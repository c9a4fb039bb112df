"""Serving the revisions by which readers lose documents (see `storage/departures.py`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sync_server.storage.base import (
    NO_ATTACHMENTS,
    Formerly,
    MissingRevision,
    Origin,
    Revision,
    Revisions,
)
from sync_server.storage.departures import departed_from
from sync_server.storage.sqlite import records
from sync_server.storage.sqlite.records import Document
from sync_server.storage.sqlite.scopes import Scope

Found = Revision | MissingRevision
Named = tuple[str, str]
"""A document and one of its revisions."""


def with_departures(
    connection: sqlite3.Connection, found: Sequence[Found], scope: Scope, formerly: Formerly | None
) -> list[Found]:
    """What was not found may be a revision by which the reader lost the document."""
    missing = [(one.doc_id, one.rev) for one in found if isinstance(one, MissingRevision)]
    if not missing:
        return list(found)
    departed = departures_among(connection, missing, scope, formerly)
    return [
        one if isinstance(one, Revision) else departed.get((one.doc_id, one.rev), one)
        for one in found
    ]


def departures_among(
    connection: sqlite3.Connection, named: Sequence[Named], scope: Scope, formerly: Formerly | None
) -> dict[Named, Revision]:
    """Those of the named revisions by which this reader has lost a document.

    Of a document that they never saw there is none: it would tell them that there is one.
    """
    documents = records.find_many(connection, list(dict.fromkeys(doc_id for doc_id, _ in named)))
    hidden = [one.id for one in documents.values() if one.area not in scope.areas]
    unseen = set(hidden) - held(connection, hidden, formerly)
    departed = {}
    for doc_id, rev in named:
        document = documents.get(doc_id) if doc_id not in unseen else None
        leaf = departed_from(doc_id, rev, document.tree) if document else None
        if document is not None and leaf is not None:
            departed[doc_id, rev] = _departure(document, rev, leaf)
    return departed


def held(
    connection: sqlite3.Connection, doc_ids: Sequence[str], formerly: Formerly | None
) -> set[str]:
    """Those of these documents that a reader may have had: they stand, or once stood, where that
    reader could see.
    """
    if formerly is None:
        return set(doc_ids)
    found: set[str] = set()
    for chunk, marks in records.chunks(doc_ids):
        rows = connection.execute(
            f"SELECT id, area, entered_at, NULL FROM document WHERE id IN ({marks}) UNION ALL"
            " SELECT id, move.area, move.entered_at, left_at"
            f" FROM document JOIN move ON move.document = number WHERE id IN ({marks})",
            (*chunk, *chunk),
        )
        found.update(doc_id for doc_id, *stay in rows if formerly.saw(*stay))
    return found


def _departure(document: Document, rev: str, leaf: str) -> Revision:
    above = records.revisions_of(document.tree, leaf)
    revisions = Revisions(above.start + 1, [rev.partition("-")[2], *above.ids])
    return Revision(document.id, rev, True, b"{}", revisions, NO_ATTACHMENTS, Origin())
