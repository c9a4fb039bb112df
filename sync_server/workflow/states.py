"""The workflow of a proposal as a table: who may move it from where to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RECEIVED = "received"
NEEDS_CORRECTION = "needs_correction"
ON_HOLD = "on_hold"
IN_REVIEW = "in_review"
APPROVED = "approved"
REJECTED = "rejected"
RETURNED = "returned"
WITHDRAWN = "withdrawn"

SERVER = "server"
COORDINATOR = "coordinator"


@dataclass(frozen=True, slots=True)
class Transition:
    """`source` None: the proposal is new to the workflow."""

    source: str | None
    target: str
    role: str
    needs_reason: bool = False


_OPEN = (RECEIVED, NEEDS_CORRECTION, ON_HOLD, IN_REVIEW, RETURNED)
_SCREENED = (NEEDS_CORRECTION, ON_HOLD, IN_REVIEW)

TRANSITIONS = (
    Transition(None, RECEIVED, SERVER),
    *(Transition(RECEIVED, target, SERVER) for target in _SCREENED),
    # Screening repeats with every revision and whenever an obstacle comes or goes; a proposal
    # that stays where it is moves to a new revision.
    *(Transition(source, target, SERVER) for source in _SCREENED for target in _SCREENED),
    *(Transition(RETURNED, target, SERVER) for target in _SCREENED),
    *(Transition(source, WITHDRAWN, SERVER) for source in _OPEN),
    Transition(IN_REVIEW, APPROVED, COORDINATOR),
    Transition(IN_REVIEW, REJECTED, COORDINATOR, needs_reason=True),
    Transition(IN_REVIEW, RETURNED, COORDINATOR, needs_reason=True),
)

ACTIONS: Mapping[str, str] = {"approve": APPROVED, "reject": REJECTED, "return": RETURNED}
"""What a coordinator asks for, and where it leads."""

_TABLE = {(one.source, one.target, one.role): one for one in TRANSITIONS}


def transition(source: str | None, target: str, role: str) -> Transition | None:
    """The row of the table, None where this is not allowed."""
    return _TABLE.get((source, target, role))


def is_open(state: str | None) -> bool:
    """Whether screening still looks at the proposal."""
    return state is None or state in _OPEN
