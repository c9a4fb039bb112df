"""Areas in SQL: rows of what lies in them, as `areas.covers` says it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, false, or_, true

from sync_server.access.areas import NATION


def within(area: ColumnElement[str], areas: Sequence[str] | None) -> ColumnElement[bool]:
    """Rows whose `area` is or lies in one of these; None is every row.

    Personal areas lie in none, and one that is named is itself alone.
    """
    return true() if areas is None else or_(false(), *(_lies_in(area, one) for one in areas))


def _lies_in(area: ColumnElement[str], granted: str) -> ColumnElement[bool]:
    if granted.startswith("@"):
        return area == granted
    if granted == NATION:
        return area.not_like("@%")
    return and_(area >= granted, area < granted + "\x7f")
