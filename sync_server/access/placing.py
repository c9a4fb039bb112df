"""Where a document stands: the area of each document of a push.

    household            the commune of its village
    proposal             its household's area
    visit, delivery      their household's, or that of the proposal they name
    attendance           its household's, or that of the training
    training             the commune of its venue's village
    contest              its author's own commune
    review, notice       the area of what they speak of

A document that is stored keeps the area it has: a household that moves to another village is moved
by the intake, with all that belongs to it. What says nothing of where it belongs, or names what is
not known yet, stands at its author's own commune until the intake learns better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from sync_server.access.accounts import Account
from sync_server.access.areas import COMMUNE_DIGITS, NATION, commune_of, is_village, personal
from sync_server.access.grants import CEW, Grant
from sync_server.access.permissions import replicates_whole
from sync_server.storage.base import Database, DocumentState

HOUSEHOLD, PROPOSAL, TRAINING = "household:", "proposal:", "training:"
VISIT, DELIVERY, ATTENDANCE, CONTEST = "visit:", "delivery:", "attendance:", "contest:"
REVIEW, NOTICE = "review:", "notice:"

BY_VILLAGE = (HOUSEHOLD, TRAINING)
"""Types of documents that stand where a village is, the member `village`."""

OWNERS = (HOUSEHOLD, PROPOSAL, TRAINING)
"""Types of documents that others may name as what they belong to."""

_CAPTURED = (HOUSEHOLD, TRAINING, PROPOSAL, VISIT, DELIVERY, ATTENDANCE, CONTEST)
_REFERENCES: Mapping[str, Sequence[tuple[str, Sequence[str]]]] = {
    PROPOSAL: [("household", [HOUSEHOLD])],
    VISIT: [("household", [HOUSEHOLD]), ("proposal", [PROPOSAL])],
    DELIVERY: [("household", [HOUSEHOLD]), ("proposal", [PROPOSAL])],
    ATTENDANCE: [("household", [HOUSEHOLD]), ("training", [TRAINING])],
    REVIEW: [("household", [HOUSEHOLD]), ("proposal", [PROPOSAL])],
    NOTICE: [("document", [*_CAPTURED])],
}
"""Members that name what a document belongs to, the best first, and the types they may name: none
leads back, so following them comes to an end.
"""


Stored = Mapping[str, DocumentState | None]


class Places(Protocol):
    """What must be known of the gazetteer."""

    def knows(self, code: str) -> bool:
        """Whether there is a place of that code."""
        ...


class _NoPlaces:
    def knows(self, code: str) -> bool:
        return False


NO_PLACES: Places = _NoPlaces()
"""Where there is no gazetteer."""


class Sent(NamedTuple):
    """A document as its author sent it."""

    doc_id: str
    fields: Mapping[str, Any] | None
    """None for a tombstone, which says nothing."""


@dataclass(frozen=True, slots=True)
class Author:
    """Whose documents are placed."""

    name: str
    home: str | None
    """The own commune; None for one who writes whole databases."""

    def area_of(self, doc_id: str) -> str:
        """Where a document stands that says nothing better.

        Of one who writes whole databases, what was captured in the field is shown to no tablet
        until it is known where it belongs; catalogues and the like are everybody's.
        """
        if self.home is not None:
            return self.home
        return personal(self.name) if kind(doc_id) in _CAPTURED else NATION


def author_of(account: Account, database: str, now: int) -> Author:
    """`now`: milliseconds since 1970. The home is the first commune that the account works in as
    a `cew`; else the first area that it was granted; one that has ended where none holds.
    """
    if replicates_whole(account, database):
        return Author(account.name, None)
    own = [grant for grant in account.grants if grant.database == database]
    own.sort(key=lambda grant: _preference(grant, now))
    return Author(account.name, own[0].area if own else personal(account.name))


def _preference(grant: Grant, now: int) -> tuple[bool, bool, bool, int]:
    """The least is preferred. Of those that hold the first given, else the last to end."""
    holds = grant.holds(now)
    ended = 0 if holds else -(grant.ends_at or 0)
    return not holds, grant.role != CEW, len(grant.area) != COMMUNE_DIGITS, ended


def place(
    database: Database, places: Places, documents: Sequence[Sent], author: Author
) -> dict[str, str]:
    """The area of each document, by its id. `database` is the whole one, not a view of it.

    Reads storage once, whatever the number of documents.
    """
    return place_among(stored_of(database, documents), places, documents, author)


def stored_of(database: Database, documents: Sequence[Sent]) -> Stored:
    """The states of these documents and of all that they name, None for what is not stored."""
    return states_of(database, [*(doc_id for doc_id, _ in documents), *names(documents)])


def names(documents: Iterable[Sent]) -> list[str]:
    """Ids of all that these documents say they belong to."""
    return [name for doc_id, fields in documents for name in references(doc_id, fields or {})]


def states_of(database: Database, doc_ids: Iterable[str]) -> Stored:
    asked = list(dict.fromkeys(doc_ids))
    return dict(zip(asked, database.states(asked) if asked else [], strict=True))


def place_among(
    stored: Stored, places: Places, documents: Sequence[Sent], author: Author
) -> dict[str, str]:
    """As `place`, for one who has asked what is stored already."""
    sent: dict[str, Mapping[str, Any]] = {}
    for doc_id, fields in documents:
        if not sent.get(doc_id):
            sent[doc_id] = fields or {}
    known = {doc_id: _area(doc_id, sent, stored, places) for doc_id in sent}
    return {
        doc_id: author.area_of(doc_id) if area is None else area for doc_id, area in known.items()
    }


def _area(
    doc_id: str, sent: Mapping[str, Mapping[str, Any]], stored: Stored, places: Places
) -> str | None:
    state = stored.get(doc_id)
    if state is not None:
        return state.area
    fields = sent.get(doc_id)
    if fields is None:
        return None
    return _target(doc_id, fields, sent, stored, places)


def targets_among(stored: Stored, places: Places, documents: Sequence[Sent]) -> list[str | None]:
    """For each document in turn, where it says that it belongs, wherever it stands: the area of a
    village, or of what it names that is stored or was sent along; None for nothing known.
    """
    sent = {doc_id: fields or {} for doc_id, fields in documents}
    return [_target(doc_id, fields or {}, sent, stored, places) for doc_id, fields in documents]


def _target(
    doc_id: str,
    fields: Mapping[str, Any],
    sent: Mapping[str, Mapping[str, Any]],
    stored: Stored,
    places: Places,
) -> str | None:
    if kind(doc_id) in BY_VILLAGE:
        return village_area(fields, places)
    found = (_area(name, sent, stored, places) for name in references(doc_id, fields))
    return next((area for area in found if area is not None), None)


def says_where(doc_id: str) -> bool:
    """Whether a document of this type may say where it belongs."""
    return kind(doc_id) in BY_VILLAGE or names_others(doc_id)


def names_others(doc_id: str) -> bool:
    """Whether a document of this type may name what it belongs to."""
    return kind(doc_id) in _REFERENCES


def references(doc_id: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Ids of what the document belongs to, by what it says: the best first."""
    for member, types in _REFERENCES.get(kind(doc_id), ()):
        name = fields.get(member)
        if type(name) is str and kind(name) in types:
            yield name


def village_area(fields: Mapping[str, Any], places: Places) -> str | None:
    """The area of the village that a household or training names; None for none that is known."""
    village = fields.get("village")
    if type(village) is str and is_village(village) and places.knows(village):
        return commune_of(village)
    return None


def kind(doc_id: str) -> str:
    """The part of an id that names the document's type, with its colon; empty without one."""
    return doc_id[: doc_id.find(":") + 1]
