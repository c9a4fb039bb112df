"""Entries: reading them, and taking a step, with its line in the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import Connection, delete, func, select, update

from conflict.revision import generation
from sync_server.access import audit
from sync_server.access.area_queries import within
from sync_server.errors import BadRequest, Conflict, NotFound
from sync_server.quarantine.states import STEPS, Step
from sync_server.quarantine.tables import attachments, contents, entries
from sync_server.storage.base import Revisions

UNKNOWN = "There is no such entry in this database's quarantine."


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that was refused. Times in milliseconds since 1970, `size` in bytes."""

    number: int
    database: str
    account: str
    """Who sent it."""
    device: str
    doc_id: str
    rev: str | None
    """As it was sent: the document's own revision; of an edit that the server was to make (see
    `is_edit`) the parent, None for a new document.
    """
    is_edit: bool
    deleted: bool
    reason: str
    told: str
    """The reason that its author was told: of a document out of sight, as of any other."""
    area: str
    """Where the document stands, or would stand."""
    size: int
    received_at: int
    last_received_at: int
    times: int
    """How often the same came."""
    state: str
    assigned_area: str | None
    assigned_account: str | None
    settled_by: str | None
    settled_at: int | None
    note: str | None
    """What the admin said."""
    version: int
    adopted_rev: str | None
    published: bool

    @property
    def place(self) -> str:
        """The area whose people it concerns."""
        return self.area if self.assigned_area is None else self.assigned_area

    @property
    def owner(self) -> str:
        """On whose behalf it is adopted, and to whom it is returned."""
        return self.assigned_account or self.account


_COLUMNS = [entries.c[field.name] for field in fields(Entry)]
_place = func.coalesce(entries.c.assigned_area, entries.c.area)


def find(connection: Connection, database: str, number: int) -> Entry:
    """Raises NotFound."""
    row = connection.execute(
        select(*_COLUMNS).where(entries.c.number == number, entries.c.database == database)
    ).first()
    if row is None:
        raise NotFound(UNKNOWN)
    return Entry(*row)


def database_of(connection: Connection, number: int) -> str:
    """The database that an entry belongs to. Raises NotFound."""
    found = connection.execute(
        select(entries.c.database).where(entries.c.number == number)
    ).scalar()
    if found is None:
        raise NotFound(f"There is no entry {number} in quarantine.")
    return str(found)


def document(connection: Connection, number: int) -> dict[str, Any]:
    """The document as it was sent, contents of attachments left out; of what is not `is_exact`, as
    near as can be shown.
    """
    raw = _raw(connection, number)
    try:
        found: dict[str, Any] = orjson.loads(raw)
    except orjson.JSONDecodeError:  # Half a character, for which a replacement is shown.
        text = json.dumps(json.loads(raw), ensure_ascii=False)
        found = orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return found


def is_exact(connection: Connection, number: int) -> bool:
    """Whether storage could hold the document as it was sent: no integers beyond 64 bits, and no
    halves of characters.
    """
    try:
        orjson.dumps(json.loads(_raw(connection, number)))
    except orjson.JSONEncodeError:
        return False
    return True


def _raw(connection: Connection, number: int) -> bytes:
    raw: bytes = connection.execute(
        select(entries.c.document).where(entries.c.number == number)
    ).scalar_one()
    return raw


