"""Whatever JSON a tablet sends as a household, a proposal or the server's own documents, the
intake goes on, and says so in no log."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.domain.conftest import Programme, household, proposal

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["2031-01-01T00:00:00+07:00", "0001-01-01", "9999-12-31T23:59:59-23:59"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = sorted(
    {
        *household(),
        *proposal(),
        "withdrawn",
        "withdrawn_reason",
        "merged_into",
        "id",
        "notice",
        "text",
    }
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5)
IDS = st.sampled_from(
    ["household:1", "proposal:1", "review:1", "notice:1", "proposal:", "contest:1", "x", "é:1"]
)
FORM = st.sampled_from([household, proposal])
EDITS = st.lists(st.tuples(IDS, FORM, CHANGES, st.booleans()), min_size=1, max_size=6)


@given(edits=EDITS)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nothing_that_a_tablet_may_send_stops_the_intake(
    programme: Programme, caplog: pytest.LogCaptureFixture, edits: list[Any]
) -> None:
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        for number, (doc_id, form, changes, branches) in enumerate(edits):
            path = [f"2-{number:x}", "1-a"] if branches else [f"1-{number:x}"]
            programme.push(doc_id, *path, **{**form(), **changes})
        programme.intake()
    assert caplog.records == []
    assert programme.db.changes(_checkpoint(programme)).rows == []


@pytest.mark.parametrize(
    "fields",
    [
        {"server_offset_ms": 2**63 - 1, "village": "{}"},
        {"server_offset_ms": -(2**63), "village": "{}"},
        {"server_offset_ms": True, "village": "{}"},
    ],
)
def test_a_clock_difference_at_the_edge_of_what_json_can_say_is_a_case_like_others(
    programme: Programme, caplog: pytest.LogCaptureFixture, fields: dict[str, Any]
) -> None:
    programme.push("household:1", "1-a", **household())
    for name in "bcd":
        said = {field: name if value == "{}" else value for field, value in fields.items()}
        programme.push("household:1", f"2-{name}", "1-a", **household(**said))
    programme.intake()
    assert caplog.records == []
    assert programme.db.changes(_checkpoint(programme)).rows == []


def _checkpoint(programme: Programme) -> str:
    body = programme.db.get_local("_intake", "checkpoint").body
    return str(orjson.loads(body)["seq"])
