"""Judging the documents of a request: who may write which, and where each belongs.

Storage is asked once what it has of them, whatever their number, and once more for the authors of
documents that are edited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from sync_server.access.accounts import Account
from sync_server.access.placing import Sent, author_of, place_among, stored_of
from sync_server.access.refusals import TAKEN, Reason
from sync_server.access.write_policy import Draft, Limits, WritePolicy
from sync_server.errors import Conflict, MissingStub, SyncError
from sync_server.replication.incoming import Incoming
from sync_server.replication.surroundings import parts
from sync_server.storage.base import Database, DocumentState, Revision, RevisionWrite


class Verdict(NamedTuple):
    """What is to become of a document."""

    area: str
    """Where it stands, or would stand."""
    is_new: bool
    reason: Reason | None = None
    """It goes to quarantine."""
    error: SyncError | None = None
    """It is neither taken nor kept, and its sender told so."""


def judge(
    whole: Database,
    sender: Account,
    incoming: Sequence[Incoming],
    received_at: int,
    *,
    new_edits: bool,
) -> list[Verdict]:
    """One verdict for each document."""
    service = parts()
    sent = [Sent(one.write.doc_id, one.fields or None) for one in incoming]
    stored = stored_of(whole, sent)
    author = author_of(sender, whole.name, received_at)
    areas = place_among(stored, service.gazetteer, sent, author)
    found = [(areas[doc_id], stored[doc_id]) for doc_id, _ in sent]
    if sender.is_admin:
        return [Verdict(area, state is None) for area, state in found]
    return _Judge(whole, sender, received_at, new_edits).verdicts(incoming, found)


Place = tuple[str, DocumentState | None]
"""Where a document stands or would stand, and what is stored of it."""


class _Judge:
    def __init__(self, whole: Database, sender: Account, received_at: int, new_edits: bool) -> None:
        service = parts()
        settings = service.settings
        limits = Limits(settings.max_generation_jump, settings.grant_grace_seconds * 1000)
        self._policy = WritePolicy(
            sender, whole.name, limits, received_at, sender.device_readmitted_at
        )
        self._scope = service.scopes.of(sender, whole.name)
        self._places = service.gazetteer
        self._author = author_of(sender, whole.name, received_at)
        self._whole = whole
        self._new_edits = new_edits

    def verdicts(self, incoming: Sequence[Incoming], found: Sequence[Place]) -> list[Verdict]:
        drafts = [self._draft(one) for one in incoming]
        reasons: list[Reason | None] = [
            self._reason(draft, *place) for draft, place in zip(drafts, found, strict=True)
        ]
        if not self._policy.is_replicator:
            reasons = list(self._judge_authors(incoming, drafts, reasons, found))
        return [
            self._verdict(one, draft, reason, *place)
            for one, draft, reason, place in zip(incoming, drafts, reasons, found, strict=True)
        ]

    def _draft(self, one: Incoming) -> Draft:
        write = one.write
        makes_its_own = not self._new_edits and write.revisions is not None
        generation = write.revisions.start if makes_its_own and write.revisions else 0
        return Draft(write.doc_id, one.fields, write.deleted, generation)

    def _reason(self, draft: Draft, area: str, state: DocumentState | None) -> Reason | None:
        reason = self._policy.refuse_name(draft)
        if reason is not None or self._policy.is_replicator:
            return reason
        return self._policy.refuse(draft, area, state)

    def _verdict(
        self,
        one: Incoming,
        draft: Draft,
        reason: Reason | None,
        area: str,
        state: DocumentState | None,
    ) -> Verdict:
        error: SyncError | None = None
        if state is not None and not self._scope.sees(state.area):
            error = self._look_absent(one, draft, reason)
        return Verdict(area, state is None, None if error else reason, error)

    def _look_absent(self, one: Incoming, draft: Draft, reason: Reason | None) -> SyncError | None:
        """What one is told of a document out of sight, as of one that is not there: it has no
        revision to edit, and no ancestor to take attachments from.
        """
        if self._new_edits and one.write.revisions is not None:
            if reason is None or (reason is TAKEN and self._may_begin(draft)):
                return Conflict()
        elif reason is None and self._new_edits:
            return Conflict()
        elif reason is None and any(sent.data is None for sent in one.write.attachments.values()):
            return MissingStub()
        return None

    def _may_begin(self, draft: Draft) -> bool:
        """Whether the sender might write the document if it were not there."""
        sent = Sent(draft.doc_id, draft.fields or None)
        named = stored_of(self._whole, [sent])
        areas = place_among({**named, draft.doc_id: None}, self._places, [sent], self._author)
        return self._policy.refuse(draft, areas[draft.doc_id], None) is None

    # -- authors ---------------------------------------------------------------

    def _judge_authors(
        self,
        incoming: Sequence[Incoming],
        drafts: Sequence[Draft],
        reasons: Sequence[Reason | None],
        found: Sequence[Place],
    ) -> Iterator[Reason | None]:
        """The reasons, with those that come of an author. Most edits leave the winner's."""
        rows = list(zip(incoming, drafts, reasons, [state for _, state in found], strict=True))
        edited = [
            draft.doc_id
            for _, draft, reason, state in rows
            if reason is None and draft.author is not None and state is not None
        ]
        winners = self._whole.winners(edited) if edited else []
        authors = {one.doc_id: _author(one) for one in winners if one is not None}
        for one, draft, reason, state in rows:
            if reason is not None or draft.author is None:
                yield reason
            elif state is None:
                yield self._policy.refuse_author(draft.author)
            elif draft.author == authors.get(draft.doc_id):
                yield None
            else:
                known, is_edit = self._authors(one.write)
                yield self._policy.refuse_author(draft.author, known, is_edit=is_edit)

    def _authors(self, write: RevisionWrite) -> tuple[list[Any], bool]:
        """Authors that a document has had, and whether the write goes on from what is stored."""
        above = write.revisions.revs() if write.revisions else []
        asked: list[tuple[str, str | None]] = [(write.doc_id, None)]
        kept = self._whole.bulk_get([*asked, *((write.doc_id, rev) for rev in above)])
        missing = self._whole.revs_diff({write.doc_id: above}).get(write.doc_id)
        authors = [_author(one) for group in kept for one in group if isinstance(one, Revision)]
        return authors, len(missing.missing if missing else ()) < len(above)


def _author(revision: Revision) -> Any:
    return orjson.loads(revision.body).get("author")
