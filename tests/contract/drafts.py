"""Short ways to write revisions in the contract tests."""

from __future__ import annotations

import orjson

from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    MissingRevision,
    Origin,
    Revision,
    Revisions,
    RevisionWrite,
    WriteResult,
)

ORIGIN = Origin("sok", "tablet-1", 1_700_000_000_000)


def write(
    doc_id: str,
    *path: str,
    deleted: bool = False,
    area: str | None = None,
    attachments: dict[str, AttachmentWrite] | None = None,
    **body: object,
) -> RevisionWrite:
    """`path`: the revision and its ancestors, newest first, as `2-b`, `1-a`."""
    revisions = None
    if path:
        start = int(path[0].partition("-")[0])
        revisions = Revisions(start, [rev.partition("-")[2] for rev in path])
    return RevisionWrite(doc_id, revisions, orjson.dumps(body), deleted, attachments or {}, area)


def replicate(db: Database, *writes: RevisionWrite) -> list[WriteResult]:
    return db.bulk_docs(writes, new_edits=False, origin=ORIGIN)


def edit(db: Database, *writes: RevisionWrite) -> list[WriteResult]:
    return db.bulk_docs(writes, new_edits=True, origin=ORIGIN)


def put(db: Database, doc_id: str, parent: str | None = None, **body: object) -> str:
    (result,) = edit(db, write(doc_id, *([parent] if parent else []), **body))
    assert result.error is None, result.error
    assert result.rev is not None
    return result.rev


def leaves(db: Database, doc_id: str) -> list[str]:
    return [leaf.rev for leaf in db.state(doc_id).leaves]


def body_of(found: Revision | MissingRevision) -> object:
    assert isinstance(found, Revision), found
    return orjson.loads(found.body)
