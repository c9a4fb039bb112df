"""Importing a gazetteer: all places of one source in the place of all there were.

A new gazetteer may lack an area of the old one. Where grants or documents stand in such an area,
tablets would lose it: the import is refused and names them, unless it is forced.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Engine, delete, insert, or_, select

from sync_server.access import audit
from sync_server.access.areas import COMMUNE_DIGITS
from sync_server.access.gazetteer import sources
from sync_server.access.gazetteer.cleaning import Cleaned, clean
from sync_server.access.gazetteer.places import Gazetteer, latest_import
from sync_server.access.gazetteer.sources import Source
from sync_server.access.tables import accounts, gazetteer_imports, gazetteer_units, grants
from sync_server.errors import BadRequest, Conflict
from sync_server.sql import take_turns
from sync_server.storage.base import DocumentStore

_TURN = 7140512
_NAMED = 20
"""Grants and areas that a refusal names."""


class ImportParts(Protocol):
    """The parts of the service that an import uses."""

    @property
    def sql(self) -> Engine: ...
    @property
    def store(self) -> DocumentStore: ...
    @property
    def gazetteer(self) -> Gazetteer: ...


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do."""

    source: Source
    cleaned: Cleaned
    added: Sequence[str]
    """Codes that were not known before."""
    dropped: Sequence[str]
    """Codes that are known no longer."""
    standing: Sequence[str]
    """What stands in areas that were dropped, a line each."""


def import_bundled_once(parts: ImportParts) -> ImportResult | None:
    """The package's places where there are none yet, so that nobody must type anything first."""
    if parts.gazetteer.edition() is not None:
        return None
    source = sources.bundled()
    cleaned = _cleaned(source)
    with parts.sql.begin() as connection:
        take_turns(connection, _TURN)
        if latest_import(connection) is not None:
            return None  # Another process was first.
        result = _compared(connection, parts.store, source, cleaned)
        _replace(connection, result, audit.SERVER)
    parts.gazetteer.stamp.touch()
    return result


def import_source(
    parts: ImportParts, source: Source, *, actor: str, force: bool = False
) -> ImportResult:
    """Replace the gazetteer in one transaction.

    Raises BadRequest where no row is a place; Conflict where something stands in an area that
    would be dropped, unless `force`.
    """
    cleaned = _cleaned(source)
    with parts.sql.begin() as connection:
        take_turns(connection, _TURN)
        result = _compared(connection, parts.store, source, cleaned)
        if result.standing and not force:
            raise Conflict(_refusal(result.standing))
        _replace(connection, result, actor)
    parts.gazetteer.stamp.touch()
    return result


def preview(parts: ImportParts, source: Source) -> ImportResult:
    """What the import would do; changes nothing. Raises BadRequest."""
    cleaned = _cleaned(source)
    with parts.sql.execution_options(read_only=True).begin() as connection:
        return _compared(connection, parts.store, source, cleaned)


def _cleaned(source: Source) -> Cleaned:
    cleaned = clean(source.rows)
    if not cleaned.places:
        raise BadRequest(f"{source.name} has no row that is a place.{_first_reason(cleaned)}")
    return cleaned


def _compared(
    connection: Connection, store: DocumentStore, source: Source, cleaned: Cleaned
) -> ImportResult:
    before = set(connection.execute(select(gazetteer_units.c.code)).scalars())
    after = {place.code for place in cleaned.places}
    dropped = sorted(before - after)
    areas = [code for code in dropped if len(code) <= COMMUNE_DIGITS]
    standing = [*_grants_in(connection, areas), *_documents_in(store, areas)] if areas else []
    return ImportResult(source, cleaned, sorted(after - before), dropped, standing)


def _first_reason(cleaned: Cleaned) -> str:
    for row, reason, _ in cleaned.findings:
        return f" Line {row.line}: {reason}."
    return ""


def _replace(connection: Connection, result: ImportResult, actor: str) -> None:
    source, places = result.source, result.cleaned.places
    connection.execute(delete(gazetteer_units))
    connection.execute(insert(gazetteer_units), [place._asdict() for place in places])
    rejected = len(result.cleaned.rejected)
    noted = {"source": source.name, "edition": source.edition, "rejected": rejected}
    at = time.time_ns() // 1_000_000
    connection.execute(insert(gazetteer_imports).values(at=at, actor=actor, **noted))
    details = {**noted, "places": len(places), "dropped": len(result.dropped)}
    details["standing_in_dropped_areas"] = len(result.standing)
    audit.record(connection, actor, "gazetteer.import", source.name, details=details)


def _grants_in(connection: Connection, areas: Sequence[str]) -> Iterator[str]:
    """Grants of these areas that hold or are to hold."""
    now = time.time_ns() // 1_000_000
    rows = connection.execute(
        select(accounts.c.name, grants)
        .join(grants, grants.c.account_id == accounts.c.id)
        .where(or_(grants.c.ends_at.is_(None), grants.c.ends_at > now))
        .order_by(grants.c.number)
    )
    dropped = set(areas)
    for row in rows:
        if row.area in dropped:
            yield (
                f"grant {row.number} ({row.name}, {row.role} of {row.database_name}) in {row.area}"
            )


def _documents_in(store: DocumentStore, areas: Sequence[str]) -> Iterator[str]:
    for database in store:
        for area, count in sorted(database.counts(areas).items()):
            if count.present:
                yield f"{count.present} documents of {database.name} in {area}"


def _refusal(standing: Sequence[str]) -> str:
    named = "; ".join(standing[:_NAMED])
    more = f"; and {len(standing) - _NAMED} more" if len(standing) > _NAMED else ""
    return (
        f"The import would drop areas in which something stands: {named}{more}. "
        "Move them, or force the import: tablets then lose these areas."
    )
