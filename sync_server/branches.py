"""Reads from storage what a merge looks at: the leaves of documents, and their common states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from conflict.branches import Branches, Leaf, merged_into
from conflict.merge import Base, Version
from conflict.merge_base import History
from conflict.picture import Picture, picture
from conflict.resolution import Case, Plan, resolve
from conflict.revision import winner_key
from schemas import policies_for
from sync_server.storage.base import Database, DocumentState, Revision
from sync_server.storage.departures import departure_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FURTHEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""No date is further from 1970; a difference of clocks may be any number that JSON can say."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """A document with leaves that must become one, as it was when it was read."""

    doc_id: str
    leaves: Sequence[Revision]
    """All of them, deleted ones too, the winning revision first: who sent them, and when."""
    branches: Branches
    base: Base | None
    """What to merge against: the only base, if its body is kept."""
    policies: Mapping[str, str]

    def resolve(self) -> Plan | Case:
        return resolve(self.branches, self.base, self.policies)

    def picture(self) -> Picture:
        return picture(self.branches, self.base, self.policies)


def read_disputed(database: Database, doc_ids: Sequence[str]) -> list[Disputed]:
    """Those of the documents that are in dispute, in their order; in two reads, however many."""
    found = _read_leaves(database, doc_ids)
    branches = {doc_id: branches_of(leaves) for doc_id, leaves in found.items()}
    disputed = [doc_id for doc_id, one in branches.items() if one.disputed]
    bases = _read_bases(database, {doc_id: branches[doc_id].bases() for doc_id in disputed})
    return [
        Disputed(
            doc_id,
            found[doc_id],
            branches[doc_id],
            bases.get(doc_id),
            policies_for(_type(branches[doc_id])),
        )
        for doc_id in disputed
    ]


def disputed_among(database: Database, doc_ids: Sequence[str]) -> set[str]:
    """Which of the documents nobody has settled yet, be it the resolver or a person."""
    states = [state for state in database.states(doc_ids) if state is not None]
    suspects = [state.doc_id for state in states if may_be_disputed(state)]
    found = _read_leaves(database, suspects)
    return {doc_id for doc_id, leaves in found.items() if branches_of(leaves).disputed}


def may_be_disputed(state: DocumentState) -> bool:
    """Whether the leaves must be read: a deleted one may be a tablet's deletion."""
    return len(state.leaves) > 1 and not state.winner.deleted


def _read_leaves(database: Database, doc_ids: Sequence[str]) -> dict[str, list[Revision]]:
    found = database.bulk_get([(doc_id, None) for doc_id in doc_ids])
    return {
        doc_id: [revision for revision in revisions if isinstance(revision, Revision)]
        for doc_id, revisions in zip(doc_ids, found, strict=True)
    }


def branches_of(leaves: Iterable[Revision]) -> Branches:
    """`leaves`: all of one document, in any order."""
    live: list[Leaf] = []
    deletions: list[History] = []
    merged: dict[str, list[History]] = {}
    for revision in sorted(leaves, key=_winner_key, reverse=True):
        history = revision.revisions.revs()
        if not revision.deleted:
            live.append(Leaf(history, version_of(revision)))
        elif (into := merged_into(revision.body)) is not None:
            merged.setdefault(into, []).append(history[1:])
        elif not _is_departure(revision.doc_id, history):
            deletions.append(history)
    return Branches(live, deletions, merged)


def version_of(revision: Revision) -> Version:
    """Nothing that another server may know differently has a say; `account` is only told."""
    fields: dict[str, Any] = orjson.loads(revision.body)
    return Version(
        rev=revision.rev,
        fields=fields,
        attachments=_digests(revision),
        captured_at=captured_at(fields),
        device=device_of(fields),
        account=revision.origin.account,
    )


def base_of(revision: Revision) -> Base:
    if revision.deleted:
        return Base(revision.rev, {}, {})
    version = version_of(revision)
    at, device = version.captured_at, version.device
    return Base(version.rev, version.fields, version.attachments, at, device)


def captured_at(fields: Mapping[str, Any]) -> int | None:
    """When the edit was made, in milliseconds since 1970, by the tablet's clock as corrected by
    the difference to the server's that the tablet last knew; None where nothing usable is said.
    """
    try:
        said = (datetime.fromisoformat(fields["captured_at"]) - _EPOCH) // _MILLISECOND
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    offset = fields.get("server_offset_ms")
    at = said + offset if type(offset) is int else said
    return at if abs(at) <= _FURTHEST else None


def _read_bases(database: Database, bases: Mapping[str, Sequence[str]]) -> dict[str, Base]:
    wanted = [(doc_id, revs[0]) for doc_id, revs in bases.items() if len(revs) == 1]
    return {
        revision.doc_id: base_of(revision)
        for (revision,) in database.bulk_get(wanted)
        if isinstance(revision, Revision)
    }


def _winner_key(revision: Revision) -> tuple[bool, int, str]:
    return winner_key(revision.rev, revision.deleted)


def _digests(revision: Revision) -> dict[str, str]:
    return {name: info.digest for name, info in revision.attachments.items()}


def device_of(fields: Mapping[str, Any]) -> str:
    """The tablet that a document names; empty where it names none."""
    device = fields.get("device")
    return device if type(device) is str else ""


def _type(branches: Branches) -> str:
    return str(branches.live[0].version.fields.get("type", ""))


def _is_departure(doc_id: str, history: History) -> bool:
    return len(history) > 1 and departure_of(doc_id, history[1]) == history[0]