def body(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a document that are its content."""
    return {name: value for name, value in sent.items() if name[:1] != "_"}


def plan(connection: Connection, number: int) -> str:
    """How an adopted entry is written (see `adoption.Plan`)."""
    return str(
        connection.execute(select(entries.c.plan).where(entries.c.number == number)).scalar_one()
    )


def ancestry(connection: Connection, entry: Entry) -> Revisions | None:
    """The revision as it was sent, with its ancestry; None for a new document's first edit."""
    if entry.rev is None:
        return None
    ids = connection.execute(
        select(entries.c.ancestry).where(entries.c.number == entry.number)
    ).scalar_one()
    return Revisions(generation(entry.rev), orjson.loads(ids))


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are asked for; None is any."""

    area: str | None = None
    """What lies in it is meant too."""
    account: str | None = None
    device: str | None = None
    reason: str | None = None
    state: str | None = None


def page(
    connection: Connection,
    database: str,
    wanted: Filter,
    *,
    areas: Sequence[str] | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[Entry]:
    """Entries above number `after`, the oldest first. `areas`: only what lies in one of these."""
    query = (
        select(*_COLUMNS)
        .where(entries.c.database == database, entries.c.number > after)
        .order_by(entries.c.number)
        .limit(limit)
    )
    for name in ("account", "device", "reason", "state"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(entries.c[name] == value)
    query = query.where(within(_place, areas))
    if wanted.area is not None:
        query = query.where(within(_place, [wanted.area]))
    return [Entry(*row) for row in connection.execute(query)]


def of_documents(
    connection: Connection, database: str, doc_ids: Iterable[str]
) -> dict[str, list[Entry]]:
    """All entries of each document, the oldest first."""
    found: dict[str, list[Entry]] = {doc_id: [] for doc_id in doc_ids}
    rows = connection.execute(
        select(*_COLUMNS)
        .where(entries.c.database == database, entries.c.doc_id.in_(found))
        .order_by(entries.c.number)
    )
    for row in rows:
        found[row.doc_id].append(Entry(*row))
    return found


def unpublished(connection: Connection, database: str, limit: int) -> list[Entry]:
    rows = connection.execute(
        select(*_COLUMNS)
        .where(entries.c.published.is_(False), entries.c.database == database)
        .order_by(entries.c.number)
        .limit(limit)
    )
    return [Entry(*row) for row in rows]


def mark_published(connection: Connection, told: Iterable[Entry]) -> None:
    """Unless a step was taken meanwhile, of which nobody has been told."""
    for entry in told:
        connection.execute(
            update(entries)
            .where(entries.c.number == entry.number, entries.c.version == entry.version)
            .values(published=True)
        )


def check_step(entry: Entry, action: str) -> Step:
    """Raises Conflict where the entry's state has no such step."""
    known = STEPS[action]
    if entry.state not in known.sources:
        raise Conflict(f"This entry is {entry.state} by now: look at it again.")
    return known


def step(
    connection: Connection,
    entry: Entry,
    action: str,
    actor: str,
    now: int,
    *,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Take a step of the table of states. Raises Conflict where the entry has moved on, or where
    its state has no such step; BadRequest where a reason is missing.
    """
    known = check_step(entry, action)
    if known.needs_reason and not reason:
        raise BadRequest("Say why: the author is told.")
    done = connection.execute(
        update(entries)
        .where(entries.c.number == entry.number, entries.c.version == entry.version)
        .values(
            state=known.target,
            settled_by=actor,
            settled_at=now,
            note=reason,
            version=entry.version + 1,
            published=False,
            **values,
        )
    )
    if done.rowcount != 1:
        raise Conflict("Somebody else has just settled this entry: look at it again.")
    audit.record(
        connection,
        actor,
        f"quarantine.{action}",
        entry.doc_id,
        database=entry.database,
        details={
            "entry": entry.number,
            "account": entry.account,
            "device": entry.device,
            "rev": entry.rev,
            "refused": entry.reason,
            "reason": reason,
            **(details or {}),
        },
    )


def forget_database(connection: Connection, database: str) -> None:
    """The database is gone: what was refused in it goes along; the audit log stays."""
    own = select(entries.c.number).where(entries.c.database == database)
    connection.execute(delete(attachments).where(attachments.c.entry.in_(own)))
    connection.execute(delete(entries).where(entries.c.database == database))
    used = select(attachments.c.content).where(attachments.c.content.is_not(None))
    connection.execute(delete(contents).where(contents.c.content.not_in(used)))
