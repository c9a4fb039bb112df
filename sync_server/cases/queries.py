"""Lists of cases: by area, type, field, author, reason, state, age, and how many of each shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Select, func, select

from sync_server.access.area_queries import within
from sync_server.cases.records import OPEN, Case, case_of, select_cases
from sync_server.cases.tables import case_authors, case_fields, cases


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; None asks nothing."""

    within: Sequence[str] | None = None
    """Areas whose cases may be seen, what lies in them too; None for all."""
    area: str | None = None
    type: str | None = None
    field: str | None = None
    author: str | None = None
    reason: str | None = None
    state: str | None = OPEN
    document: str | None = None
    opened_before: int | None = None
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Open cases that may be settled together."""

    type: str
    fields: Sequence[str]
    cases: int
    oldest: int
    """When the oldest was opened, in milliseconds since 1970."""


def page(
    connection: Connection, database: str, wanted: Filter, after: int, limit: int
) -> list[Case]:
    """Cases with a number above `after`, the oldest first."""
    query = (
        _filtered(select_cases(), database, wanted)
        .where(cases.c.number > after)
        .order_by(cases.c.number)
        .limit(limit)
    )
    return [case_of(row) for row in connection.execute(query).mappings()]


def shapes(connection: Connection, database: str, wanted: Filter) -> list[Shape]:
    """The most frequent first."""
    count = func.count().label("together")
    columns: Select[*tuple[Any, ...]] = select(
        func.min(cases.c.type).label("type"),
        func.min(cases.c.fields).label("fields"),
        count,
        func.min(cases.c.opened_at).label("oldest"),
    )
    query = (
        _filtered(columns, database, wanted)
        .group_by(cases.c.shape)
        .order_by(count.desc(), func.min(cases.c.number))
    )
    return [
        Shape(row.type, orjson.loads(row.fields), row.together, row.oldest)
        for row in connection.execute(query)
    ]


def authors(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """The accounts whose versions stand against each other, by case."""
    found: dict[int, list[str]] = {number: [] for number in numbers}
    query = (
        select(case_authors)
        .where(case_authors.c.case_number.in_(numbers))
        .order_by(case_authors.c.account)
    )
    for row in connection.execute(query):
        found[row.case_number].append(row.account)
    return found


def open_documents(connection: Connection, database: str, after: str, limit: int) -> list[str]:
    """Ids above `after`, in order, of documents with an open case."""
    query = (
        select(cases.c.document)
        .where(cases.c.database == database, cases.c.state == OPEN, cases.c.document > after)
        .order_by(cases.c.document)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def _filtered(
    query: Select[*tuple[Any, ...]], database: str, wanted: Filter
) -> Select[*tuple[Any, ...]]:
    query = query.where(cases.c.database == database)
    for name in ("type", "reason", "state", "document"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(cases.c[name] == value)
    if wanted.opened_before is not None:
        query = query.where(cases.c.opened_at < wanted.opened_before)
    if wanted.area is not None:
        query = query.where(within(cases.c.area, [wanted.area]))
    query = query.where(within(cases.c.area, wanted.within))
    for table, column, value in (
        (case_fields, case_fields.c.field, wanted.field),
        (case_authors, case_authors.c.account, wanted.author),
    ):
        if value is not None:
            named = select(table.c.case_number).where(column == value)
            query = query.where(cases.c.number.in_(named))
    return query
