"""Second stage: a document stands where it belongs, and what belongs to it stands beside it.

A push has placed a new document as well as it could (see `access/placing.py`). A household moves
when its winning revision names a village of another commune; a proposal that came before its
household stands at its author's until that arrives. Whatever moves takes along all that belongs
to it, however far down: a household its proposals, those their visits, reviews and notices.

    household ──◄── proposal ──◄── visit, delivery, review
        ▲                               ▲
        └── attendance ──► training     └── notice (of anything)

Nothing needs to be remembered to go on after a crash: what has been moved arrives as a change,
what has not is found again by the batch that is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync_server.access.areas import is_personal
from sync_server.access.placing import (
    ATTENDANCE,
    BY_VILLAGE,
    DELIVERY,
    NOTICE,
    PROPOSAL,
    REVIEW,
    VISIT,
    kind,
    names_others,
    references,
    village_area,
)
from sync_server.intake import belongings
from sync_server.intake.stage import SERVER, Arrival, Intake
from sync_server.storage.base import DocumentState, Origin
from sync_server.workflow import proposals

_DEPTH = {PROPOSAL: 1, VISIT: 2, DELIVERY: 2, ATTENDANCE: 2, REVIEW: 2, NOTICE: 3}
"""Less than that of whatever belongs to it: so owners come first, and following ends."""
MOST_MOVES = 500
"""Documents moved in one transaction: tablets that push wait for its end."""


def locate(intake: Intake, arrivals: Sequence[Arrival]) -> None:
    """Move what stands elsewhere than it belongs."""
    said = {
        one.doc_id: list(references(one.doc_id, one.fields))
        for one in arrivals
        # A tombstone says nothing, and belongs where it did.
        if names_others(one.doc_id) and not one.winner.deleted
    }
    belongings.note(intake.sql, intake.database.name, said)
    found = Whereabouts(intake, arrivals)
    found.follow()
    _move(intake, found.moves)
    _settle_proposals(intake, arrivals, found)


class Whereabouts:
    """Where the documents of a batch stand, where they belong, and what follows them."""

    def __init__(self, intake: Intake, arrivals: Sequence[Arrival]) -> None:
        self._intake = intake
        self._arrivals = {one.doc_id: one for one in arrivals}
        self._states: dict[str, DocumentState | None] = {one.doc_id: one.state for one in arrivals}
        self._owners: dict[str, list[str]] = {}
        self.moves: dict[str, str] = {}
        """The area of each document that is to be moved."""

    def follow(self) -> None:
        """Find all moves."""
        # What arrived may have been waited for by others, even if it stays where it is.
        level = list(self._arrivals)
        while level:
            self._look_up(level)
            for doc_id in sorted(level, key=_depth):
                self._decide(doc_id)
            leads = [one for one in level if one in self._arrivals or one in self.moves]
            level = self._belonging_to(leads)

    def area_of(self, doc_id: str) -> str | None:
        """Where the document stands once all is moved; None for one that is not stored."""
        state = self._states.get(doc_id)
        return self.moves.get(doc_id, state.area) if state is not None else None

    def _decide(self, doc_id: str) -> None:
        state, area = self._states.get(doc_id), self._belongs_at(doc_id)
        if state is None or area is None or _is_private(state):
            return
        if area == state.area:
            self.moves.pop(doc_id, None)
        else:
            self.moves[doc_id] = area

    def _belongs_at(self, doc_id: str) -> str | None:
        """None where nothing says so."""
        if kind(doc_id) in BY_VILLAGE:
            return self._village_area(doc_id)
        areas = (self.area_of(owner) for owner in self._owners.get(doc_id, ()))
        return next((area for area in areas if area is not None), None)

    def _village_area(self, doc_id: str) -> str | None:
        """In conflict a document stays where it is: a move gives its leaves new revisions, of
        which another might win and move it back.
        """
        arrival = self._arrivals.get(doc_id)
        if arrival is None or arrival.winner.deleted or arrival.is_conflicted:
            return None
        return village_area(arrival.fields, self._intake.places)

    def _look_up(self, doc_ids: Sequence[str]) -> None:
        """Read what must be known of these documents."""
        with self._intake.sql.connect().execution_options(read_only=True) as connection:
            found = belongings.owners_of(connection, self._intake.database.name, doc_ids)
        self._owners.update(found)
        wanted = [*doc_ids, *(owner for owners in found.values() for owner in owners)]
        unknown = [one for one in dict.fromkeys(wanted) if one not in self._states]
        if unknown:
            states = self._intake.database.states(unknown)
            self._states.update(zip(unknown, states, strict=True))

    def _belonging_to(self, doc_ids: Sequence[str]) -> list[str]:
        if not doc_ids:
            return []
        with self._intake.sql.connect().execution_options(read_only=True) as connection:
            return belongings.belonging_to(connection, self._intake.database.name, doc_ids)


def _depth(doc_id: str) -> int:
    return _DEPTH.get(kind(doc_id), 0)


def _is_private(state: DocumentState) -> bool:
    """A notice to one account about a document that it may not see."""
    return kind(state.doc_id) == NOTICE and is_personal(state.area)


def _move(intake: Intake, moves: Mapping[str, str]) -> None:
    origin = Origin(SERVER, "", intake.now())
    ordered = sorted(moves.items(), key=lambda move: _depth(move[0]))
    for start in range(0, len(ordered), MOST_MOVES):
        intake.database.relocate(dict(ordered[start : start + MOST_MOVES]), origin=origin)


def _settle_proposals(intake: Intake, arrivals: Sequence[Arrival], found: Whereabouts) -> None:
    """The workflow knows where each proposal stands, those that nobody screens again too."""
    doc_ids = [one.doc_id for one in arrivals if kind(one.doc_id) == PROPOSAL]
    doc_ids += [doc_id for doc_id in found.moves if kind(doc_id) == PROPOSAL]
    areas = {doc_id: area for doc_id in doc_ids if (area := found.area_of(doc_id)) is not None}
    if areas:
        proposals.settle(intake.sql, intake.database.name, areas)
