"""Where each proposal stands, and moving it: the row and its ledger entry in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, Engine, and_, delete, insert, or_, select, update

from sync_server.access.area_queries import within
from sync_server.access.areas import office_of
from sync_server.errors import BadRequest, Conflict
from sync_server.workflow import ledger
from sync_server.workflow.states import IN_REVIEW, transition
from sync_server.workflow.tables import proposals


@dataclass(frozen=True, slots=True)
class Proposal:
    """A row of `proposals`. Amounts in whole US cents, times in milliseconds since 1970."""

    database: str
    proposal: str
    household: str
    author: str
    """Who wrote it, as the document says."""
    sender: str
    """The account that sent it."""
    area: str
    activity: str
    state: str
    revision: str
    """The revision that the state speaks of."""
    requested_cents: int
    amount_cents: int | None
    reason: str | None
    received_at: int
    changed_at: int


_COLUMNS = [proposals.c[name] for name in Proposal.__dataclass_fields__]


def find(connection: Connection, database: str, doc_ids: Sequence[str]) -> dict[str, Proposal]:
    return _read(connection, database, proposals.c.proposal.in_(doc_ids))


def of_households(
    connection: Connection, database: str, doc_ids: Sequence[str]
) -> dict[str, Proposal]:
    return _read(connection, database, proposals.c.household.in_(doc_ids))


def _read(connection: Connection, database: str, condition: object) -> dict[str, Proposal]:
    query = select(*_COLUMNS).where(proposals.c.database == database, condition)  # type: ignore[arg-type]
    return {row.proposal: Proposal(*row) for row in connection.execute(query)}


def queue(
    connection: Connection,
    database: str,
    after: tuple[int, str] | None,
    limit: int,
    areas: Sequence[str] | None = None,
) -> list[Proposal]:
    """Proposals that wait for a decision, the oldest first; `after`: where the last page ended.

    `areas`: only what is or lies in one of these; None for all there are.
    """
    query = (
        select(*_COLUMNS)
        .where(proposals.c.database == database, proposals.c.state == IN_REVIEW)
        .where(within(proposals.c.area, areas))
        .order_by(proposals.c.received_at, proposals.c.proposal)
        .limit(limit)
    )
    if after is not None:
        at, doc_id = after
        query = query.where(
            or_(
                proposals.c.received_at > at,
                and_(proposals.c.received_at == at, proposals.c.proposal > doc_id),
            )
        )
    return [Proposal(*row) for row in connection.execute(query)]


def receive(connection: Connection, proposal: Proposal, actor: str) -> None:
    """Enter a proposal that the workflow has not seen."""
    connection.execute(insert(proposals).values(**asdict(proposal)))
    ledger.append(connection, _entry(proposal, None, actor))


def move(
    connection: Connection, before: Proposal, after: Proposal, *, role: str, actor: str
) -> None:
    """Take a step of the table of states. Raises Conflict where the table has no such step, or
    where the proposal has moved since `before` was read; BadRequest where a reason is missing.
    """
    step = transition(before.state, after.state, role)
    if step is None:
        raise Conflict(f"A proposal that is {before.state} cannot become {after.state}.")
    if step.needs_reason and not after.reason:
        raise BadRequest("Say why: this decision needs a reason.")
    done = connection.execute(
        update(proposals)
        .where(
            proposals.c.database == before.database,
            proposals.c.proposal == before.proposal,
            proposals.c.state == before.state,
            proposals.c.revision == before.revision,
        )
        .values(**asdict(after))
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else has just decided on this proposal.")
    ledger.append(connection, _entry(after, before.state, actor))


def refresh(connection: Connection, proposal: Proposal) -> None:
    """Keep what the document says beside an unchanged state."""
    connection.execute(
        update(proposals)
        .where(proposals.c.database == proposal.database, proposals.c.proposal == proposal.proposal)
        .values(**asdict(proposal))
    )


def settle(sql: Engine, database: str, areas: Mapping[str, str]) -> None:
    """Keep where the documents of these proposals stand, whatever their state."""
    query = select(proposals.c.proposal, proposals.c.area).where(
        proposals.c.database == database, proposals.c.proposal.in_(list(areas))
    )
    with sql.connect().execution_options(read_only=True) as connection:
        known = connection.execute(query).all()
    moved = [row.proposal for row in known if row.area != office_of(areas[row.proposal])]
    if not moved:
        return
    with sql.begin() as connection:
        for doc_id in moved:
            connection.execute(
                update(proposals)
                .where(proposals.c.database == database, proposals.c.proposal == doc_id)
                .values(area=office_of(areas[doc_id]))
            )


def forget_database(connection: Connection, database: str) -> None:
    """The database is gone: its proposals leave the queue; the ledger keeps what happened."""
    connection.execute(delete(proposals).where(proposals.c.database == database))


def _entry(proposal: Proposal, from_state: str | None, actor: str) -> ledger.Entry:
    return ledger.Entry(
        database=proposal.database,
        proposal=proposal.proposal,
        revision=proposal.revision,
        from_state=from_state,
        to_state=proposal.state,
        actor=actor,
        at=proposal.changed_at,
        amount_cents=proposal.amount_cents,
        reason=proposal.reason,
    )


def moved(proposal: Proposal, state: str, at: int, **changes: object) -> Proposal:
    """The proposal in another state."""
    return replace(proposal, state=state, changed_at=at, **changes)  # type: ignore[arg-type]
