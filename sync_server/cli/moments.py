"""Dates and times as people type and read them: by Cambodia's clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

import click

PHNOM_PENH = timezone(timedelta(hours=7))
_DATE_LENGTH = len("2026-11-24")


class Moment(click.ParamType[int]):
    """`2026-11-24` or `2026-11-24T08:30`, with an offset where another clock is meant.

    Becomes milliseconds since 1970. A date alone is the start of that day, or, where something
    ends with it, its end.
    """

    name = "date or time"

    def __init__(self, *, end_of_day: bool = False) -> None:
        self._end_of_day = end_of_day

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            return milliseconds(str(value), end_of_day=self._end_of_day)
        except ValueError:
            self.fail(f"{value!r} is no date as 2026-11-24 or time as 2026-11-24T08:30")


def milliseconds(text: str, *, end_of_day: bool = False) -> int:
    """Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    if len(text.strip()) <= _DATE_LENGTH:
        moment = datetime.combine(moment, time(), PHNOM_PENH) + timedelta(days=int(end_of_day))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=PHNOM_PENH)
    return round(moment.timestamp() * 1000)


def shown(at: int) -> str:
    """`2026-11-24 08:30`, by Cambodia's clock."""
    return f"{datetime.fromtimestamp(at / 1000, PHNOM_PENH):%Y-%m-%d %H:%M}"
