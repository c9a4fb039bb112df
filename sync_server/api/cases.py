"""Cases: coordinators look at those of their areas, admins settle and undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import schemas
from schemas import api_cases as payloads
from sync_server.access.accounts import Account
from sync_server.access.areas import covers
from sync_server.access.grants import COORDINATOR
from sync_server.access.permissions import require_admin
from sync_server.api.surroundings import (
    ApiBlueprint,
    areas_of_coordinator,
    now_ms,
    open_database,
    parts,
)
from sync_server.cases import queries, records, showing
from sync_server.cases.queries import Filter
from sync_server.cases.reading import read
from sync_server.cases.records import Case
from sync_server.cases.results import Decision
from sync_server.cases.rules import is_rule
from sync_server.cases.settling import Outcome, settle
from sync_server.cases.undoing import DAY_MS, undo
from sync_server.errors import BadRequest, NotFound
from sync_server.storage.base import Database, Origin

blueprint = ApiBlueprint("api_cases", __name__, url_prefix="/api")


# -- looking ---------------------------------------------------------------------------


@blueprint.get("/<db:database>/cases")
@blueprint.arguments(payloads.CasesQuery, location="query")
@blueprint.response(200, payloads.Cases)
def cases(query: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Cases, the oldest first, page by page."""
    found, account = open_database(database, COORDINATOR)
    wanted = _filter(query, account, database)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        page = queries.page(connection, found.name, wanted, query["after"], query["limit"])
        authors = queries.authors(connection, [case.number for case in page])
    more = len(page) == query["limit"]
    return {
        "cases": [_summary(case, authors[case.number]) for case in page],
        "next": page[-1].number if more else None,
    }


@blueprint.get("/<db:database>/cases/shapes")
@blueprint.arguments(payloads.CaseFilters, location="query")
@blueprint.response(200, payloads.Shapes)
def shapes(query: Mapping[str, Any], database: str) -> dict[str, Any]:
    """How many cases there are of each shape: those can be settled together."""
    found, account = open_database(database, COORDINATOR)
    wanted = _filter(query, account, database)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        counted = queries.shapes(connection, found.name, wanted)
    return {
        "shapes": [
            {
                "type": shape.type,
                "in_question": _named(shape.type, shape.fields),
                "cases": shape.cases,
                "oldest": shape.oldest,
            }
            for shape in counted
        ]
    }


@blueprint.get("/<db:database>/cases/<int:number>")
@blueprint.response(200, payloads.WholeCase)
def case(database: str, number: int) -> dict[str, Any]:
    """One case: every version side by side, field by field, and what was decided so far."""
    found, account = open_database(database, COORDINATOR)
    known = read(parts().sql, found, [number]).get(number)
    areas = areas_of_coordinator(account, database)
    if known is None or not _lies_in(known.case.area, areas):
        raise NotFound(f"There is no case {number}.")
    with parts().sql.connect().execution_options(read_only=True) as connection:
        authors = queries.authors(connection, [number])[number]
        decisions = showing.history(connection, number)
        contests = showing.contested_by(connection, number)
    shown = showing.shown(known.contents, found.name)
    return {
        **_summary(known.case, authors),
        "versions": shown["versions"],
        "fields_": shown["fields"],
        "contests": contests,
        "decisions": decisions,
    }


def _filter(query: Mapping[str, Any], account: Account, database: str) -> Filter:
    days = query["older_than_days"]
    named = ("area", "type", "field", "author", "reason", "document")
    return Filter(
        within=areas_of_coordinator(account, database),
        state=None if query["state"] == "all" else query["state"],
        opened_before=None if days is None else now_ms() - days * DAY_MS,
        **{name: query[name] for name in named},
    )


def _lies_in(area: str, areas: Sequence[str] | None) -> bool:
    return areas is None or any(covers(one, area) for one in areas)


def _summary(case: Case, authors: Sequence[str]) -> dict[str, Any]:
    told = ("document", "type", "area", "reason", "leaves", "state", "opened_at", "changed_at")
    return {
        "case": case.number,
        **{name: getattr(case, name) for name in (*told, "closed_by", "closed_at")},
        "in_question": _named(case.type, case.fields),
        "authors": authors,
    }


def _named(kind: str, fields: Sequence[str]) -> list[dict[str, str]]:
    return [
        {
            "field": name,
            "label_en": schemas.label(kind, name, "en"),
            "label_km": schemas.label(kind, name, "km"),
        }
        for name in fields
    ]


# -- settling --------------------------------------------------------------------------


@blueprint.post("/<db:database>/cases/<int:number>/decision")
@blueprint.arguments(payloads.CaseSettlement)
@blueprint.response(200, payloads.Settled)
@blueprint.alt_response(409, schema=payloads.Refused)
def decision(payload: Mapping[str, Any], database: str, number: int) -> dict[str, Any]:
    """Settle a case. 409 says what has changed since it was on screen."""
    found, by = _admin(database)
    asked = dict(payload)
    _require_rule(asked["rule"])
    decided = Decision(case=number, values=asked.pop("set"), **asked)
    return _single(settle(parts().sql, found, [decided], by))


@blueprint.post("/<db:database>/cases/decisions")
@blueprint.arguments(payloads.CaseSettlements)
@blueprint.response(200, payloads.CaseOutcomes)
def decisions(payload: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Settle many cases of one shape by a rule. Each stands for itself and has its own outcome."""
    found, by = _admin(database)
    _require_rule(payload["rule"])
    shape = records.shape(payload["type"], payload["fields_"])
    asked = [
        Decision(
            case=one["case"],
            leaves=one["leaves"],
            rule=payload["rule"],
            reason=payload["reason"],
            shape=shape,
        )
        for one in payload["cases"]
    ]
    return {"outcomes": [*map(_outcome, settle(parts().sql, found, asked, by))]}


@blueprint.post("/<db:database>/cases/<int:number>/undo")
@blueprint.response(200, payloads.Settled)
@blueprint.alt_response(409, schema=payloads.Refused)
def undo_one(database: str, number: int) -> dict[str, Any]:
    """Undo the decision: every version is back, and the case is open."""
    found, by = _admin(database)
    return _single(undo(parts().sql, found, [number], by, parts().settings.undo_days))


@blueprint.post("/<db:database>/cases/undo")
@blueprint.arguments(payloads.Undoing)
@blueprint.response(200, payloads.CaseOutcomes)
def undo_many(payload: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Undo many decisions. Each stands for itself and has its own outcome."""
    found, by = _admin(database)
    done = undo(parts().sql, found, payload["cases"], by, parts().settings.undo_days)
    return {"outcomes": [*map(_outcome, done)]}


def _admin(database: str) -> tuple[Database, Origin]:
    found, account = open_database(database, COORDINATOR)
    require_admin(account)
    return found, Origin(account.name, account.device, now_ms())


def _require_rule(rule: str | None) -> None:
    if rule is not None and not is_rule(rule):
        raise BadRequest(
            f"There is no rule {rule!r}: latest, earliest, base, winner or author:<account>."
        )


def _single(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    (outcome,) = outcomes
    if outcome.error is not None:
        raise outcome.error
    return {"case": outcome.case, "rev": outcome.rev}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    if error is None:
        return {"case": outcome.case, "status": 200, "rev": outcome.rev}
    return {
        "case": outcome.case,
        "status": error.status,
        "error": error.error,
        "reason": error.reason,
        **error.details,
    }
