"""Which clocks are believed, and what the later edit is where they are not."""

from __future__ import annotations

import pytest

from conflict.clocks import APART_MS, NONE, Claim, believed
from conflict.policies import Change, latest
from sync_server.branches import captured_at

NOVEMBER = 1_764_000_000_000
SAID = "2025-11-24T23:00:00+07:00"
YEAR_2031 = 1_925_000_000_000


def test_clocks_that_lie_within_a_year_of_each_other_are_believed() -> None:
    window = believed([Claim("a", NOVEMBER), Claim("b", NOVEMBER + APART_MS)])
    assert window.holds(NOVEMBER)
    assert window.holds(NOVEMBER + APART_MS)


def test_two_clocks_that_contradict_each_other_are_both_not_believed() -> None:
    assert believed([Claim("a", NOVEMBER), Claim("b", YEAR_2031)]) == NONE


@pytest.mark.parametrize("lie", [0, YEAR_2031])
def test_a_clock_that_most_contradict_is_not_believed(lie: int) -> None:
    window = believed([Claim("a", NOVEMBER), Claim("b", lie), Claim("c", NOVEMBER + 5)])
    assert window.holds(NOVEMBER)
    assert not window.holds(lie)


def test_one_tablet_is_one_witness_however_much_it_says() -> None:
    claims = [Claim("a", YEAR_2031), Claim("a", YEAR_2031 + 1), Claim("b", NOVEMBER)]
    assert believed(claims) == NONE


def test_who_says_nothing_is_no_witness() -> None:
    assert believed([Claim("a", None), Claim("b", NOVEMBER)]).holds(NOVEMBER)
    assert not believed([Claim("a", None)]).holds(None)


def test_no_order_of_the_claims_matters() -> None:
    claims = [Claim("abcde"[n], NOVEMBER + n * APART_MS // 2) for n in range(5)]
    assert believed(claims) == believed(reversed(claims))


def test_the_later_edit_stands() -> None:
    chosen = latest("0", [Change("9-z", "1", 10), Change("2-a", "2", 11)])
    assert chosen is not None
    assert (chosen.value, chosen.taken) == ("2", frozenset({"2-a"}))


def test_a_time_that_is_not_believed_loses_to_any_that_is() -> None:
    chosen = latest("0", [Change("9-z", "1", None), Change("2-a", "2", 0)])
    assert chosen is not None
    assert chosen.value == "2"


def test_without_clocks_the_branch_with_more_edits_stands_and_then_the_higher_revision() -> None:
    changes = [Change("9-z", "1", None), Change("10-a", "2", None), Change("10-b", "3", None)]
    for order in (changes, changes[::-1]):
        chosen = latest("0", order)
        assert chosen is not None
        assert chosen.value == "3"


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"captured_at": "2025-11-24T16:00:00Z"}, NOVEMBER),
        ({"captured_at": "2025-11-24T23:00:00+07:00"}, NOVEMBER),
        (
            {"captured_at": "2025-11-24T23:00:00+07:00", "server_offset_ms": -60_000},
            NOVEMBER - 60_000,
        ),
        ({"captured_at": "2025-11-24T23:00:00+07:00", "server_offset_ms": "1"}, NOVEMBER),
        ({"captured_at": "2025-11-24T23:00:00+07:00", "server_offset_ms": 2**63 - 1}, None),
        ({"captured_at": "2025-11-24T23:00:00+07:00", "server_offset_ms": -(2**63)}, None),
        ({"captured_at": "9999-12-31T23:59:59Z"}, 253_402_300_799_000),
        ({"captured_at": "9999-12-31T23:59:59-23:59"}, None),
        # Without an offset every server would read it in its own time zone.
        ({"captured_at": "2025-11-24T23:00:00"}, None),
        ({"captured_at": "yesterday"}, None),
        ({"captured_at": 5}, None),
        ({}, None),
    ],
)
def test_when_an_edit_was_made_is_read_from_the_document_alone(
    fields: dict[str, object], at: int | None
) -> None:
    assert captured_at(fields) == at
