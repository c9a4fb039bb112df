"""The review documents, by which tablets learn where a proposal stands.

The ledger is the truth and the document tells of it: rows carry a flag that says whether they
have been told, so a crash between the two is repaired by publishing again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Engine

from sync_server.storage.base import Database, Origin, Revision, Revisions, RevisionWrite
from sync_server.workflow import ledger, proposals
from sync_server.workflow.ledger import Entry
from sync_server.workflow.proposals import Proposal

ACTOR = "_server"
"""In whose name the server writes; no account can be called so."""
BATCH = 100


def review_id(proposal: str) -> str:
    return "review:" + proposal.partition(":")[2]


def publish_all(sql: Engine, database: Database) -> int:
    """Publish what the ledger holds and no review tells of; answers the number of rows."""
    count = 0
    while rows := _publish_batch(sql, database):
        count += rows
    return count


def _publish_batch(sql: Engine, database: Database) -> int:
    with sql.connect().execution_options(read_only=True) as connection:
        rows = ledger.unpublished(connection, database.name, BATCH)
    if not rows:
        return 0
    doc_ids = list(dict.fromkeys(doc_id for _, doc_id in rows))
    # The documents are read before the ledger: whoever publishes a later state meanwhile changes
    # them, so that this write is refused instead of putting an older state on top.
    present = dict(zip(doc_ids, database.winners([*map(review_id, doc_ids)]), strict=True))
    with sql.connect().execution_options(read_only=True) as connection:
        found = proposals.find(connection, database.name, doc_ids)
        steps = {doc_id: ledger.history(connection, database.name, doc_id) for doc_id in found}
    areas = _areas(database, found)
    reviews = [
        (review_id(doc_id), areas[doc_id], _content(found[doc_id], steps[doc_id]))
        for doc_id in found
    ]
    refused = _write(database, reviews, [present[doc_id] for doc_id in found])
    told = [number for number, doc_id in rows if review_id(doc_id) not in refused]
    with sql.begin() as connection:
        ledger.mark_published(connection, told)
    return len(rows)


def _write(
    database: Database,
    reviews: Sequence[tuple[str, str, dict[str, Any]]],
    present: Sequence[Revision | None],
) -> set[str]:
    """Answers the documents that somebody else has changed since they were read."""
    writes = [
        write
        for (doc_id, area, content), found in zip(reviews, present, strict=True)
        if (write := _edit(doc_id, area, content, found)) is not None
    ]
    origin = Origin(ACTOR, "", time.time_ns() // 1_000_000)
    results = database.bulk_docs(writes, new_edits=True, origin=origin)
    return {result.doc_id for result in results if result.error is not None}


def _edit(
    doc_id: str, area: str, content: dict[str, Any], found: Revision | None
) -> RevisionWrite | None:
    body = orjson.dumps(content)
    if found is not None and not found.deleted and found.body == body:
        return None
    parent = Revisions(found.revisions.start, found.revisions.ids[:1]) if found else None
    return RevisionWrite(doc_id, parent, body, area=area)


def _areas(database: Database, found: Mapping[str, Proposal]) -> dict[str, str]:
    """Where the proposals stand themselves: the ledger may not know yet that one was moved."""
    states = zip(found, database.states(list(found)), strict=True)
    return {doc_id: state.area if state else found[doc_id].area for doc_id, state in states}


def _content(proposal: Proposal, steps: Sequence[Entry]) -> dict[str, Any]:
    """What a review says."""
    return {
        "type": "review",
        "proposal": proposal.proposal,
        "household": proposal.household,
        "state": proposal.state,
        "revision": proposal.revision,
        "requested_cents": proposal.requested_cents,
        "amount_cents": proposal.amount_cents,
        "reason": proposal.reason,
        "history": [
            {
                "from": step.from_state,
                "to": step.to_state,
                "at": step.at,
                "by": step.actor,
                "revision": step.revision,
                "amount_cents": step.amount_cents,
                "reason": step.reason,
            }
            for step in steps
        ],
    }
