"""Admission: the one way by which documents that an account sends come into storage.

    judge ──► refused ──► quarantine (on disk) ─┐
      └─────► taken ────► storage (on disk) ────┴──► notices to authors ──► answer

Nothing is answered before it is on disk, here or there: what storage cannot take of a replicated
batch, since an attachment did not come whole, is kept as well. What the sender's own view of the
database calls known is no news, whoever may write it: that is what a client is told by
`_revs_diff`, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_server.access.accounts import Account
from sync_server.access.placing import states_of
from sync_server.access.refusals import ATTACHMENT, LEAVES, Reason
from sync_server.errors import BadRequest, DocumentTooLarge, MissingStub, SyncError
from sync_server.quarantine.keeping import Refused, keep
from sync_server.quarantine.telling import publish_numbers
from sync_server.replication.incoming import Incoming
from sync_server.replication.judging import Verdict, judge
from sync_server.replication.surroundings import leaf_limits, origin, parts
from sync_server.storage.base import Database, Origin, RevisionWrite, WriteResult

Named = tuple[str, str | None]
"""A document's id and a revision."""
Judged = tuple[Incoming, Verdict]


def admit(
    database: Database,
    sender: Account,
    incoming: Sequence[Incoming],
    *,
    new_edits: bool,
    is_batch: bool = False,
) -> list[WriteResult]:
    """Store what an account may write, each new document in the area where it belongs, and keep
    what it may not write; results stand in the order of the documents.

    `database` is the one that the account sees. `is_batch`: the answer has a row per document. Who
    replicates a document alone is told of a stub by 412, and sends it again with all attachments,
    as CouchDB does; any other error makes it go on without.

    Raises Unavailable where the sender's device has written as much as it may.
    """
    service, sent_by = parts(), origin(sender)
    service.allowance.require(sender, database.name)
    whole = service.store.database(database.name)
    verdicts = judge(whole, sender, incoming, sent_by.received_at, new_edits=new_edits)
    rows = list(zip(incoming, verdicts, strict=True))
    refused = [(one, verdict) for one, verdict in rows if verdict.reason]
    known = _known(database, [one.write for one, _ in refused]) if not new_edits else set()
    news = [(one, verdict) for one, verdict in refused if _named(one.write) not in known]
    untold = _keep(whole, sender, news, sent_by.received_at, new_edits)
    results = _store(whole, rows, known, sent_by, new_edits)
    service.allowance.add(sender, whole.name, _written(results))
    may_lose = not new_edits and not sender.is_admin
    reasons = [_lost(result.error, may_lose, is_batch) for result in results]
    results, lost = _refuse_lost(whole, rows, results, reasons)
    untold = [*untold, *_keep(whole, sender, lost, sent_by.received_at, new_edits)]
    publish_numbers(service.sql, whole, untold, sent_by.received_at)
    return results


def _store(
    whole: Database, rows: Sequence[Judged], known: set[Named], sent_by: Origin, new_edits: bool
) -> list[WriteResult]:
    """Write what may be; answers of all rows."""
    taken = [
        # What is stored keeps its area, even if it came or moved in the meantime.
        one.write.beginning_in(verdict.area)
        for one, verdict in rows
        if verdict.is_taken
    ]
    stored = whole.bulk_docs(taken, new_edits=new_edits, origin=sent_by, leaf_limits=leaf_limits())
    parts().metrics.revisions_written.inc(_written(stored))
    rest = iter(stored)
    return [
        next(rest) if verdict.is_taken else _result(one.write, verdict, known, new_edits)
        for one, verdict in rows
    ]


def _written(results: Sequence[WriteResult]) -> int:
    return sum(result.changed and result.error is None for result in results)


def _lost(error: SyncError | None, may_lose: bool, is_batch: bool) -> Reason | None:
    """Why it is refused, and kept, what storage did not take and its sender does not send again.

    `may_lose`: an attachment may be the reason, too.
    """
    if isinstance(error, DocumentTooLarge) and error.code == LEAVES.code:
        return LEAVES
    broken = (MissingStub, BadRequest) if is_batch else (BadRequest,)
    return ATTACHMENT if may_lose and isinstance(error, broken) else None


def _refuse_lost(
    whole: Database,
    rows: Sequence[Judged],
    results: Sequence[WriteResult],
    reasons: Sequence[Reason | None],
) -> tuple[list[WriteResult], list[Judged]]:
    """The results, where what has a reason is refused for it; and what that is."""
    if not any(reasons):
        return list(results), []
    lost = [(row, reason) for row, reason in zip(rows, reasons, strict=True) if reason]
    stored = states_of(whole, [one.write.doc_id for (one, _), _ in lost])
    return (
        [
            result._replace(error=reason.as_error()) if reason else result
            for result, reason in zip(results, reasons, strict=True)
        ],
        [
            (one, Verdict(state.area if state else verdict.area, reason, reason))
            for (one, verdict), reason in lost
            for state in [stored[one.write.doc_id]]
        ],
    )


def _result(
    write: RevisionWrite, verdict: Verdict, known: set[Named], new_edits: bool
) -> WriteResult:
    """Of a document that does not go to storage."""
    doc_id, rev = _named(write)
    if verdict.error is not None:  # as storage says it of what is not there
        return WriteResult(doc_id, None if new_edits else rev, verdict.error)
    if (doc_id, rev) in known:
        return WriteResult(doc_id, rev, changed=False)
    return WriteResult(doc_id, rev, verdict.told.as_error() if verdict.told else None)


def _keep(
    whole: Database,
    sender: Account,
    refused: Sequence[Judged],
    received_at: int,
    new_edits: bool,
) -> Sequence[int]:
    """Answers the entries of which the sender must be told."""
    if not refused:
        return ()
    service = parts()
    told = keep(
        service.sql,
        whole.name,
        sender,
        [
            Refused(one.write, one.special, new_edits, verdict.reason, verdict.told, verdict.area)
            for one, verdict in refused
            if verdict.reason and verdict.told
        ],
        received_at,
        most_bytes=service.settings.max_quarantine_bytes,
    )
    for _, verdict in refused:
        if verdict.told:
            service.metrics.writes_refused.labels(verdict.told.code).inc()
    return told


def _named(write: RevisionWrite) -> Named:
    return write.doc_id, write.revisions.rev if write.revisions else None


def _known(database: Database, writes: Sequence[RevisionWrite]) -> set[Named]:
    """Of these revisions, those that the sender's view of the database has or has let go."""
    named: dict[str, list[str]] = {}
    for write in writes:
        if write.revisions is not None:
            named.setdefault(write.doc_id, []).append(write.revisions.rev)
    missing = database.revs_diff(named) if named else {}
    return {
        (doc_id, rev)
        for doc_id, revs in named.items()
        for rev in revs
        if doc_id not in missing or rev not in missing[doc_id].missing
    }
