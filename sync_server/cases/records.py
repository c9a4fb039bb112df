"""A case and its versions, as rows and as objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, Select, func, select

from conflict.canonical import MISSING, canonical
from conflict.merge import ATTACHMENTS, Base, Version
from conflict.resolution import DELETED
from sync_server.branches import captured_at, device_of
from sync_server.cases.tables import case_versions, cases
from sync_server.storage.base import Revision

OPEN = "open"
SETTLED = "settled"
OBSOLETE = "obsolete"
"""The conflict went by itself: a tablet merged or withdrew, or a later rule could."""
STATES = (OPEN, SETTLED, OBSOLETE)

LEAF = "leaf"
BASE = "base"
CLAIM = "claim"
"""A value that was not taken once, and that its author contests."""
FORMER = "former"
"""A leaf or base of an earlier state of the case."""

CONTESTED = "contested"
"""The reason of a case that an author asked for; the others are `conflict.resolution`'s."""
SKEW_MS = 120_000
"""How far ahead of its receipt an edit may say it was captured, before that counts as wrong."""


@dataclass(frozen=True, slots=True)
class CaseVersion:
    """What a leaf, the base or a contested value says. Times in milliseconds since 1970."""

    rev: str
    role: str
    body: bytes
    """A JSON object."""
    deleted: bool = False
    attachments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name → `digest`, `content_type`, `length`."""
    account: str = ""
    """Who sent it."""
    device: str = ""
    captured_at: int | None = None
    """As the document says; None where it says nothing usable."""
    received_at: int = 0
    speaks_of: Sequence[str] | None = None
    """The only fields that count, where it is not a whole document."""
    writers: Mapping[str, str] = field(default_factory=dict)
    """Field → account, where the value was written by another than `account`."""

    @property
    def fields(self) -> Mapping[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    @property
    def at(self) -> int:
        """When it was captured, as far as that can be believed, else when it was received."""
        if self.captured_at is None or self.captured_at > self.received_at + SKEW_MS:
            return self.received_at
        return self.captured_at

    def value(self, name: str) -> Any:
        """A field's value, an attachment's digest, or whether it is deleted; MISSING where there
        is none.
        """
        if name == DELETED:
            return True if self.deleted else MISSING
        if name.startswith(ATTACHMENTS):
            known = self.attachments.get(name.removeprefix(ATTACHMENTS))
            return MISSING if known is None else known["digest"]
        return self.fields.get(name, MISSING)

    def says(self, name: str) -> bool:
        return self.speaks_of is None or name in self.speaks_of

    def writer(self, name: str) -> str:
        """The account whose value of the field this is."""
        return self.writers.get(name, self.account)

    def digests(self) -> dict[str, str]:
        return {name: str(known["digest"]) for name, known in self.attachments.items()}

    def as_version(self) -> Version:
        fields = self.fields
        return Version(
            self.rev,
            fields,
            self.digests(),
            captured_at(fields),
            device_of(fields),
            self.account,
        )

    def as_base(self) -> Base:
        fields = self.fields
        return Base(self.rev, fields, self.digests(), captured_at(fields), device_of(fields))


@dataclass(frozen=True, slots=True)
class Case:
    """A row of `cases`. Times in milliseconds since 1970."""

    number: int
    database: str
    document: str
    type: str
    area: str
    reason: str
    fields: Sequence[str]
    leaves: Sequence[str]
    """Revisions that it was opened for, sorted."""
    resolver: str
    state: str
    opened_at: int
    changed_at: int
    closed_by: str | None
    closed_at: int | None

    @property
    def shape(self) -> str:
        return shape(self.type, self.fields)


_CASE_COLUMNS = [cases.c[name] for name in Case.__dataclass_fields__]


def case_of(row: RowMapping) -> Case:
    return Case(
        **{**row, "fields": orjson.loads(row["fields"]), "leaves": orjson.loads(row["leaves"])}
    )


def select_cases() -> Select[*tuple[Any, ...]]:
    return select(*_CASE_COLUMNS)


def find(connection: Connection, database: str, numbers: Sequence[int]) -> dict[int, Case]:
    query = select_cases().where(cases.c.database == database, cases.c.number.in_(numbers))
    return {row["number"]: case_of(row) for row in connection.execute(query).mappings()}


def latest(connection: Connection, database: str, documents: Sequence[str]) -> dict[str, Case]:
    """The last case of each document that ever had one."""
    last = (
        select(func.max(cases.c.number))
        .where(cases.c.database == database, cases.c.document.in_(documents))
        .group_by(cases.c.document)
    )
    query = select_cases().where(cases.c.number.in_(last))
    return {row["document"]: case_of(row) for row in connection.execute(query).mappings()}


def open_cases(connection: Connection, database: str, documents: Sequence[str]) -> dict[str, Case]:
    """The open case of each of these documents that has one."""
    query = select_cases().where(
        cases.c.database == database, cases.c.document.in_(documents), cases.c.state == OPEN
    )
    return {row["document"]: case_of(row) for row in connection.execute(query).mappings()}


def disputed(connection: Connection, database: str, documents: Iterable[str]) -> set[str]:
    """Those of the documents that have an open case."""
    query = select(cases.c.document).where(
        cases.c.database == database, cases.c.document.in_(list(documents)), cases.c.state == OPEN
    )
    return set(connection.execute(query).scalars())


def versions(connection: Connection, numbers: Sequence[int]) -> dict[int, list[CaseVersion]]:
    """Versions by case, each list in the order of receipt."""
    found: dict[int, list[CaseVersion]] = {number: [] for number in numbers}
    query = (
        select(case_versions)
        .where(case_versions.c.case_number.in_(numbers))
        .order_by(case_versions.c.received_at, case_versions.c.rev)
    )
    for row in connection.execute(query).mappings():
        found[row["case_number"]].append(_version(row))
    return found


def _version(row: RowMapping) -> CaseVersion:
    values = {name: row[name] for name in CaseVersion.__dataclass_fields__}
    for name in ("attachments", "writers", "speaks_of"):
        values[name] = None if values[name] is None else orjson.loads(values[name])
    return CaseVersion(**values)


def version_row(number: int, version: CaseVersion) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: getattr(version, name) for name in CaseVersion.__dataclass_fields__
    }
    for name in ("attachments", "writers", "speaks_of"):
        if values[name] is not None:
            values[name] = orjson.dumps(values[name]).decode()
    return {**values, "case_number": number}


def shape(type_name: str, fields: Sequence[str]) -> str:
    """Cases of one shape: the same type of document, and the same fields in question."""
    content = canonical([type_name, sorted(fields)])
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def type_of(fields: Mapping[str, Any]) -> str:
    """The document's type, empty where it says none that can be one."""
    said = fields.get("type")
    fine = type(said) is str and len(said) <= 100 and said.isprintable()
    return str(said) if fine else ""


def with_role(version: CaseVersion, role: str) -> CaseVersion:
    return replace(version, role=role)


def recorded(revision: Revision, role: str = LEAF, **more: Any) -> CaseVersion:
    """A stored revision as a version."""
    fields = orjson.loads(revision.body)
    return CaseVersion(
        rev=revision.rev,
        role=role,
        body=revision.body,
        deleted=revision.deleted,
        attachments={
            name: {
                "digest": info.digest,
                "content_type": info.content_type,
                "length": info.length,
            }
            for name, info in revision.attachments.items()
        },
        account=revision.origin.account,
        device=revision.origin.device or device_of(fields),
        captured_at=captured_at(fields),
        received_at=revision.origin.received_at,
        **more,
    )
