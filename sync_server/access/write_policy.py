"""What an account may write, document by document: pure, and decided by what was sent, the
account's grants, and what storage says of the document.

    by name     design documents, reviews and notices; types that the role does not write;
                an id that does not begin with the document's type; a deletion that says that
                it was merged, as the server's do
    by place    an area that no grant covers: of the stored document, else where it would stand;
                and that to which an edit would move it
    by time     captured after the grant had ended, or sent too long after; captured before a
                tablet that had been revoked was enrolled again
    by number   a generation far above the highest known
    by author   a new document in another's name, or an edit that changes the name

A document that merely fails its schema is not refused: it is stored, and its author told. A
missing author is such a failure. A missing type is not: what the document is cannot be told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from conflict.branches import MERGED_INTO
from conflict.revision import generation
from sync_server.access.accounts import Account
from sync_server.access.areas import covers
from sync_server.access.grants import CEW, COORDINATOR, Grant
from sync_server.access.refusals import (
    AUTHOR,
    DESIGN,
    DEVICE,
    ENDED,
    GENERATION,
    LATE,
    MERGED,
    OUTSIDE,
    PREFIX,
    SERVER,
    TAKEN,
    TYPE,
    Reason,
)
from sync_server.storage.base import DocumentState

DESIGN_PREFIX = "_design/"
SERVER_PREFIXES = ("review:", "notice:")

WRITES: Mapping[str, frozenset[str]] = {
    CEW: frozenset(
        {"household", "proposal", "visit", "delivery", "training", "attendance", "contest"}
    ),
    COORDINATOR: frozenset({"visit", "training"}),
}
"""Types of documents that a role writes."""


class Draft(NamedTuple):
    """A revision as it was sent."""

    doc_id: str
    fields: Mapping[str, Any]
    deleted: bool
    generation: int
    """Of the revision that the client has made; 0 where the server is to make it."""

    @property
    def author(self) -> Any:
        """Whoever the document names as its author, None for nobody."""
        return self.fields.get("author")


@dataclass(frozen=True, slots=True)
class Limits:
    """`grace_ms`: for how long after its end a grant still takes what was captured before."""

    generation_jump: int
    grace_ms: int


class WritePolicy:
    """Of one account in one database, at the time of a request. Admins need none."""

    def __init__(
        self,
        account: Account,
        database: str,
        limits: Limits,
        received_at: int,
        readmitted_at: int | None = None,
    ) -> None:
        """Times in milliseconds since 1970. `readmitted_at`: when the tablet was enrolled again
        after it had been revoked; what was captured before is not known to be its owner's.
        """
        self.account = account.name
        self.is_replicator = database in account.databases
        """Replicates the whole database: refused by name alone."""
        self._limits = limits
        self._received_at = received_at
        self._readmitted_at = readmitted_at
        grants = [grant for grant in account.grants if grant.database == database]
        self._grants = {kind: _writing(kind, grants) for kind in set().union(*WRITES.values())}
        self._areas = {kind: _held(found, received_at) for kind, found in self._grants.items()}

    def refuse_name(self, draft: Draft) -> Reason | None:
        """Why a document of that name is refused, wherever it stands."""
        kind, colon, _ = draft.doc_id.partition(":")
        if self.is_replicator or not self._grants.get(kind) or not colon:
            return self._refuse_strange(draft.doc_id)
        if draft.deleted:
            # It would make the resolver pass over the branch that it ends.
            return MERGED if MERGED_INTO in draft.fields else None
        return None if draft.fields.get("type") == kind else PREFIX

    def _refuse_strange(self, doc_id: str) -> Reason | None:
        if doc_id.startswith(DESIGN_PREFIX):
            return DESIGN
        if doc_id.startswith(SERVER_PREFIXES):
            return SERVER
        return None if self.is_replicator else TYPE

    def refuse(self, draft: Draft, area: str, stored: DocumentState | None) -> Reason | None:
        """Why a document is refused that is well named; its author is judged apart.

        `area`: where it stands or would stand.
        """
        kind = draft.doc_id.partition(":")[0]
        if not self._covers(kind, area):
            reason = self._refuse_place(draft, kind, area, stored)
            if reason is not None:
                return reason
        if self._readmitted_at is not None and self._captured_at(draft) < self._readmitted_at:
            return DEVICE
        jump = self._limits.generation_jump
        if draft.generation > jump and draft.generation > _highest(stored) + jump:
            return GENERATION
        return None

    def refuse_move(self, draft: Draft, area: str, target: str) -> Reason | None:
        """Why a document that stands in this area may not be taken to that one, where the intake
        would move it. A household may move to any village, and takes along what belongs to it; but
        only by one who works where it stands, not by one who did.
        """
        if target == area:
            return None
        kind = draft.doc_id.partition(":")[0]
        if not self._covers(kind, area):
            return self._refuse_place(draft, kind, area, None) or ENDED
        if kind in ("household", "training") or self._covers(kind, target):
            return None
        return self._refuse_place(draft, kind, target, None)

    def writes_in(self, doc_id: str, area: str) -> bool:
        """Whether a document of this type may be written in that area now."""
        kind = doc_id.partition(":")[0]
        return kind in self._areas and self._covers(kind, area)

    def _covers(self, kind: str, area: str) -> bool:
        return area.startswith(self._areas[kind]) and area[:1] != "@"

    def _refuse_place(
        self, draft: Draft, kind: str, area: str, stored: DocumentState | None
    ) -> Reason | None:
        """No grant that holds covers the area: one that has ended may."""
        received = self._received_at
        ended = [
            grant.ends_at
            for grant in self._grants[kind]
            if grant.ends_at is not None and grant.ends_at <= received and covers(grant.area, area)
        ]
        if not ended:
            return OUTSIDE if stored is None else TAKEN
        captured = self._captured_at(draft)
        covering = [end for end in ended if captured < end]
        if not covering:
            return ENDED
        return None if received < max(covering) + self._limits.grace_ms else LATE

    def _captured_at(self, draft: Draft) -> int:
        return captured_at(draft.fields, self._received_at)

    def refuse_author(
        self, author: Any, known: Collection[Any] = (), *, is_edit: bool = False
    ) -> Reason | None:
        """Why a document by this author is refused.

        `known`: authors that the stored document has, in any leaf or ancestor that is kept.
        `is_edit`: it goes on from a revision that is stored. Of one whose author is not kept it
        cannot be said that it changes him.
        """
        if author is None or author in known:
            return None
        if is_edit:
            return AUTHOR if any(one is not None for one in known) else None
        return None if author == self.account or type(author) is not str else AUTHOR


def _writing(kind: str, grants: Iterable[Grant]) -> Sequence[Grant]:
    return [grant for grant in grants if kind in WRITES[grant.role]]


def _held(grants: Iterable[Grant], now: int) -> tuple[str, ...]:
    return tuple({grant.area for grant in grants if grant.holds(now)})


def _highest(stored: DocumentState | None) -> int:
    return max((generation(leaf.rev) for leaf in stored.leaves), default=0) if stored else 0


def captured_at(fields: Mapping[str, Any], received_at: int) -> int:
    """When the edit was made, in milliseconds, but not after it was received; the receipt where
    nothing usable is said.
    """
    try:
        said = datetime.fromisoformat(fields["captured_at"])
        at = int(said.timestamp() * 1000) if said.tzinfo is not None else received_at
    except (KeyError, TypeError, ValueError, OverflowError):
        return received_at
    return min(at, received_at)
