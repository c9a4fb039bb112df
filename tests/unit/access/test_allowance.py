"""What a device has written is added up; beyond what it may it is told to wait."""

from __future__ import annotations

import logging

import pytest

from sync_server.access import allowance as module
from sync_server.access import audit
from sync_server.access.accounts import Account
from sync_server.access.allowance import (
    DAY_SECONDS,
    UNWRITTEN_REVISIONS,
    UNWRITTEN_SECONDS,
    Allowance,
)
from sync_server.errors import NotFound, Unavailable
from sync_server.parts import Parts

SOK = Account("sok", "tablet-1")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def allowance(
    parts: Parts, clock: Clock | None = None, *, warning: int = 6, most_per_day: int = 100
) -> Allowance:
    return Allowance(
        parts.sql, warning=warning, most=10, most_per_day=most_per_day, clock=clock or Clock()
    )


def test_a_device_writes_as_much_as_it_may_and_no_more(parts: Parts) -> None:
    one = allowance(parts)
    one.add(SOK, "rushit", 9)
    one.require(SOK, "rushit")
    one.add(SOK, "rushit", 1)
    with pytest.raises(Unavailable, match="tell the administrator") as refused:
        one.require(SOK, "rushit")
    assert refused.value.retry_after


def test_what_a_device_may_write_in_a_day_it_may_write_again_on_the_next(parts: Parts) -> None:
    clock = Clock()
    one, other = (allowance(parts, clock, most_per_day=4) for _ in range(2))
    clock.now = 10 * DAY_SECONDS - 5
    one.add(SOK, "rushit", 4)
    with pytest.raises(Unavailable, match="tomorrow"):
        one.require(SOK, "rushit")
    with pytest.raises(Unavailable, match="tomorrow"):
        other.require(SOK, "rushit")
    clock.now = 10 * DAY_SECONDS
    one.require(SOK, "rushit")
    one.add(SOK, "rushit", 3)
    one.require(SOK, "rushit")
    one.add(SOK, "rushit", 1)
    with pytest.raises(Unavailable, match="tomorrow"):
        one.require(SOK, "rushit")
    assert one.written("sok", "tablet-1") == (8, 10, 4)


def test_each_device_has_an_allowance_of_its_own(parts: Parts) -> None:
    one = allowance(parts)
    one.add(SOK, "rushit", 10)
    one.require(Account("sok", "tablet-2"), "rushit")
    one.require(Account("dara", "tablet-1"), "rushit")


def test_a_device_that_is_allowed_to_goes_on_in_every_process(parts: Parts) -> None:
    one, other = allowance(parts), allowance(parts)
    one.add(SOK, "rushit", UNWRITTEN_REVISIONS)
    for process in (one, other):
        with pytest.raises(Unavailable):
            process.require(SOK, "rushit")
    assert other.renew("sok", "tablet-1", "root") == UNWRITTEN_REVISIONS
    for process in (one, other):
        process.require(SOK, "rushit")
    with pytest.raises(NotFound):
        one.renew("sok", "tablet-1", "root")
    with parts.sql.begin() as connection:
        (entry,) = audit.entries(connection)
    assert (entry.actor, entry.action, entry.subject) == ("root", "device.allow", "sok")


def test_admins_and_replicators_are_free(parts: Parts) -> None:
    one = allowance(parts)
    for sender in (
        Account("root", roles=frozenset({"admin"})),
        Account("peer", databases=frozenset({"rushit"})),
    ):
        one.add(sender, "rushit", 50)
        one.require(sender, "rushit")


def test_sums_are_written_down_and_added_up_over_processes(parts: Parts) -> None:
    clock = Clock()
    one, other = allowance(parts, clock), allowance(parts, clock)
    other.require(SOK, "rushit")
    one.add(SOK, "rushit", UNWRITTEN_REVISIONS)
    assert one.written("sok", "tablet-1").total == UNWRITTEN_REVISIONS
    clock.now = UNWRITTEN_SECONDS
    other.add(SOK, "rushit", 2)
    assert other.written("sok", "tablet-1").total == UNWRITTEN_REVISIONS + 2
    with pytest.raises(Unavailable):
        other.require(SOK, "rushit")


def test_few_revisions_cost_no_write_of_their_own(parts: Parts) -> None:
    one = allowance(parts)
    one.add(SOK, "rushit", UNWRITTEN_REVISIONS - 1)
    assert one.written("sok", "tablet-1").total == 0


def test_a_warning_comes_once_before_the_stop(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    one = allowance(parts)
    with caplog.at_level(logging.WARNING, module.__name__):
        one.add(SOK, "rushit", 5)
        assert caplog.messages == []
        one.add(SOK, "rushit", 1)
        one.add(SOK, "rushit", 1)
    (message,) = caplog.messages
    assert "tablet-1" in message and "sok" in message
