"""How a document's present body came to be: its winning branch, revision by revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, select

from conflict.branches import merged_into
from sync_server.access.audit import SERVER
from sync_server.cases import overrides
from sync_server.cases.tables import case_decisions, case_versions, cases
from sync_server.errors import NotFound
from sync_server.storage.base import Database, Revision

EDIT = "edit"
MERGE = "merge"
"""The server merged other branches into this one."""
DECISION = "decision"
UNDOING = "undo"
SERVERS = "server"
"""The server wrote the same content anew, as where a document moves to another area."""
UNKNOWN = "unknown"
"""Neither the body nor a record of it is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """A revision of the winning branch. `received_at`: milliseconds since 1970."""

    rev: str
    kind: str
    account: str = ""
    device: str = ""
    received_at: int | None = None
    deleted: bool = False
    kept: bool = True
    """Whether its body is still there."""
    merged: Sequence[str] = ()
    """Ends of the branches that were taken in."""
    not_taken: Sequence[Mapping[str, Any]] = ()
    """Values that the policies left out: `field`, `rev`, `account`, `value`, `chosen`."""
    case: int | None = None
    how: Mapping[str, Any] = field(default_factory=dict)
    """What an admin decided."""


@dataclass(frozen=True, slots=True)
class _Records:
    """What the service's own database knows of a document's revisions."""

    decisions: Mapping[str, Any]
    versions: Mapping[str, Any]
    overrides: Mapping[str, Sequence[Mapping[str, Any]]]


def explain(sql: Engine, database: Database, doc_id: str) -> list[Step]:
    """The winning branch, oldest first. Raises NotFound."""
    leaves = [one for one in database.open_revs(doc_id, None) if isinstance(one, Revision)]
    if not leaves:
        raise NotFound(f"There is no document {doc_id} in {database.name}.")
    branch = leaves[0].revisions.revs()
    answers = database.bulk_get([(doc_id, rev) for rev in branch])
    kept = {one.rev: one for answer in answers for one in answer if isinstance(one, Revision)}
    merged: dict[str, list[str]] = {}
    for leaf in leaves:
        if leaf.deleted and (into := merged_into(leaf.body)) is not None:
            merged.setdefault(into, []).append(leaf.revisions.revs()[1])
    with sql.connect().execution_options(read_only=True) as connection:
        known = _records(connection, database.name, doc_id)
    return [_step(rev, kept.get(rev), merged.get(rev, ()), known) for rev in reversed(branch)]


def _records(connection: Connection, database: str, doc_id: str) -> _Records:
    decisions = select(case_decisions).where(
        case_decisions.c.database == database,
        case_decisions.c.document == doc_id,
        case_decisions.c.failed.is_(None),
    )
    versions = (
        select(case_versions)
        .join(cases, cases.c.number == case_versions.c.case_number)
        .where(cases.c.database == database, cases.c.document == doc_id)
    )
    return _Records(
        {
            rev: row
            for row in connection.execute(decisions)
            for rev in orjson.loads(row.details)["made"]
        },
        {row.rev: row for row in connection.execute(versions) if row.speaks_of is None},
        overrides.of_document(connection, database, doc_id),
    )


def _step(rev: str, revision: Revision | None, merged: Sequence[str], known: _Records) -> Step:
    decision, recorded = known.decisions.get(rev), known.versions.get(rev)
    about: dict[str, Any] = {"merged": merged, "not_taken": known.overrides.get(rev, ())}
    if revision is not None:
        origin = revision.origin
        about |= {"account": origin.account, "device": origin.device}
        about |= {"received_at": origin.received_at, "deleted": revision.deleted}
    elif decision is not None:
        about |= {"account": decision.actor, "received_at": decision.at, "kept": False}
    elif recorded is not None:
        about |= {"account": recorded.account, "device": recorded.device, "kept": False}
        about |= {"received_at": recorded.received_at, "deleted": recorded.deleted}
    else:
        about |= {"kept": False}
    if decision is not None:
        details = orjson.loads(decision.details)
        about |= {"case": decision.case_number, "how": details.get("how", {})}
    return Step(rev, _kind(about, decision), **about)


def _kind(about: Mapping[str, Any], decision: Any) -> str:
    if decision is not None:
        return DECISION if decision.action == "settle" else UNDOING
    if about.get("account") == SERVER:
        return MERGE if about["merged"] or about["not_taken"] else SERVERS
    if "account" in about:
        return EDIT
    return MERGE if about["merged"] else UNKNOWN
