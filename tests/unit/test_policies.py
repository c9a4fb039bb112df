"""What each policy makes of changes at the edges of what a tablet may send."""

from __future__ import annotations

import pytest

from conflict.policies import GREATEST, Change, Chosen, policy


def changes(*values: object) -> list[Change]:
    return [Change(f"2-{number}", value, None) for number, value in enumerate(values)]


def test_a_counter_adds_up_to_what_every_tablet_can_count() -> None:
    chosen = policy("counter")(0, changes(GREATEST - 1, 1))
    assert chosen == Chosen(GREATEST, frozenset({"2-0", "2-1"}))


@pytest.mark.parametrize("values", [(GREATEST, 1), (2**64 - 1, 2**64 - 1), (-GREATEST, -1)])
def test_a_counter_that_no_tablet_could_read_waits_for_a_person(values: tuple[int, int]) -> None:
    assert policy("counter")(0, changes(*values)) is None


@pytest.mark.parametrize("kind", ["counter", "union", "keyed:on"])
@pytest.mark.parametrize("value", [None, True, 1.5, "x", {"on": 1}, [{}], [{"on": 1}, {"on": 1}]])
def test_what_cannot_be_combined_waits_for_a_person(kind: str, value: object) -> None:
    both = policy(kind)([] if kind != "counter" else 0, changes(value, "other"))
    assert both is None
