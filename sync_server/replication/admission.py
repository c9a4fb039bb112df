"""The one way by which documents that an account sends come into storage."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sync_server.access.accounts import Account
from sync_server.access.placing import (
    Sent,
    Stored,
    author_of,
    place_among,
    says_where,
    stored_of,
)
from sync_server.access.scope import Scope
from sync_server.access.scopes import now_ms
from sync_server.errors import Conflict, Forbidden, MissingStub, SyncError
from sync_server.replication.incoming import check_may_write
from sync_server.replication.surroundings import origin, parts
from sync_server.storage.base import Database, RevisionWrite, WriteResult


def admit(
    database: Database, sender: Account, writes: Sequence[RevisionWrite], *, new_edits: bool
) -> list[WriteResult]:
    """Store what an account sends, each new document in the area where it belongs.

    `database` is the one that the account sees; results stand in the order of the writes.
    """
    service = parts()
    whole, scope = service.store.database(database.name), service.scopes.of(sender, database.name)
    sent = [_sent(write) for write in writes]
    stored = stored_of(whole, sent)
    refused = [_refusal(write, sender, scope, stored, new_edits) for write in writes]
    author = author_of(sender, database.name, now_ms())
    areas = place_among(stored, service.gazetteer, sent, author)
    taken = [
        # What is stored keeps its area, even if it is moved in the meantime.
        write._replace(area=areas[write.doc_id]) if stored[write.doc_id] is None else write
        for write, error in zip(writes, refused, strict=True)
        if error is None
    ]
    results = whole.bulk_docs(taken, new_edits=new_edits, origin=origin(sender))
    service.metrics.revisions_written.inc(sum(result.changed for result in results))
    rest = iter(results)
    return [
        next(rest) if error is None else WriteResult(write.doc_id, _rev(write, error), error)
        for write, error in zip(writes, refused, strict=True)
    ]


def _sent(write: RevisionWrite) -> Sent:
    reads = not write.deleted and says_where(write.doc_id)
    return Sent(write.doc_id, orjson.loads(write.body) if reads else None)


def _refusal(
    write: RevisionWrite, sender: Account, scope: Scope, stored: Stored, new_edits: bool
) -> SyncError | None:
    """Why this write is not stored; None where it is."""
    refused = check_may_write(write.doc_id, sender.is_admin)
    state = stored[write.doc_id]
    if refused is not None or state is None or scope.sees(state.area):
        return refused
    # Out of sight there is no revision to edit, and no ancestor to take attachments from.
    if new_edits:
        return Conflict()
    if any(sent.data is None for sent in write.attachments.values()):
        return MissingStub()
    return None


def _rev(write: RevisionWrite, error: SyncError) -> str | None:
    """The revision as the row names it: of what is forbidden, as storage does not of the rest."""
    return write.revisions.rev if write.revisions and isinstance(error, Forbidden) else None
