"""A database that is another one, but for the operations that a subclass answers otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from sync_server.storage.base import (
    AllDocsPage,
    AreaCount,
    AttachmentInfo,
    ChangesPage,
    Database,
    DatabaseInfo,
    DocumentState,
    Formerly,
    LeafLimits,
    LocalDocument,
    MissingRevision,
    Origin,
    Revision,
    RevisionStatus,
    RevisionWrite,
    RevsDiff,
    WriteResult,
)


class DelegatingDatabase(Database):
    def __init__(self, inner: Database) -> None:
        self.name = inner.name
        self.inner = inner

    def within(self, areas: Sequence[str], formerly: Formerly | None = None) -> Database:
        return self.inner.within(areas, formerly)

    # -- documents -------------------------------------------------------------

    def bulk_docs(
        self,
        writes: Sequence[RevisionWrite],
        *,
        new_edits: bool,
        origin: Origin,
        whole: bool = False,
        leaf_limits: LeafLimits | None = None,
    ) -> list[WriteResult]:
        return self.inner.bulk_docs(
            writes, new_edits=new_edits, origin=origin, whole=whole, leaf_limits=leaf_limits
        )

    def get(self, doc_id: str, rev: str | None = None) -> Revision:
        return self.inner.get(doc_id, rev)

    def state(self, doc_id: str) -> DocumentState:
        return self.inner.state(doc_id)

    def states(self, doc_ids: Sequence[str]) -> list[DocumentState | None]:
        return self.inner.states(doc_ids)

    def open_revs(
        self, doc_id: str, revs: Sequence[str] | None, *, latest: bool = False
    ) -> list[Revision | MissingRevision]:
        return self.inner.open_revs(doc_id, revs, latest=latest)

    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Revision | MissingRevision]]:
        return self.inner.bulk_get(requests, latest=latest)

    def winners(self, doc_ids: Sequence[str]) -> list[Revision | None]:
        return self.inner.winners(doc_ids)

    def revs_info(self, doc_id: str, rev: str) -> list[RevisionStatus]:
        return self.inner.revs_info(doc_id, rev)

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        return self.inner.revs_diff(revs)

    def conflicted(self, after: str = "", limit: int = 100) -> list[str]:
        return self.inner.conflicted(after, limit)

    # -- feeds -----------------------------------------------------------------

    def update_seq(self) -> str:
        return self.inner.update_seq()

    def gave(self, sequence: str) -> bool:
        return self.inner.gave(sequence)

    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        return self.inner.changes(since, limit=limit, descending=descending, doc_ids=doc_ids)

    def wait(self, since: str, timeout: float) -> bool:
        return self.inner.wait(since, timeout)

    def all_docs(
        self,
        *,
        keys: Sequence[str] | None = None,
        startkey: str | None = None,
        endkey: str | None = None,
        inclusive_end: bool = True,
        descending: bool = False,
        limit: int | None = None,
        skip: int = 0,
    ) -> AllDocsPage:
        return self.inner.all_docs(
            keys=keys,
            startkey=startkey,
            endkey=endkey,
            inclusive_end=inclusive_end,
            descending=descending,
            limit=limit,
            skip=skip,
        )

    # -- local documents -------------------------------------------------------

    def get_local(self, owner: str, doc_id: str) -> LocalDocument:
        return self.inner.get_local(owner, doc_id)

    def put_local(
        self, owner: str, doc_id: str, rev: str | None, body: bytes, *, keep: int | None = None
    ) -> str:
        return self.inner.put_local(owner, doc_id, rev, body, keep=keep)

    def delete_local(self, owner: str, doc_id: str) -> None:
        self.inner.delete_local(owner, doc_id)

    def local_docs(self, owner: str) -> list[LocalDocument]:
        return self.inner.local_docs(owner)

    # -- attachments -----------------------------------------------------------

    def attachment(
        self, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        return self.inner.attachment(doc_id, rev, name)

    # -- upkeep ----------------------------------------------------------------

    def info(self) -> DatabaseInfo:
        return self.inner.info()

    def revs_limit(self) -> int:
        return self.inner.revs_limit()

    def set_revs_limit(self, limit: int) -> None:
        self.inner.set_revs_limit(limit)

    def security(self) -> dict[str, Any]:
        return self.inner.security()

    def set_security(self, security: Mapping[str, Any]) -> None:
        self.inner.set_security(security)

    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        return self.inner.purge(revs)

    def counts(self, areas: Sequence[str]) -> dict[str, AreaCount]:
        return self.inner.counts(areas)

    def relocate(self, areas: Mapping[str, str], *, origin: Origin) -> int:
        return self.inner.relocate(areas, origin=origin)

    def renew(self, doc_ids: Sequence[str], *, origin: Origin) -> int:
        return self.inner.renew(doc_ids, origin=origin)

    def acknowledged(self, active_since: int) -> str:
        return self.inner.acknowledged(active_since)

    def compact(self, horizon: str | None = None) -> None:
        self.inner.compact(horizon)

    def flush(self) -> None:
        self.inner.flush()
