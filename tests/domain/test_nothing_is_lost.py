"""Whatever people write at once: every value stands in the document, on record, or in a case."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.canonical import canonical
from sync_server.cases import queries
from sync_server.cases.overrides import of_document
from sync_server.cases.queries import Filter
from sync_server.cases.reading import read
from sync_server.cases.results import Decision
from sync_server.cases.settling import settle
from sync_server.errors import Conflict, SyncError
from sync_server.intake.pipeline import sweep
from sync_server.storage.base import Origin
from tests.domain.conftest import NAME, NOW, Programme, household
from tests.property.worlds import thorough

_numbers = itertools.count()

VALUES = {
    "phone": ["+85511111111", "+85522222222", "+85533333333"],
    "village": ["01020111", "01020112"],
    "ethnicity": ["Cham", "Tampuan"],
    "members_total": [5, 6, 7],
    "gps": [{"latitude": 11.5, "longitude": 104.9}, {"latitude": 11.6, "longitude": 104.8}],
    "author": ["chan"],
    "device": ["tablet-2", "tablet-3"],
    "id_poor": [
        [{"level": "1", "observed_on": "2025-01-01"}],
        [{"level": "2", "observed_on": "2025-01-01"}],
        [{"level": "2", "observed_on": "2025-02-01"}],
    ],
}
EDIT = st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 2), min_size=1, max_size=4)
EDITS = st.lists(EDIT, min_size=2, max_size=4)
ORDER = st.permutations(["sok", "dara", "chan", "ros"])


def edited(edit: dict[str, int], day: int) -> dict[str, Any]:
    changes = {name: VALUES[name][index % len(VALUES[name])] for name, index in edit.items()}
    return household(captured_at=f"2025-06-{10 + day}T10:00:00+07:00", **changes)


@pytest.mark.timeout(1200)
@thorough
@given(edits=EDITS, people=ORDER)
def test_every_value_stands_in_the_document_on_record_or_in_a_case(
    programme: Programme, edits: list[dict[str, int]], people: list[str]
) -> None:
    doc_id = f"household:{next(_numbers)}"
    programme.clock = NOW + 30 * 86_400_000
    programme.push(doc_id, "1-a", **household())
    written: dict[str, dict[str, Any]] = {}
    for number, edit in enumerate(edits):
        written[f"2-{number}"] = body = edited(edit, number)
        programme.push(doc_id, f"2-{number}", "1-a", account=people[number], **body)
    programme.intake()
    kept = known_values(programme, doc_id)
    for rev, body in written.items():
        for name, value in body.items():
            if canonical(value) != canonical(household().get(name)):
                assert canonical(value) in kept[name], (rev, name)


def known_values(programme: Programme, doc_id: str) -> dict[str, set[bytes]]:
    """By field: what the live leaf says, what its merge did not take, what the open case holds."""
    found: dict[str, set[bytes]] = {name: set() for name in [*household(), *VALUES]}
    for name, value in programme.body(doc_id).items():
        found[name].add(canonical(value))
    equity = programme.body(doc_id).get("id_poor", [])
    # A list that was merged object by object stands in its parts.
    found["id_poor"] |= {canonical([item]) for item in equity}
    with programme.sql.connect() as connection:
        for values in of_document(connection, NAME, doc_id).values():
            for lost in values:
                found[lost["field"]].add(canonical(lost.get("value")))
        numbers = [
            case.number for case in queries.page(connection, NAME, Filter(document=doc_id), 0, 10)
        ]
    for known in read(programme.sql, programme.db, numbers).values():
        for version in known.versions:
            for name, value in version.fields.items():
                found[name].add(canonical(value))
    return found


def test_admins_tablets_and_sweeps_that_race_leave_whole_cases(programme: Programme) -> None:
    count = 12
    for number in range(count):
        doc_id = f"household:{number}"
        programme.push(doc_id, "1-a", **household())
        programme.push(doc_id, "2-b", "1-a", account="sok", **household(village="01020116"))
        programme.push(doc_id, "2-c", "1-a", account="dara", **household(village="01020117"))
    programme.intake()
    errors: list[SyncError] = []

    def admin(name: str, rule: str) -> None:
        for _ in range(3):
            with programme.sql.connect() as connection:
                found = queries.page(connection, NAME, Filter(), 0, 100)
            asked = [Decision(case.number, case.leaves, rule=rule) for case in found]
            outcomes = settle(programme.sql, programme.db, asked, Origin(name, "", NOW))
            errors.extend(one.error for one in outcomes if one.error)

    def tablet() -> None:
        for number in range(0, count, 2):
            late = household(village=f"010202{number:02d}")
            programme.push(f"household:{number}", "3-x", "2-b", "1-a", account="sok", **late)

    racers = [
        threading.Thread(target=admin, args=("chief", "latest")),
        threading.Thread(target=admin, args=("other", "earliest")),
        threading.Thread(target=tablet),
        threading.Thread(target=sweep, args=(programme.store, programme.sql, [NAME])),
    ]
    for racer in racers:
        racer.start()
    programme.intake()
    for racer in racers:
        racer.join()
    programme.sweep()
    assert all(isinstance(error, Conflict) for error in errors)
    with programme.sql.connect() as connection:
        waiting = {case.document: case for case in queries.page(connection, NAME, Filter(), 0, 100)}
    for number in range(count):
        doc_id = f"household:{number}"
        live = sorted(programme.live(doc_id))
        assert (len(live) > 1) == (doc_id in waiting)
        if doc_id in waiting:
            assert waiting[doc_id].leaves == live
        if number % 2:
            assert len(live) == 1
