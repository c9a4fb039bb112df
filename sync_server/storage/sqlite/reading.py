"""Reading revisions. `_bulk_get` of winning leaves is the path a pulling tablet takes: one query
for the batch, and of each tree no more than its branch is decoded."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from sync_server.errors import NotFound
from sync_server.storage.base import (
    AllDocsPage,
    AllDocsRow,
    AreaCount,
    DocumentState,
    MissingRevision,
    Revision,
    RevisionStatus,
    RevsDiff,
)
from sync_server.storage.departures import departed_from
from sync_server.storage.sqlite import records, sequences
from sync_server.storage.sqlite.records import BODY_COLUMNS, Document

Found = Revision | MissingRevision

_WINNERS = (
    "SELECT document.id, document.rev, document.leaves, document.tree, document.number, area,"
    f" {BODY_COLUMNS} FROM document LEFT JOIN body ON body.number = document.body"
    " WHERE document.id IN ({marks})"
)


def get(connection: sqlite3.Connection, doc_id: str, rev: str | None) -> Revision:
    document = records.find(connection, doc_id)
    if document is None:
        raise NotFound("missing")
    wanted = rev or document.rev
    if rev is None and document.tree.nodes[wanted].deleted:
        raise NotFound("deleted")
    found = _revision(connection, document, wanted)
    if isinstance(found, MissingRevision):
        raise found.as_error()
    return found


def _revision(connection: sqlite3.Connection, document: Document, rev: str) -> Found:
    node = document.tree.nodes.get(rev)
    numbers = [] if node is None or node.body is None else [node.body]
    return _of_body(document, rev, records.load_bodies(connection, numbers))


def state(document: Document, epoch: str) -> DocumentState:
    seq = sequences.token(document.seq, epoch)
    return DocumentState(document.id, seq, document.area, document.leaves())


def open_revs(
    connection: sqlite3.Connection, doc_id: str, revs: Sequence[str] | None, latest: bool
) -> list[Found]:
    document = records.find(connection, doc_id)
    if document is None:
        return [MissingRevision(doc_id, rev) for rev in revs or ()]
    return [_revision(connection, document, rev) for rev in _wanted(document, revs, latest)]


def _wanted(document: Document, revs: Sequence[str] | None, latest: bool) -> list[str]:
    if revs is None:
        return document.tree.leaves()
    return _latest(document, revs) if latest else list(revs)


def _latest(document: Document, revs: Sequence[str]) -> list[str]:
    wanted: dict[str, None] = {}
    for rev in revs:
        below = document.tree.leaves_below(rev) if rev in document.tree else [rev]
        wanted.update(dict.fromkeys(below))
    return list(wanted)


def bulk_get(
    connection: sqlite3.Connection,
    requests: Sequence[tuple[str, str | None]],
    latest: bool,
    seen: Collection[str] | None = None,
) -> list[list[Found]]:
    """`seen`: documents of these areas alone are there; None: of all."""
    rows = _winner_rows(connection, [doc_id for doc_id, _ in requests])
    documents: dict[str, Document] = {}
    results: list[list[Found | str]] = []
    """Of each request what was found, or revisions whose bodies have to be read."""
    for doc_id, rev in requests:
        row = rows.get(doc_id)
        if row is None or (seen is not None and row[5] not in seen):
            results.append([] if rev is None else [MissingRevision(doc_id, rev)])
        elif rev == row[1] or (rev is None and row[2] is None):
            results.append([_winner(row)])
        else:
            document = documents.setdefault(doc_id, Document(row[4], doc_id, "", 0, row[1], row[3]))
            results.append([*_wanted(document, None if rev is None else [rev], latest)])
    return _with_bodies(connection, requests, results, documents)


def _with_bodies(
    connection: sqlite3.Connection,
    requests: Sequence[tuple[str, str | None]],
    results: Sequence[Sequence[Found | str]],
    documents: Mapping[str, Document],
) -> list[list[Found]]:
    """Read all bodies that are still needed with one query."""
    nodes = [
        documents[doc_id].tree.nodes.get(rev)
        for (doc_id, _), found in zip(requests, results, strict=True)
        for rev in found
        if isinstance(rev, str)
    ]
    numbers = [node.body for node in nodes if node is not None and node.body is not None]
    bodies = records.load_bodies(connection, numbers)
    return [
        [_of_body(documents[doc_id], one, bodies) if isinstance(one, str) else one for one in found]
        for (doc_id, _), found in zip(requests, results, strict=True)
    ]


def _of_body(document: Document, rev: str, bodies: Mapping[int, Sequence[Any]]) -> Found:
    node = document.tree.nodes.get(rev)
    if node is None or node.body is None:
        return MissingRevision(document.id, rev)
    revisions = records.revisions_of(document.tree, rev)
    return records.read_revision(document.id, rev, node.deleted, revisions, bodies[node.body])


def _winner_rows(
    connection: sqlite3.Connection, doc_ids: Sequence[str]
) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    for chunk, marks in records.chunks(doc_ids):
        for row in connection.execute(_WINNERS.format(marks=marks), chunk):
            found[row[0]] = row
    return found


def _winner(row: Sequence[Any]) -> Revision:
    """The winning revision: its branch stands first in the tree, and is whole."""
    doc_id, rev, _, encoded = row[:4]
    return records.revision_of_branch(doc_id, rev, orjson.loads(encoded)[0], row[6:])


def winners(connection: sqlite3.Connection, doc_ids: Sequence[str]) -> list[Revision | None]:
    rows = _winner_rows(connection, doc_ids)
    return [_winner(rows[doc_id]) if doc_id in rows else None for doc_id in doc_ids]


def revs_info(connection: sqlite3.Connection, doc_id: str, rev: str) -> list[RevisionStatus]:
    document = records.find(connection, doc_id)
    if document is None or rev not in document.tree:
        raise NotFound("missing")
    nodes = document.tree.nodes
    return [
        RevisionStatus(
            above,
            "missing"
            if nodes[above].body is None
            else "deleted"
            if nodes[above].deleted
            else "available",
        )
        for above in document.tree.ancestry(rev)
    ]


def revs_diff(
    connection: sqlite3.Connection, asked: Mapping[str, Sequence[str]]
) -> dict[str, RevsDiff]:
    documents = records.find_many(connection, list(asked))
    (has_purged,) = connection.execute("SELECT EXISTS (SELECT 1 FROM purged)").fetchone()
    result: dict[str, RevsDiff] = {}
    for doc_id, revs in asked.items():
        document = documents.get(doc_id)
        missing = _missing(document, revs)
        if missing and has_purged:
            missing = [rev for rev in missing if not _is_purged(connection, doc_id, rev)]
        if missing:
            result[doc_id] = RevsDiff(missing, _possible_ancestors(document, missing))
    return result


def _missing(document: Document | None, revs: Sequence[str]) -> list[str]:
    if document is None:
        return list(dict.fromkeys(revs))
    unknown = [
        rev for rev in dict.fromkeys(revs) if rev != document.rev and rev not in document.tree
    ]
    if not unknown:
        return []
    # A departure is known wherever it comes from: its reader got it from here.
    tree, doc_id = document.tree, document.id
    return [rev for rev in unknown if departed_from(doc_id, rev, tree) is None]


def _possible_ancestors(document: Document | None, missing: Sequence[str]) -> list[str]:
    if document is None:
        return []
    highest = max(int(rev.partition("-")[0]) for rev in missing)
    leaves = document.tree.leaves()
    return [leaf for leaf in leaves if int(leaf.partition("-")[0]) < highest]


def _is_purged(connection: sqlite3.Connection, doc_id: str, rev: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM purged WHERE id = ? AND rev = ?", (doc_id, rev)
    ).fetchone()
    return row is not None


def all_docs_of(connection: sqlite3.Connection, keys: Sequence[str]) -> list[AllDocsRow | None]:
    found: dict[str, AllDocsRow] = {}
    for chunk, marks in records.chunks(keys):
        for doc_id, rev, deleted in connection.execute(
            f"SELECT id, rev, deleted FROM document WHERE id IN ({marks})", chunk
        ):
            found[doc_id] = AllDocsRow(doc_id, rev, bool(deleted))
    return [found.get(key) for key in keys]


def all_docs_range(
    connection: sqlite3.Connection,
    startkey: str | None,
    endkey: str | None,
    inclusive_end: bool,
    descending: bool,
    limit: int | None,
    skip: int,
) -> list[AllDocsRow | None]:
    after, before = (">=", "<=" if inclusive_end else "<")
    if descending:
        after, before = "<=", ">=" if inclusive_end else ">"
    terms, values = ["deleted = 0"], []
    for key, comparison in ((startkey, after), (endkey, before)):
        if key is not None:
            terms.append(f"id {comparison} ?")
            values.append(key)
    rows = connection.execute(
        f"SELECT id, rev FROM document WHERE {' AND '.join(terms)}"
        f" ORDER BY id {'DESC' if descending else 'ASC'} LIMIT ? OFFSET ?",
        (*values, -1 if limit is None else limit, skip),
    )
    return [AllDocsRow(doc_id, rev, False) for doc_id, rev in rows]


def all_docs_of_areas(
    connection: sqlite3.Connection,
    areas: Sequence[str],
    startkey: str | None,
    endkey: str | None,
    inclusive_end: bool,
    descending: bool,
) -> list[AllDocsRow]:
    """All of a range; ids in these areas stand in no index, so it is they that are sorted."""
    first, last = (endkey, startkey) if descending else (startkey, endkey)
    found = []
    for area in areas:
        rows = connection.execute(
            "SELECT id, rev FROM document WHERE area = ? AND deleted = 0", (area,)
        )
        found += [
            AllDocsRow(doc_id, rev, False)
            for doc_id, rev in rows
            if (first is None or doc_id >= first) and (last is None or doc_id <= last)
        ]
    if not inclusive_end:
        found = [row for row in found if row.doc_id != endkey]
    return sorted(found, key=lambda row: row.doc_id.encode(), reverse=descending)


def counts_of_areas(connection: sqlite3.Connection, areas: Sequence[str]) -> tuple[int, int]:
    """Documents that are there, and deleted ones."""
    marks = ",".join("?" * len(areas))
    present, deleted = connection.execute(
        f"SELECT ifnull(sum(documents), 0), ifnull(sum(deleted), 0) FROM area"
        f" WHERE area IN ({marks})",
        areas,
    ).fetchone()
    return present, deleted


def counts_by_area(connection: sqlite3.Connection, areas: Iterable[str]) -> dict[str, AreaCount]:
    """Present and deleted documents of each area that holds any."""
    found: dict[str, AreaCount] = {}
    for chunk, marks in records.chunks(sorted(set(areas))):
        rows = connection.execute(
            f"SELECT area, documents, deleted FROM area WHERE area IN ({marks})", chunk
        )
        found.update((area, AreaCount(*counts)) for area, *counts in rows if any(counts))
    return found


def all_docs_page(connection: sqlite3.Connection, rows: Sequence[AllDocsRow | None]) -> AllDocsPage:
    (total,) = connection.execute("SELECT doc_count FROM state").fetchone()
    return AllDocsPage(total, rows)
