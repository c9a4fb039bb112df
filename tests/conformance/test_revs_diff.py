"""`_revs_diff` and `_missing_revs`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.wire import A, B, C, D, WireDatabase, revision


def diff(db: WireDatabase, revs: dict[str, Any]) -> Any:
    response = db.post("/_revs_diff", json=revs)
    assert response.status_code == 200, response.text
    return response.json()


def test_what_is_not_here_is_missing(db: WireDatabase) -> None:
    assert diff(db, {"d": [f"1-{A}", f"2-{B}"]})["d"]["missing"] == [f"1-{A}", f"2-{B}"]


def test_documents_with_nothing_missing_are_left_out(db: WireDatabase) -> None:
    db.graft(revision("known", B, A), revision("part", A))
    answer = diff(db, {"known": [f"2-{B}", f"1-{A}"], "part": [f"1-{A}", f"2-{C}"]})
    assert answer.keys() == {"part"}
    assert answer["part"]["missing"] == [f"2-{C}"]


def test_possible_ancestors_are_leaves_below_the_highest_missing_generation(
    db: WireDatabase,
) -> None:
    db.graft(revision("d", B, A), revision("d", D, C, B, A, start=4))
    db.graft(revision("d", C, A))
    answer = diff(db, {"d": [f"3-{A}"]})["d"]
    assert answer["possible_ancestors"] == [f"2-{C}"]


def test_nothing_asked_is_nothing_missing(db: WireDatabase) -> None:
    assert diff(db, {}) == {}


@pytest.mark.extension
@pytest.mark.parametrize("value", ["1-a", 5, None, {}, [5], ["x"], ["1"], ["-a"], [None], [[]]])
def test_a_value_that_is_no_list_of_revisions_is_400(db: WireDatabase, value: object) -> None:
    for endpoint in ("/_revs_diff", "/_missing_revs"):
        response = db.post(endpoint, json={"d": value})
        assert response.status_code == 400, response.text


def test_missing_revs_says_the_same_in_the_old_form(db: WireDatabase) -> None:
    db.graft(revision("d", A))
    answer = db.post("/_missing_revs", json={"d": [f"1-{A}", f"1-{B}"]}).json()
    assert answer == {"missing_revs": {"d": [f"1-{B}"]}}


def test_upper_case_hex_is_the_same_revision(db: WireDatabase) -> None:
    db.graft(revision("d", A))
    assert diff(db, {"d": [f"1-{A.upper()}"]}) == {}
