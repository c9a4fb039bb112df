"""Serving the revisions by which readers lose documents (see `storage/departures.py`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sync_server.storage.base import (
    NO_ATTACHMENTS,
    MissingRevision,
    Origin,
    Revision,
    Revisions,
    Told,
)
from sync_server.storage.departures import departed_from
from sync_server.storage.sqlite import records
from sync_server.storage.sqlite.records import Document
from sync_server.storage.sqlite.scopes import Scope

Found = Revision | MissingRevision
Named = tuple[str, str]
"""A document and one of its revisions."""


def with_departures(
    connection: sqlite3.Connection, found: Sequence[Found], scope: Scope, told: Told | None
) -> list[Found]:
    """What was not found may be a revision by which the reader lost the document."""
    missing = [(one.doc_id, one.rev) for one in found if isinstance(one, MissingRevision)]
    if not missing:
        return list(found)
    departed = departures_among(connection, missing, scope, told)
    return [
        one if isinstance(one, Revision) else departed.get((one.doc_id, one.rev), one)
        for one in found
    ]


def departures_among(
    connection: sqlite3.Connection, named: Sequence[Named], scope: Scope, told: Told | None
) -> dict[Named, Revision]:
    """Those of the named revisions by which this reader has lost a document.

    Of a document out of sight, none that the reader was not told: it would tell them that there
    is such a document.
    """
    documents = records.find_many(connection, list(dict.fromkeys(doc_id for doc_id, _ in named)))
    hidden = [one.id for one in documents.values() if one.area not in scope.areas]
    known = told(hidden) if told and hidden else None
    departed = {}
    for doc_id, rev in named:
        document = documents.get(doc_id)
        leaf = departed_from(doc_id, rev, document.tree) if document else None
        if document is None or leaf is None:
            continue
        if known is None or document.area in scope.areas or rev in known.get(doc_id, ()):
            departed[doc_id, rev] = _departure(document, rev, leaf)
    return departed


def _departure(document: Document, rev: str, leaf: str) -> Revision:
    above = records.revisions_of(document.tree, leaf)
    revisions = Revisions(above.start + 1, [rev.partition("-")[2], *above.ids])
    return Revision(document.id, rev, True, b"{}", revisions, NO_ATTACHMENTS, Origin())
