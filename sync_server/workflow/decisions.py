"""Decisions of coordinators: pinned to the revision that was on screen, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from sync_server.access.areas import covers
from sync_server.branches import disputed_among
from sync_server.cases.records import disputed
from sync_server.errors import BadRequest, Conflict, Forbidden, NotFound, SyncError
from sync_server.storage.base import Database
from sync_server.workflow import proposals
from sync_server.workflow.proposals import Proposal
from sync_server.workflow.publish import publish_all
from sync_server.workflow.states import ACTIONS, APPROVED, COORDINATOR, IN_REVIEW


@dataclass(frozen=True, slots=True)
class Decision:
    """What a coordinator asks for. `amount_cents`: whole US cents, for approvals alone."""

    proposal: str
    rev: str
    action: str
    """`approve`, `reject` or `return`."""
    amount_cents: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one decision."""

    decision: Decision
    state: str | None
    error: SyncError | None = None


def decide(
    sql: Engine,
    database: Database,
    decisions: Sequence[Decision],
    actor: str,
    now: int,
    areas: Sequence[str] | None = None,
) -> list[Outcome]:
    """Take decisions, each for itself, and publish them; outcomes stand in the order given.

    `areas`: where the actor decides, None for everywhere; what is elsewhere is not known.
    """
    outcomes = [_decide(sql, database, decision, actor, now, areas) for decision in decisions]
    if any(outcome.error is None for outcome in outcomes):
        publish_all(sql, database)
    return outcomes


def _decide(
    sql: Engine,
    database: Database,
    decision: Decision,
    actor: str,
    now: int,
    areas: Sequence[str] | None,
) -> Outcome:
    try:
        with sql.begin() as connection:
            before = _pinned(connection, database, decision, areas)
            after = _decided(before, decision, actor, now)
            _require_undisputed(connection, database, before)
            proposals.move(connection, before, after, role=COORDINATOR, actor=actor)
    except SyncError as error:
        return Outcome(decision, None, error)
    return Outcome(decision, after.state)


def _pinned(
    connection: Connection, database: Database, decision: Decision, areas: Sequence[str] | None
) -> Proposal:
    """The proposal, if it is still what was on screen."""
    proposal = known_within(connection, database.name, decision.proposal, areas)
    if proposal.state != IN_REVIEW:
        raise Conflict(
            f"This proposal is {proposal.state.replace('_', ' ')} by now: look at it again."
        )
    if proposal.revision != decision.rev:
        raise Conflict(
            f"This proposal has changed since you saw it: it is at revision {proposal.revision},"
            f" you decided on {decision.rev}. Look at it again."
        )
    return proposal


def known_within(
    connection: Connection, database: str, doc_id: str, areas: Sequence[str] | None
) -> Proposal:
    """The proposal, if it stands in one of these areas (None: anywhere). Raises NotFound."""
    found = proposals.find(connection, database, [doc_id]).get(doc_id)
    if found is None or (areas is not None and not any(covers(one, found.area) for one in areas)):
        raise NotFound("This proposal is not known.")
    return found


def _require_undisputed(connection: Connection, database: Database, proposal: Proposal) -> None:
    """Neither the proposal nor its household may be in conflict, nor newer than was screened."""
    named = [proposal.proposal, proposal.household]
    for doc_id in sorted(disputed_among(database, named)):
        raise Conflict(f"{doc_id} was changed on two tablets at once: it must be settled first.")
    for doc_id in sorted(disputed(connection, database.name, named)):
        raise Conflict(f"There is an open case about {doc_id}: it must be settled first.")
    (own,) = database.states([proposal.proposal])
    if own is None or own.winner.rev != proposal.revision:
        raise Conflict("A newer revision of this proposal has just arrived: look at it again.")


def _decided(before: Proposal, decision: Decision, actor: str, now: int) -> Proposal:
    if decision.action not in ACTIONS:
        raise BadRequest("The action must be approve, reject or return.")
    if actor in (before.author, before.sender):
        raise Forbidden("Nobody decides on a proposal of their own: ask another coordinator.")
    state = ACTIONS[decision.action]
    amount = _amount(before, decision) if state == APPROVED else None
    return proposals.moved(before, state, now, amount_cents=amount, reason=decision.reason or None)


def _amount(before: Proposal, decision: Decision) -> int:
    amount = decision.amount_cents
    if amount is None or amount <= 0:
        raise BadRequest("Say how much is approved, in whole US cents.")
    if amount > before.requested_cents:
        raise BadRequest(
            f"{amount} cents are more than the {before.requested_cents} that were requested."
        )
    return amount
