"""One database: a SQLite file in WAL mode, shared by all processes of the server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from sync_server.errors import BadRequest, NotFound
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
from sync_server.storage.sqlite import attachments, feed, local, reading, records, sequences, upkeep
from sync_server.storage.sqlite.connections import Connections
from sync_server.storage.sqlite.view import ScopedView
from sync_server.storage.sqlite.watching import Watch
from sync_server.storage.sqlite.writing import Batch


class SQLiteDatabase(Database):
    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.connections = Connections(path)
        self.watch = Watch(self.connections)
        self.scopes: set[str] = set()
        """Names of sets of areas that are known to be interned."""
        self.is_compacting = False

    def within(self, areas: Sequence[str], formerly: Formerly | None = None) -> ScopedView:
        return ScopedView(self, areas, formerly)

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
        if not writes:
            return []
        with self.connections.write() as connection:
            batch = Batch(connection, [write.doc_id for write in writes], leaf_limits)
            store = batch.edit if new_edits else batch.replicate
            results = [store(write, origin) for write in writes]
            if whole:
                _raise_first(results)
            batch.save()
        self.watch.kick()
        return results

    def get(self, doc_id: str, rev: str | None = None) -> Revision:
        with self.connections.snapshot() as connection:
            return reading.get(connection, doc_id, rev)

    def state(self, doc_id: str) -> DocumentState:
        (state,) = self.states([doc_id])
        if state is None:
            raise NotFound("missing")
        return state

    def states(self, doc_ids: Sequence[str]) -> list[DocumentState | None]:
        with self.connections.snapshot() as connection:
            _, epoch = feed.position(connection)
            found = records.find_many(connection, doc_ids)
        return [reading.state(found[key], epoch) if key in found else None for key in doc_ids]

    def open_revs(
        self, doc_id: str, revs: Sequence[str] | None, *, latest: bool = False
    ) -> list[Revision | MissingRevision]:
        with self.connections.snapshot() as connection:
            return reading.open_revs(connection, doc_id, revs, latest)

    def bulk_get(
        self, requests: Sequence[tuple[str, str | None]], *, latest: bool = False
    ) -> list[list[Revision | MissingRevision]]:
        with self.connections.snapshot() as connection:
            return reading.bulk_get(connection, requests, latest)

    def winners(self, doc_ids: Sequence[str]) -> list[Revision | None]:
        with self.connections.snapshot() as connection:
            return reading.winners(connection, doc_ids)

    def revs_info(self, doc_id: str, rev: str) -> list[RevisionStatus]:
        with self.connections.read() as connection:
            return reading.revs_info(connection, doc_id, rev)

    def revs_diff(self, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
        with self.connections.snapshot() as connection:
            return reading.revs_diff(connection, revs)

    def conflicted(self, after: str = "", limit: int = 100) -> list[str]:
        with self.connections.read() as connection:
            rows = connection.execute(
                "SELECT id FROM document WHERE live > 1 AND id > ? ORDER BY id LIMIT ?",
                (after, limit),
            ).fetchall()
        return [doc_id for (doc_id,) in rows]

    # -- feeds -----------------------------------------------------------------

    def update_seq(self) -> str:
        with self.connections.read() as connection:
            return sequences.token(*feed.position(connection))

    def changes(
        self,
        since: str = "0",
        *,
        limit: int | None = None,
        descending: bool = False,
        doc_ids: Iterable[str] | None = None,
    ) -> ChangesPage:
        with self.connections.snapshot() as connection:
            return feed.changes(connection, since, limit, descending, doc_ids)

    def gave(self, sequence: str) -> bool:
        with self.connections.read() as connection:
            return sequences.is_of(sequence, *feed.position(connection))

    def wait(self, since: str, timeout: float) -> bool:
        return self.watch.wait(
            timeout, None, lambda connection: feed.has_changed(connection, since)
        )

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
        with self.connections.snapshot() as connection:
            if keys is not None:
                ordered = list(reversed(keys)) if descending else list(keys)
                stop = None if limit is None else skip + limit
                rows = reading.all_docs_of(connection, ordered[skip:stop])
            else:
                rows = reading.all_docs_range(
                    connection, startkey, endkey, inclusive_end, descending, limit, skip
                )
            return reading.all_docs_page(connection, rows)

    # -- local documents -------------------------------------------------------

    def get_local(self, owner: str, doc_id: str) -> LocalDocument:
        with self.connections.read() as connection:
            return local.get(connection, owner, doc_id)

    def put_local(
        self, owner: str, doc_id: str, rev: str | None, body: bytes, *, keep: int | None = None
    ) -> str:
        number = local.next_number(rev)
        with self.connections.write() as connection:
            local.put(connection, owner, doc_id, number, body, keep)
        return f"0-{number}"

    def delete_local(self, owner: str, doc_id: str) -> None:
        with self.connections.write() as connection:
            local.delete(connection, owner, doc_id)

    def local_docs(self, owner: str) -> list[LocalDocument]:
        with self.connections.read() as connection:
            return local.all_of(connection, owner)

    # -- attachments -----------------------------------------------------------

    def attachment(
        self, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        with self.connections.snapshot() as connection:
            return self.attachment_in(connection, doc_id, rev, name)

    def attachment_in(
        self, connection: sqlite3.Connection, doc_id: str, rev: str | None, name: str
    ) -> tuple[AttachmentInfo, AbstractContextManager[BinaryIO]]:
        revision = reading.get(connection, doc_id, rev)
        document = records.find(connection, doc_id)
        info = revision.attachments.get(name)
        if info is None or document is None:
            raise NotFound("Document is missing attachment")
        content = attachments.stream(connection, self.connections, document.number, info.digest)
        return info, content

    # -- upkeep ----------------------------------------------------------------

    def info(self) -> DatabaseInfo:
        with self.connections.snapshot() as connection:
            number, epoch, purged, instance, docs, deleted = connection.execute(
                "SELECT update_seq, epoch, purge_seq, instance, doc_count, deleted_count FROM state"
            ).fetchone()
            pages, page_size, free = connection.execute(
                "SELECT page_count, page_size, freelist_count"
                " FROM pragma_page_count, pragma_page_size, pragma_freelist_count"
            ).fetchone()
        return DatabaseInfo(
            name=self.name,
            doc_count=docs,
            doc_del_count=deleted,
            update_seq=sequences.token(number, epoch),
            purge_seq=sequences.token(purged, epoch),
            instance_start_time=instance,
            file_size=pages * page_size,
            active_size=(pages - free) * page_size,
            external_size=(pages - free) * page_size,
            compact_running=self.is_compacting,
        )

    def revs_limit(self) -> int:
        return int(self._state("revs_limit"))

    def set_revs_limit(self, limit: int) -> None:
        if limit < 1:
            raise BadRequest("_revs_limit must be a positive integer.")
        self._set_state("revs_limit", limit)

    def security(self) -> dict[str, Any]:
        stored: dict[str, Any] = orjson.loads(self._state("security"))
        return stored

    def set_security(self, security: Mapping[str, Any]) -> None:
        self._set_state("security", orjson.dumps(security).decode())

    def _state(self, column: str) -> Any:
        with self.connections.read() as connection:
            return connection.execute(f"SELECT {column} FROM state").fetchone()[0]

    def _set_state(self, column: str, value: object) -> None:
        with self.connections.write() as connection:
            connection.execute(f"UPDATE state SET {column} = ?", (value,))

    def purge(self, revs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        with self.connections.write() as connection:
            batch = Batch(connection, list(revs))
            purged = {doc_id: batch.purge(doc_id, named) for doc_id, named in revs.items()}
            batch.save()
            connection.executemany("INSERT OR IGNORE INTO purged VALUES (?, ?)", batch.forgotten)
            connection.execute("UPDATE state SET purge_seq = purge_seq + 1")
        self.watch.kick()
        return purged

    def counts(self, areas: Sequence[str]) -> dict[str, AreaCount]:
        with self.connections.snapshot() as connection:
            return reading.counts_by_area(connection, areas)

    def relocate(self, areas: Mapping[str, str], *, origin: Origin) -> int:
        return self._write_each(
            areas, lambda batch, doc_id: batch.relocate(doc_id, areas[doc_id], origin)
        )

    def renew(self, doc_ids: Sequence[str], *, origin: Origin) -> int:
        return self._write_each(doc_ids, lambda batch, doc_id: batch.renew(doc_id, origin))

    def _write_each(self, doc_ids: Iterable[str], change: Callable[[Batch, str], bool]) -> int:
        named = list(dict.fromkeys(doc_ids))
        with self.connections.write() as connection:
            batch = Batch(connection, named)
            count = sum(change(batch, doc_id) for doc_id in named)
            batch.save()
        self.watch.kick()
        return count

    def acknowledged(self, active_since: int) -> str:
        with self.connections.snapshot() as connection:
            latest, epoch = feed.position(connection)
            number = local.acknowledged(connection, active_since, epoch)
        return sequences.token(latest if number is None else number, epoch)

    def compact(self, horizon: str | None = None) -> None:
        self.is_compacting = True
        try:
            with self.connections.read() as connection:
                latest, epoch = feed.position(connection)
            limit = latest if horizon is None else sequences.number_of(horizon, epoch)
            upkeep.compact(self.connections, limit)
        finally:
            self.is_compacting = False

    def flush(self) -> None:
        """Nothing to do: a commit returns once it is on disk (`synchronous=FULL`)."""

    def begin_epoch(self, epoch: str) -> None:
        """Sequences of before are no longer this database's."""
        self._set_state("epoch", epoch)

    def drop(self) -> None:
        """Mark the file, so that a process that still holds it stores nothing more in it."""
        self._set_state("dropped", 1)


def _raise_first(results: Sequence[WriteResult]) -> None:
    for result in results:
        if result.error is not None:
            raise result.error
