"""Judging the documents of a request: who may write which, and where each belongs.

Storage is asked once what it has of them, whatever their number, and once more for the authors of
documents that are edited. Of who writes all of a database it is asked only for what is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from sync_server.access.accounts import Account
from sync_server.access.areas import is_personal
from sync_server.access.permissions import replicates_whole
from sync_server.access.placing import (
    OWNERS,
    Sent,
    Stored,
    author_of,
    names,
    place_among,
    states_of,
    stored_of,
    targets_among,
)
from sync_server.access.refusals import LIMITS, OUTSIDE, TAKEN, Reason
from sync_server.access.write_policy import Draft, Limits, WritePolicy
from sync_server.errors import Conflict, MissingStub, SyncError
from sync_server.intake import belongings
from sync_server.replication.incoming import Incoming
from sync_server.replication.surroundings import parts
from sync_server.storage.base import Database, DocumentState, Revision, RevisionWrite


class Verdict(NamedTuple):
    """What is to become of a document."""

    area: str
    """Where it stands, or would stand. What is stored already may stand elsewhere all the same."""
    reason: Reason | None = None
    """It goes to quarantine, and this is why."""
    told: Reason | None = None
    """What its sender is told: of a document out of sight, as of one that is not there."""
    error: SyncError | None = None
    """It is not taken, as if storage had said so."""

    @property
    def is_taken(self) -> bool:
        """Whether storage is to have it."""
        return self.reason is None and self.error is None


def judge(
    whole: Database,
    sender: Account,
    incoming: Sequence[Incoming],
    received_at: int,
    *,
    new_edits: bool,
) -> list[Verdict]:
    """One verdict for each document."""
    judges = _Judge(whole, sender, received_at, new_edits)
    whole_too = replicates_whole(sender, whole.name)
    verdicts = judges.by_name(incoming) if whole_too else judges.by_grants(incoming)
    return [
        _within_limits(one, verdict, new_edits)
        for one, verdict in zip(incoming, verdicts, strict=True)
    ]


def _within_limits(one: Incoming, verdict: Verdict, new_edits: bool) -> Verdict:
    """Whatever is stored of it, a document over a limit is told to be that: an editor at once, a
    replicator, who will not send it again, once it is kept.
    """
    if one.over is None:
        return verdict
    if new_edits:
        return verdict._replace(reason=None, told=None, error=one.over)
    limit = LIMITS[one.over.code]
    return verdict._replace(reason=verdict.reason or limit, told=limit, error=None)


class Case(NamedTuple):
    """A document to be judged."""

    write: RevisionWrite
    draft: Draft
    area: str
    """Where it stands, or would stand."""
    state: DocumentState | None
    """What is stored of it."""


def _sent(incoming: Sequence[Incoming]) -> list[Sent]:
    return [Sent(one.write.doc_id, one.fields or None) for one in incoming]


def _draft(one: Incoming, new_edits: bool) -> Draft:
    write = one.write
    generation = 0 if new_edits or write.revisions is None else write.revisions.start
    return Draft(write.doc_id, one.fields, write.deleted, generation)


class _Judge:
    def __init__(self, whole: Database, sender: Account, received_at: int, new_edits: bool) -> None:
        service = parts()
        settings = service.settings
        limits = Limits(settings.max_generation_jump, settings.grant_grace_seconds * 1000)
        self._policy = WritePolicy(
            sender, whole.name, limits, received_at, sender.device_readmitted_at
        )
        self._scope = service.scopes.of(sender, whole.name)
        self._is_admin = sender.is_admin
        self._places = service.gazetteer.snapshot()
        self._author = author_of(sender, whole.name, received_at)
        self._whole = whole
        self._new_edits = new_edits

    def by_name(self, incoming: Sequence[Incoming]) -> list[Verdict]:
        """Of one who writes the whole database: what is refused is refused by its name.

        Where a document stands that is stored already, storage sees to as it writes. It is asked
        here for what others belong to, and for what is to be kept.
        """
        sent = _sent(incoming)
        reasons = [
            None if self._is_admin else self._policy.refuse_name(_draft(one, self._new_edits))
            for one in incoming
        ]
        refused = [one.doc_id for one, reason in zip(sent, reasons, strict=True) if reason]
        stored = states_of(self._whole, [*names(sent), *refused])
        areas = place_among(stored, self._places, sent, self._author)
        return [
            Verdict(areas[one.doc_id], reason, reason)
            for one, reason in zip(sent, reasons, strict=True)
        ]

    def by_grants(self, incoming: Sequence[Incoming]) -> list[Verdict]:
        """Of one who writes in areas."""
        sent = _sent(incoming)
        stored = stored_of(self._whole, sent)
        areas = place_among(stored, self._places, sent, self._author)
        cases = [
            Case(one.write, _draft(one, self._new_edits), areas[doc_id], stored[doc_id])
            for one, (doc_id, _) in zip(incoming, sent, strict=True)
        ]
        targets = targets_among(stored, self._places, sent)
        reasons = [
            self._reason(case.draft, case.area, case.state) or self._refuse_move(case, target)
            for case, target in zip(cases, targets, strict=True)
        ]
        reasons = self._refuse_awaited(cases, reasons)
        found = [
            Verdict(case.area, reason, reason)
            for case, reason in zip(cases, self._judge_authors(cases, reasons), strict=True)
        ]
        return self._hide(cases, found, sent, stored)

    def _hide(
        self,
        cases: Sequence[Case],
        found: list[Verdict],
        sent: Sequence[Sent],
        stored: Stored,
    ) -> list[Verdict]:
        """The verdicts, with those on documents out of sight as the sender may be told them."""
        hidden = {
            case.draft.doc_id
            for case in cases
            if case.state is not None and not self._scope.sees(case.state.area)
        }
        if not hidden:
            return found
        absent = {doc_id: None if doc_id in hidden else stored[doc_id] for doc_id in stored}
        areas = place_among(absent, self._places, sent, self._author)
        return [
            self._look_absent(case, verdict, areas[case.draft.doc_id])
            if case.draft.doc_id in hidden
            else verdict
            for case, verdict in zip(cases, found, strict=True)
        ]

    def _refuse_move(self, case: Case, target: str | None) -> Reason | None:
        """Why a document is refused for what it says of where it belongs."""
        if target is None or (case.state is None and target == case.area):
            return None
        return self._policy.refuse_move(case.draft, case.area, target)

    def _refuse_awaited(
        self, cases: Sequence[Case], reasons: Sequence[Reason | None]
    ) -> list[Reason | None]:
        """The reasons, with those of new documents that others wait for which stand elsewhere:
        the intake would take them from where they are to whoever has made up what they name.
        """
        new = [
            case.draft.doc_id
            for case, reason in zip(cases, reasons, strict=True)
            if reason is None and case.state is None and case.draft.doc_id.startswith(OWNERS)
        ]
        out_of_reach = self._awaited_elsewhere(new) if new else set()
        return [
            OUTSIDE if case.draft.doc_id in out_of_reach else reason
            for case, reason in zip(cases, reasons, strict=True)
        ]

    def _awaited_elsewhere(self, doc_ids: Sequence[str]) -> set[str]:
        with parts().sql.connect().execution_options(read_only=True) as connection:
            waiting = belongings.belonging_to(connection, self._whole.name, doc_ids)
            owners = belongings.owners_of(connection, self._whole.name, waiting)
        states = states_of(self._whole, waiting)
        return {
            owner
            for doc_id, state in states.items()
            if state is not None and not is_personal(state.area)
            if not self._policy.writes_in(doc_id, state.area)
            for owner in owners[doc_id]
        }.intersection(doc_ids)

    def _reason(self, draft: Draft, area: str, state: DocumentState | None) -> Reason | None:
        return self._policy.refuse_name(draft) or self._policy.refuse(draft, area, state)

    def _look_absent(self, case: Case, verdict: Verdict, area: str) -> Verdict:
        """What the sender is told of a document out of sight, as of one that is not there: that has
        no revision to edit, and no ancestor to take attachments from. `area`: where it would stand.
        """
        draft = case.draft
        told = self._reason(draft, area, None) or self._policy.refuse_author(draft.author)
        if self._new_edits:
            if told is None and (verdict.reason is None or case.write.revisions is not None):
                return verdict._replace(reason=None, error=Conflict())
            return verdict._replace(reason=verdict.reason or TAKEN, told=told or OUTSIDE)
        if verdict.reason is not None:
            return verdict._replace(told=told or OUTSIDE)
        stubs = (name for name, sent in case.write.attachments.items() if sent.data is None)
        missing = next(stubs, None)
        return verdict if missing is None else verdict._replace(error=MissingStub.of(missing))

    # -- authors ---------------------------------------------------------------

    def _judge_authors(
        self, cases: Sequence[Case], reasons: Sequence[Reason | None]
    ) -> Iterator[Reason | None]:
        """The reasons, with those that come of an author. Most edits leave the winner's."""
        rows = list(zip(cases, reasons, strict=True))
        edited = [
            case.draft.doc_id
            for case, reason in rows
            if reason is None and case.draft.author is not None and case.state is not None
        ]
        winners = self._whole.winners(edited) if edited else []
        authors = {one.doc_id: _author(one) for one in winners if one is not None}
        for case, reason in rows:
            author = case.draft.author
            if reason is not None or author is None:
                yield reason
            elif case.state is None:
                yield self._policy.refuse_author(author)
            elif author == authors.get(case.draft.doc_id):
                yield None
            else:
                known, is_edit = self._authors(case.write)
                yield self._policy.refuse_author(author, known, is_edit=is_edit)

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
