"""A case as a person sees it: field by field, what it was, what each version says, and what the
policy would choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Connection, select

import schemas
from conflict.canonical import MISSING, canonical
from conflict.merge import ATTACHMENTS, DEFAULT_POLICY, FieldMerge
from conflict.resolution import DELETED
from sync_server.cases import contests
from sync_server.cases.contents import Contents
from sync_server.cases.records import CaseVersion
from sync_server.cases.tables import case_decisions


def shown(known: Contents, database: str) -> dict[str, Any]:
    """`versions` and `fields` of a case, ready to be rendered as JSON."""
    merged = {item.field: item for item in known.merged().items}
    return {
        "versions": [_version(known, one, database) for one in known.every],
        "fields": [_field(known, merged.get(name), name) for name in _names(known)],
    }


def _names(known: Contents) -> list[str]:
    """Fields in question first, then those in which versions differ."""
    asked = list(known.case.fields)
    present = [one for one in known.every if not one.deleted]
    names = {name for one in present for name in one.fields}
    names |= {ATTACHMENTS + name for one in present for name in one.attachments}
    differing = [
        name
        for name in sorted(names - set(asked))
        if len({canonical(one.value(name)) for one in present if one.says(name)}) > 1
    ]
    return [*asked, *differing]


def _version(known: Contents, one: CaseVersion, database: str) -> dict[str, Any]:
    return {
        "rev": one.rev,
        "role": one.role,
        "winner": bool(known.leaves) and one is known.leaves[0],
        "deleted": one.deleted,
        "account": one.account,
        "device": one.device,
        "captured_at": one.captured_at,
        "received_at": one.received_at,
        "speaks_of": one.speaks_of,
        "attachments": {
            name: {**about, "url": _url(database, known.case.document, one.rev, name)}
            for name, about in one.attachments.items()
        },
    }


def _url(database: str, document: str, rev: str, name: str) -> str:
    """Where the content is, relative to the server; only while the revision is kept."""
    place = "/".join(quote(part, safe="") for part in (database, document))
    return f"/db/{place}/{quote(name)}?rev={quote(rev)}"


def _field(known: Contents, merged: FieldMerge | None, name: str) -> dict[str, Any]:
    kind = known.case.type
    said = [
        one
        for one in [*known.leaves, *known.claims]
        if one.says(name) and (name == DELETED or not one.deleted)
    ]
    values = {one.rev: one.value(name) for one in said}
    return {
        "field": name,
        "label_en": schemas.label(kind, name, "en"),
        "label_km": schemas.label(kind, name, "km"),
        "policy": schemas.policies_for(kind).get(name, DEFAULT_POLICY),
        "in_question": name in known.case.fields,
        "values": _present(values),
        "absent": [rev for rev, value in values.items() if value is MISSING],
        "writers": {one.rev: one.writer(name) for one in said},
        **_present(
            {
                "base": known.base.value(name) if known.base else MISSING,
                "policy_chooses": _chosen(merged),
            }
        ),
    }


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not MISSING}


def _chosen(merged: FieldMerge | None) -> Any:
    """What the policy makes of the field; MISSING where it leaves that to a person."""
    answer = (merged.chosen or merged.suggested) if merged else None
    return answer.value if answer else MISSING


def history(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The decisions on a case, oldest first: who, when, on which leaves, and what came of it."""
    query = (
        select(case_decisions)
        .where(case_decisions.c.case_number == number)
        .order_by(case_decisions.c.number)
    )
    return [
        {
            "action": row.action,
            "by": row.actor,
            "at": row.at,
            "leaves": orjson.loads(row.seen),
            "rev": row.rev,
            "how": orjson.loads(row.details).get("how", {}),
            "written": row.writes is None and row.failed is None,
            "failed": row.failed,
        }
        for row in connection.execute(query)
    ]


def contested_by(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Who contests, why, and whether they took it back."""
    return [
        {name: row[name] for name in ("contest", "notice", "account", "text", "at", "withdrawn")}
        for row in contests.of_case(connection, number)
    ]
