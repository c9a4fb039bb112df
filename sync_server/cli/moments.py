"""Dates and times as people type and read them: by Cambodia's clock.

`2026-11-24` or `2026-11-24T08:30`, with an offset where another clock is meant.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

import click

PHNOM_PENH = timezone(timedelta(hours=7))
_DATE_LENGTH = len("2026-11-24")


def begins(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """For an option: milliseconds since 1970; a date alone is the start of that day."""
    return None if text is None else _milliseconds(text, days=0)


def ends(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """For an option: milliseconds since 1970; a date alone is the end of that day."""
    return None if text is None else _milliseconds(text, days=1)


def shown(at: int) -> str:
    """`2026-11-24 08:30`."""
    return f"{datetime.fromtimestamp(at / 1000, PHNOM_PENH):%Y-%m-%d %H:%M}"


def _milliseconds(text: str, days: int) -> int:
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= _DATE_LENGTH:
            moment = datetime.combine(moment, time()) + timedelta(days=days)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=PHNOM_PENH)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        example = "a date as 2026-11-24 or a time as 2026-11-24T08:30"
        raise click.BadParameter(f"{text!r} is not {example}.") from None
