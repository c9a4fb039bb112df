"""Third stage: a document that fails its schema is kept, and its author told field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import schemas
from sync_server.intake import notices
from sync_server.intake.stage import SERVER, Arrival, Intake
from sync_server.workflow.publish import ACTOR

INVALID = "invalid"
TEXT_EN = "Some fields of this document need another look. Correct them and sync again."
TEXT_KM = "ចន្លោះខ្លះក្នុងឯកសារនេះត្រូវពិនិត្យឡើងវិញ។ សូមកែតម្រូវ រួចធ្វើសមកាលកម្មម្តងទៀត។"


def validate(intake: Intake, arrivals: Sequence[Arrival]) -> None:
    """Write a notice for each document that is invalid, and withdraw those that no longer hold."""
    told: dict[str, tuple[str, Mapping[str, Any]]] = {}
    fine: list[str] = []
    for arrival in arrivals:
        if arrival.winner.deleted:
            fine.append(arrival.doc_id)
        elif not written_by_the_server(arrival):
            problems = schemas.validate(arrival.fields)
            if problems:
                told[arrival.doc_id] = (arrival.state.area, _notice(arrival, problems))
            else:
                fine.append(arrival.doc_id)
    notices.tell(intake, INVALID, told)
    notices.withdraw(intake, INVALID, fine)


def written_by_the_server(arrival: Arrival) -> bool:
    """Reviews and notices; a merged revision is the server's too, but its content is not."""
    return arrival.doc_id.startswith(("review:", "notice:")) and arrival.winner.origin.account in (
        SERVER,
        ACTOR,
    )


def _notice(arrival: Arrival, problems: Sequence[schemas.Problem]) -> dict[str, Any]:
    return {
        "revision": arrival.winner.rev,
        "author": str(arrival.fields.get("author", "")),
        "fields": [
            {
                "field": problem.field,
                "code": problem.code,
                "text_en": problem.text_en,
                "text_km": problem.text_km,
            }
            for problem in problems
        ],
        "text_en": TEXT_EN,
        "text_km": TEXT_KM,
    }
