"""A device follows so many feeds; to open another ends the oldest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_server.errors import Unavailable
from sync_server.replication.open_feeds import NEW_SECONDS, FeedChunks, OpenFeeds
from sync_server.replication.turns import Device

SOK: Device = ("sok", "tablet-1")
DARA: Device = ("dara", "tablet-2")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_feed_too_many_ends_the_oldest() -> None:
    clock = Clock()
    feeds = OpenFeeds(3, clock)
    first, second, third = (feeds.open(SOK) for _ in range(3))
    assert not first.ended
    clock.now = NEW_SECONDS
    feeds.open(SOK)
    assert [first.ended, second.ended, third.ended] == [True, False, False]
    assert feeds.count(SOK) == 3


def test_other_devices_feeds_go_on() -> None:
    clock = Clock()
    feeds = OpenFeeds(1, clock)
    others = feeds.open(DARA)
    feeds.open(SOK)
    clock.now = NEW_SECONDS
    feeds.open(SOK)
    assert not others.ended


def test_where_even_the_oldest_is_new_the_newest_is_refused() -> None:
    clock = Clock()
    feeds = OpenFeeds(2, clock)
    first = feeds.open(SOK)
    feeds.open(SOK)
    clock.now = NEW_SECONDS - 0.1
    with pytest.raises(Unavailable) as refused:
        feeds.open(SOK)
    assert refused.value.retry_after
    assert not first.ended


def test_an_unlimited_feed_neither_needs_nor_makes_room() -> None:
    feeds = OpenFeeds(1, Clock())
    one, other = feeds.open(SOK), feeds.unlimited(SOK)
    assert not one.ended
    feeds.close(other)
    assert feeds.count(SOK) == 1


def test_a_feed_that_ended_makes_room() -> None:
    feeds = OpenFeeds(1, Clock())
    feeds.close(feeds.open(SOK))
    again = feeds.open(SOK)
    feeds.close(again)
    feeds.close(again)
    assert feeds.count(SOK) == 0


@pytest.mark.parametrize("begun", [True, False])
def test_closing_an_answer_ends_its_feed_whether_it_has_begun_or_not(begun: bool) -> None:
    feeds = OpenFeeds(1, Clock())
    place = feeds.open(SOK)

    def chunks() -> Iterator[bytes]:
        yield b"a"

    answer = FeedChunks(chunks(), place, feeds)
    if begun:
        assert next(iter(answer)) == b"a"
    answer.close()
    assert feeds.count(SOK) == 0
