"""Fourth stage: what stands between a submitted proposal and a coordinator.

A proposal that fails its schema goes back to its author; one that is in conflict, or whose
household is, waits: the money waits, the registration stands. When the obstacle is gone the
proposal goes on by itself, so a household that arrives brings its proposals with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

import schemas
from sync_server.access.areas import office_of
from sync_server.branches import disputed_among
from sync_server.cases import contests
from sync_server.cases.records import disputed
from sync_server.intake.stage import SERVER, Arrival, Intake
from sync_server.storage.base import Database
from sync_server.workflow import proposals
from sync_server.workflow import states as workflow
from sync_server.workflow.proposals import Proposal
from sync_server.workflow.publish import publish_all

PROPOSAL, HOUSEHOLD, CONTEST = "proposal:", "household:", "contest:"


def screen(intake: Intake, arrivals: Sequence[Arrival]) -> None:
    """Move proposals as far as the server may, and publish where they stand."""
    concerned = _concerned(intake, arrivals)
    if concerned:
        _screen(intake, concerned)
    publish_all(intake.sql, intake.database)


def _concerned(intake: Intake, arrivals: Sequence[Arrival]) -> dict[str, Arrival]:
    """Proposals that arrived or are contested, and those of households that did or are."""
    found = {one.doc_id: one for one in arrivals if one.doc_id.startswith(PROPOSAL)}
    touched = [one.doc_id for one in arrivals if one.doc_id.startswith(HOUSEHOLD)]
    contested = [one.doc_id for one in arrivals if one.doc_id.startswith(CONTEST)]
    if touched or contested:
        with intake.sql.connect().execution_options(read_only=True) as connection:
            touched += contests.known(connection, intake.database.name, contested).values()
            waiting = proposals.of_households(connection, intake.database.name, touched)
        wanted = [*waiting, *(doc_id for doc_id in touched if doc_id.startswith(PROPOSAL))]
        others = [doc_id for doc_id in wanted if doc_id not in found]
        found.update((one.doc_id, one) for one in read(intake.database, others))
    return found


def read(database: Database, doc_ids: Sequence[str]) -> list[Arrival]:
    """The documents as they stand now; those that are gone, or whose body is, are left out."""
    found = zip(database.states(doc_ids), database.winners(doc_ids), strict=True)
    return [
        Arrival(state, winner)
        for state, winner in found
        if state is not None and winner is not None
    ]


def _screen(intake: Intake, concerned: Mapping[str, Arrival]) -> None:
    households = {_household(arrival) for arrival in concerned.values()} - {""}
    named = [*concerned, *sorted(households)]
    in_conflict = disputed_among(intake.database, named)
    with intake.sql.begin() as connection:
        known = proposals.find(connection, intake.database.name, list(concerned))
        in_question = in_conflict | disputed(connection, intake.database.name, named)
        for doc_id, arrival in concerned.items():
            if not arrival.winner.deleted:
                waits = bool({doc_id, _household(arrival)} & in_question)
                _advance(connection, intake, arrival, known.get(doc_id), waits)


def _household(arrival: Arrival) -> str:
    named = arrival.fields.get("household")
    return named if type(named) is str else ""


def _advance(
    connection: Connection,
    intake: Intake,
    arrival: Arrival,
    known: Proposal | None,
    waits: bool,
) -> None:
    now = intake.now()
    fields = arrival.fields
    if known is None:
        if fields.get("submitted") is not True:
            return
        known = _described(intake, arrival, None, now)
        proposals.receive(connection, known, SERVER)
    if not workflow.is_open(known.state):
        return
    target = _target(arrival, known, waits)
    described = _described(intake, arrival, known, now)
    if target == known.state and known.revision == arrival.winner.rev:
        if replace(described, changed_at=known.changed_at) != known:
            proposals.refresh(connection, replace(described, changed_at=known.changed_at))
        return
    after = proposals.moved(described, target, now, reason=_reason(fields, target))
    proposals.move(connection, known, after, role=workflow.SERVER, actor=SERVER)


def _target(arrival: Arrival, known: Proposal, waits: bool) -> str:
    fields = arrival.fields
    if fields.get("withdrawn") is True:
        return workflow.WITHDRAWN
    if known.state == workflow.RETURNED and known.revision == arrival.winner.rev:
        return workflow.RETURNED
    if schemas.validate(fields):
        return workflow.NEEDS_CORRECTION
    return workflow.ON_HOLD if waits else workflow.IN_REVIEW


def _reason(fields: Mapping[str, Any], target: str) -> str | None:
    if target == workflow.WITHDRAWN:
        return str(fields.get("withdrawn_reason", ""))
    if target == workflow.NEEDS_CORRECTION:
        return ", ".join(problem.field for problem in schemas.validate(fields))
    return "conflict" if target == workflow.ON_HOLD else None


def _described(intake: Intake, arrival: Arrival, known: Proposal | None, now: int) -> Proposal:
    """The row for what the document says; what is no text or number counts as nothing."""
    fields, origin = arrival.fields, arrival.winner.origin
    cents = fields.get("requested_total_cents")
    merged = origin.account == SERVER and known is not None
    return Proposal(
        database=intake.database.name,
        proposal=arrival.doc_id,
        household=_household(arrival),
        author=str(fields.get("author", "")),
        sender=known.sender if merged and known else origin.account,
        area=office_of(arrival.state.area),
        activity=str(fields.get("activity", "")),
        state=known.state if known else workflow.RECEIVED,
        revision=arrival.winner.rev,
        requested_cents=cents if type(cents) is int else 0,
        amount_cents=known.amount_cents if known else None,
        reason=known.reason if known else None,
        received_at=known.received_at if known else origin.received_at,
        changed_at=now,
    )
