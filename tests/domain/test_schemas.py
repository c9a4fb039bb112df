"""Checks, labels and policies of the documents."""

from __future__ import annotations

import re
from typing import Any

import pytest

import schemas
from conflict.policies import policy
from schemas.envelope import Envelope
from schemas.registry import SCHEMAS
from schemas.texts import TEXTS
from tests.domain.conftest import household, proposal

ENVELOPE = {key: household()[key] for key in household() if key in Envelope().fields}


def visit(**changes: Any) -> dict[str, Any]:
    return {
        **ENVELOPE,
        "type": "visit",
        "household": "household:1",
        "proposal": "proposal:1",
        "visited_on": "2025-06-20",
        "checklist": [{"item": "fence", "fulfilled": True}],
        "result": "confirmed",
        **changes,
    }


def delivery(**changes: Any) -> dict[str, Any]:
    return {
        **ENVELOPE,
        "type": "delivery",
        "proposal": "proposal:1",
        "household": "household:1",
        "delivered_on": "2025-07-01",
        "supplier": "Hatchery",
        "lines": [{"item": "chick", "unit": "head", "delivered": 30, "accepted": 28}],
        "dead_on_arrival": 2,
        "receiver": "Sok Dara",
        "relation": "head",
        **changes,
    }


def training(**changes: Any) -> dict[str, Any]:
    return {
        **ENVELOPE,
        "type": "training",
        "topic": "Brooding chicks",
        "activity": "chicken",
        "date": "2025-06-18",
        "village": "01020101",
        "trainer": "bopha",
        "hours": 3,
        **changes,
    }


def attendance(**changes: Any) -> dict[str, Any]:
    return {
        **ENVELOPE,
        "type": "attendance",
        "training": "training:1",
        "household": "household:1",
        "person": 1,
        "name": "Sok Dara",
        "sex": "male",
        **changes,
    }


def problems(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(problem.field, problem.code) for problem in schemas.validate(document)}


@pytest.mark.parametrize(
    "document", [household(), proposal(), visit(), delivery(), training(), attendance()]
)
def test_a_document_in_order_has_no_problems(document: dict[str, Any]) -> None:
    assert problems(document) == set()


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"village": "0102"}, "village", "village"),
        ({"phone": "012 345 678"}, "phone", "phone"),
        ({"national_id": "12"}, "national_id", "national_id"),
        ({"members_total": 31}, "members_total", "range"),
        ({"members_total": 2.5}, "members_total", "invalid"),
        ({"members_total": True}, "members_total", "invalid"),
        ({"members_women": 5}, "members_women", "women"),
        ({"captured_at": "2025-06-15T10:00:00"}, "captured_at", "date"),
        ({"captured_at": "yesterday"}, "captured_at", "date"),
        ({"head": {"sex": "male"}}, "head.surname_km", "name"),
        ({"head": "Sok"}, "head", "invalid"),
        ({"consent": None}, "consent", "required"),
        ({"id_poor": [{"level": "3", "observed_on": "2025-01-01"}]}, "id_poor.0.level", "choice"),
        (
            {"id_poor": [{"level": "1", "card": "1-2", "observed_on": "2025-01-01"}]},
            "id_poor.0.card",
            "card",
        ),
    ],
)
def test_a_household_with_a_wrong_field_names_it(
    changes: dict[str, Any], field: str, code: str
) -> None:
    assert (field, code) in problems(household(**changes))


def lines(**changes: Any) -> dict[str, Any]:
    line = {"item": "chick", "quantity": 30, "unit": "head", "unit_price_cents": 120, **changes}
    return {"lines": [line]}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"requested_total_cents": 3601}, "requested_total_cents", "total"),
        ({"requested_total_cents": 36.0}, "requested_total_cents", "invalid"),
        ({"requested_total_cents": "3600"}, "requested_total_cents", "invalid"),
        ({"household": "1"}, "household", "household"),
        ({"activity": "pigs"}, "activity", "choice"),
        ({"lines": []}, "lines", "lines"),
        ({"withdrawn": True}, "withdrawn_reason", "reason"),
        ({"submitted": "yes"}, "submitted", "invalid"),
        (lines(quantity=0), "lines.0.quantity", "range"),
        (lines(quantity="many"), "lines.0.quantity", "invalid"),
        (lines(unit="bag"), "lines.0.unit", "choice"),
        (lines(unit_price_cents=-1), "lines.0.unit_price_cents", "range"),
    ],
)
def test_a_proposal_with_a_wrong_field_names_it(
    changes: dict[str, Any], field: str, code: str
) -> None:
    assert (field, code) in problems(proposal(**changes))


def delivered(**changes: Any) -> dict[str, Any]:
    line = {"item": "chick", "unit": "head", "delivered": 30, "accepted": 28, **changes}
    return delivery(lines=[line])


@pytest.mark.parametrize(
    ("document", "field", "code"),
    [
        (visit(proposal=None), "proposal", "required"),
        (
            {key: value for key, value in visit().items() if key != "proposal"},
            "proposal",
            "verifies",
        ),
        (visit(result="fine"), "result", "choice"),
        (visit(household="sok"), "household", "household"),
        (visit(checklist=[{"item": "fence"}]), "checklist.0.fulfilled", "required"),
        (delivery(lines=[]), "lines", "lines"),
        (delivered(accepted=31), "lines", "accepted"),
        (delivered(delivered=-1), "lines.0.delivered", "range"),
        (delivery(reverses="delivery:0"), "reason", "reason"),
        (delivery(proposal="household:1"), "proposal", "proposal"),
        (training(village="0102"), "village", "village"),
        (training(hours=0), "hours", "range"),
        (attendance(training="1"), "training", "training"),
        (attendance(person=31), "person", "range"),
    ],
)
def test_what_follows_a_proposal_names_a_wrong_field(
    document: dict[str, Any], field: str, code: str
) -> None:
    assert (field, code) in problems(document)


def test_a_part_of_a_unit_is_summed_exactly() -> None:
    tenths = {**lines(quantity=0.1, unit_price_cents=30), "requested_total_cents": 3}
    assert problems(proposal(**tenths)) == set()


def test_equity_cards_in_both_known_forms_are_fine() -> None:
    cards = [
        {"level": "1", "card": card, "observed_on": f"2025-01-0{day}"}
        for day, card in enumerate(("12345678-1234", "12345678-5123", "12345678-9123"), start=1)
    ]
    assert problems(household(id_poor=cards)) == set()


def test_members_that_are_not_known_are_no_problem() -> None:
    assert problems(household(favourite_vegetable="morning glory")) == set()
    assert schemas.validate({"type": "unheard of"}) == []


@pytest.mark.parametrize(
    "type_name", ["household", "proposal", "visit", "delivery", "training", "attendance"]
)
def test_every_field_has_a_label_in_both_languages_and_a_policy_that_exists(
    type_name: str,
) -> None:
    for name in SCHEMAS[type_name]().fields:
        assert schemas.label(type_name, name, "en") != name
        assert re.search(r"[\u1780-\u17ff]", schemas.label(type_name, name, "km"))
        policy(schemas.policies_for(type_name)[name])


@pytest.mark.parametrize("code", TEXTS)
def test_every_problem_is_told_in_english_and_khmer(code: str) -> None:
    text_en, text_km = TEXTS[code]
    assert text_en.endswith(".")
    assert re.search(r"[\u1780-\u17ff]", text_km)
