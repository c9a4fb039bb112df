"""Notices: documents that tell the author of a document what the server made of it.

One notice per kind and document, with an id computed from both, so that saying the same thing
again writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from sync_server.intake.stage import Intake
from sync_server.storage.base import Database, Revision, Revisions, RevisionWrite


def notice_id(kind: str, doc_id: str) -> str:
    digest = hashlib.md5(f"{kind}\n{doc_id}".encode(), usedforsecurity=False)
    return f"notice:{digest.hexdigest()}"


def standing(database: Database, kind: str, doc_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What stands about these documents: id → what the notice says."""
    found = database.winners([notice_id(kind, doc_id) for doc_id in doc_ids])
    return {
        doc_id: orjson.loads(notice.body)
        for doc_id, notice in zip(doc_ids, found, strict=True)
        if notice is not None and not notice.deleted
    }


def tell(intake: Intake, kind: str, about: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Write notices of one kind. `about`: document id → (its area, what the notice says)."""
    _save(
        intake,
        kind,
        {
            doc_id: (area, {"type": "notice", "kind": kind, "document": doc_id, **content})
            for doc_id, (area, content) in about.items()
        },
    )


def withdraw(intake: Intake, kind: str, doc_ids: Sequence[str]) -> None:
    """Delete notices that no longer hold; those that never were stay so."""
    _save(intake, kind, dict.fromkeys(doc_ids))


def _save(
    intake: Intake, kind: str, notices: Mapping[str, tuple[str, Mapping[str, Any]] | None]
) -> None:
    ids = [notice_id(kind, doc_id) for doc_id in notices]
    present = intake.database.winners(ids)
    writes = [
        write
        for notice, found, content in zip(ids, present, notices.values(), strict=True)
        if (write := _write(notice, found, content)) is not None
    ]
    results = intake.store(writes, new_edits=True)
    written = sum(result.error is None for result in results)
    intake.metrics.notices_written.labels(kind).inc(written)


def _write(
    notice: str, found: Revision | None, content: tuple[str, Mapping[str, Any]] | None
) -> RevisionWrite | None:
    live = found is not None and not found.deleted
    if content is None and not live:
        return None
    body = b"{}" if content is None else orjson.dumps(content[1])
    if live and found is not None and content is not None and found.body == body:
        return None
    parent = found.revisions if found is not None else None
    area = content[0] if content is not None else None
    return RevisionWrite(notice, _only(parent), body, deleted=content is None, area=area)


def _only(revisions: Revisions | None) -> Revisions | None:
    return None if revisions is None else Revisions(revisions.start, revisions.ids[:1])
