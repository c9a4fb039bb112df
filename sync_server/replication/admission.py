"""Admission: the one way by which documents that an account sends come into storage.

    judge ──► refused ──► quarantine (on disk) ─┐
      └─────► taken ────► storage (on disk) ────┴──► notices to authors ──► answer

Nothing is answered before it is on disk, here or there. What the sender's own view of the database
calls known is no news, whoever may write it: that is what a client is told by `_revs_diff`, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_server.access.accounts import Account
from sync_server.quarantine.keeping import Refused, keep
from sync_server.quarantine.telling import publish_numbers
from sync_server.replication.incoming import Incoming
from sync_server.replication.judging import Verdict, judge
from sync_server.replication.surroundings import origin, parts
from sync_server.storage.base import Database, RevisionWrite, WriteResult


def admit(
    database: Database, sender: Account, incoming: Sequence[Incoming], *, new_edits: bool
) -> list[WriteResult]:
    """Store what an account may write, each new document in the area where it belongs, and keep
    what it may not write; results stand in the order of the documents.

    `database` is the one that the account sees.
    """
    service, sent_by = parts(), origin(sender)
    whole = service.store.database(database.name)
    verdicts = judge(whole, sender, incoming, sent_by.received_at, new_edits=new_edits)
    refused = [
        (one, verdict) for one, verdict in zip(incoming, verdicts, strict=True) if verdict.reason
    ]
    known = _known(database, [one.write for one, _ in refused]) if not new_edits else set()
    news = [(one, verdict) for one, verdict in refused if _named(one.write) not in known]
    untold = _keep(whole, sender, news, sent_by.received_at, new_edits) if news else ()
    taken = [
        # What is stored keeps its area, even if it is moved in the meantime.
        one.write._replace(area=verdict.area) if verdict.is_new else one.write
        for one, verdict in zip(incoming, verdicts, strict=True)
        if not verdict.reason and not verdict.error
    ]
    stored = whole.bulk_docs(taken, new_edits=new_edits, origin=sent_by)
    service.metrics.revisions_written.inc(sum(result.changed for result in stored))
    publish_numbers(service.sql, whole, untold, sent_by.received_at)
    rest = iter(stored)
    return [
        _result(one.write, verdict, known) if verdict.reason or verdict.error else next(rest)
        for one, verdict in zip(incoming, verdicts, strict=True)
    ]


def _result(write: RevisionWrite, verdict: Verdict, known: set[Named]) -> WriteResult:
    """Of a document that does not go to storage."""
    doc_id, rev = _named(write)
    if verdict.error is not None:
        return WriteResult(doc_id, None, verdict.error)  # as storage says it of what is not there
    if (doc_id, rev) in known:
        return WriteResult(doc_id, rev, changed=False)
    return WriteResult(doc_id, rev, verdict.told.as_error() if verdict.told else None)


def _keep(
    whole: Database,
    sender: Account,
    refused: Sequence[tuple[Incoming, Verdict]],
    received_at: int,
    new_edits: bool,
) -> Sequence[int]:
    """Answers the entries of which the sender must be told."""
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


Named = tuple[str, str | None]
"""A document's id and a revision."""


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
