"""The queue of proposals, one proposal with its history, and decisions."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from schemas import api as payloads
from sync_server.access.grants import COORDINATOR
from sync_server.api.surroundings import (
    ApiBlueprint,
    areas_of_coordinator,
    now_ms,
    open_database,
    parts,
)
from sync_server.errors import BadRequest
from sync_server.workflow import ledger, proposals
from sync_server.workflow.decisions import Decision, Outcome, decide, known_within

blueprint = ApiBlueprint("api_proposals", __name__, url_prefix="/api")


@blueprint.get("/<db:database>/queue")
@blueprint.arguments(payloads.QueueQuery, location="query")
@blueprint.response(200, payloads.Queue)
def queue(query: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Proposals that wait for a decision, oldest first; pages stay whole while others decide."""
    found, account = open_database(database, COORDINATOR)
    areas = areas_of_coordinator(account, found.name)
    after = _read_cursor(query["after"]) if query["after"] else None
    with parts().sql.connect().execution_options(read_only=True) as connection:
        page = proposals.queue(connection, found.name, after, query["limit"], areas)
    more = len(page) == query["limit"]
    return {
        "proposals": [asdict(proposal) for proposal in page],
        "next": _cursor(page[-1].received_at, page[-1].proposal) if more else None,
    }


@blueprint.get("/<db:database>/proposals/<docid:proposal>")
@blueprint.response(200, payloads.ProposalWithHistory)
def proposal(database: str, proposal: str) -> dict[str, Any]:
    """Where a proposal stands, and how it came there."""
    found, account = open_database(database, COORDINATOR)
    areas = areas_of_coordinator(account, found.name)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        known = known_within(connection, found.name, proposal, areas)
        steps = ledger.history(connection, found.name, proposal)
    return {**asdict(known), "history": [asdict(step) for step in steps]}


@blueprint.post("/<db:database>/decisions")
@blueprint.arguments(payloads.Decisions)
@blueprint.response(200, payloads.Outcomes)
def decisions(payload: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Decide on proposals. Each decision stands for itself and has its own outcome."""
    found, account = open_database(database, COORDINATOR)
    asked = [Decision(**decision) for decision in payload["decisions"]]
    areas = areas_of_coordinator(account, found.name)
    outcomes = decide(parts().sql, found, asked, account.name, now_ms(), areas)
    return {"outcomes": [_outcome(outcome) for outcome in outcomes]}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    about = {"proposal": outcome.decision.proposal}
    if outcome.error is None:
        return {**about, "status": 200, "state": outcome.state}
    error = outcome.error
    return {**about, "status": error.status, "error": error.error, "reason": error.reason}


def _cursor(received_at: int, proposal: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([received_at, proposal])).decode()


def _read_cursor(text: str) -> tuple[int, str]:
    try:
        received_at, proposal = orjson.loads(base64.urlsafe_b64decode(text))
        return int(received_at), str(proposal)
    except (ValueError, TypeError) as error:
        raise BadRequest("`after` is not a cursor that this API gave.") from error
