"""A device asks so often in a minute, and then waits; others do not."""

from __future__ import annotations

import pytest

from sync_server.errors import Unavailable
from sync_server.replication import rates as module
from sync_server.replication.rates import MINUTE, Rates

HEAVY, OTHER = ("sok", "tablet-1"), ("dara", "tablet-2")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_come_at_once_and_no_more() -> None:
    clock = Clock()
    rates = Rates(6, clock)
    for _ in range(6):
        rates.spend(HEAVY)
    with pytest.raises(Unavailable) as refused:
        rates.spend(HEAVY)
    assert refused.value.retry_after
    rates.spend(OTHER)
    clock.now = MINUTE / 6
    rates.spend(HEAVY)
    with pytest.raises(Unavailable):
        rates.spend(HEAVY)


def test_what_was_not_used_is_not_saved_up() -> None:
    clock = Clock()
    rates = Rates(2, clock)
    rates.spend(HEAVY)
    clock.now = 100 * MINUTE
    rates.spend(HEAVY)
    rates.spend(HEAVY)
    with pytest.raises(Unavailable):
        rates.spend(HEAVY)


def test_devices_are_forgotten_that_may_ask_as_often_as_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    clock = Clock()
    rates = Rates(1, clock)
    rates.spend(OTHER)
    clock.now = MINUTE
    rates.spend(HEAVY)
    rates.spend(("third", ""))
    with pytest.raises(Unavailable):
        rates.spend(HEAVY)
    assert len(rates._left) == 2
