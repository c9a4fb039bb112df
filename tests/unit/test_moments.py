"""Dates and times on the command line are by Cambodia's clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click
import pytest

from sync_server.cli import moments

Reading = Callable[[click.Context, click.Parameter, str | None], int | None]
OPTION = click.Option(["--from"])
CONTEXT = click.Context(click.Command("give"))


def read(reading: Reading, text: str) -> datetime:
    at = reading(CONTEXT, OPTION, text)
    assert at is not None
    return datetime.fromtimestamp(at / 1000, UTC)


def test_a_date_is_the_start_or_the_end_of_that_day() -> None:
    assert read(moments.begins, "2026-12-01") == datetime(2026, 11, 30, 17, tzinfo=UTC)
    assert read(moments.ends, " 2026-12-01 ") == datetime(2026, 12, 1, 17, tzinfo=UTC)
    assert read(moments.ends, "20261201") == datetime(2026, 12, 1, 17, tzinfo=UTC)


def test_a_time_is_that_time_whatever_it_is_for() -> None:
    for reading in (moments.begins, moments.ends):
        assert read(reading, "2026-12-01T08:30") == datetime(2026, 12, 1, 1, 30, tzinfo=UTC)
        assert read(reading, "2026-12-01T08:30Z") == datetime(2026, 12, 1, 8, 30, tzinfo=UTC)


def test_what_was_not_given_stays_open() -> None:
    assert moments.begins(CONTEXT, OPTION, None) is None
    assert moments.ends(CONTEXT, OPTION, None) is None


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-02-30", "9999-12-31"])
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="2026-11-24T08:30"):
        moments.ends(CONTEXT, OPTION, text)


def test_a_moment_is_shown_by_the_same_clock() -> None:
    at = moments.begins(CONTEXT, OPTION, "2026-12-01T08:30")
    assert at is not None
    assert moments.shown(at) == "2026-12-01 08:30"
