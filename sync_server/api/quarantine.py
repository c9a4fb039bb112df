"""What was refused: lists and documents for coordinators of the area, every step for admins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Response

from schemas import api_quarantine as payloads
from sync_server.access.areas import covers
from sync_server.access.grants import COORDINATOR
from sync_server.access.permissions import require_admin
from sync_server.access.refusals import OUTSIDE, REASONS
from sync_server.api.surroundings import (
    ApiBlueprint,
    areas_of_coordinator,
    now_ms,
    open_database,
    parts,
)
from sync_server.errors import NotFound
from sync_server.quarantine import contents, entries
from sync_server.quarantine.entries import Entry, Filter
from sync_server.quarantine.service import Quarantine

blueprint = ApiBlueprint("api_quarantine", __name__, url_prefix="/api")


@blueprint.get("/<db:database>/quarantine")
@blueprint.arguments(payloads.QuarantineQuery, location="query")
@blueprint.response(200, payloads.EntryPage)
def listed(query: Mapping[str, Any], database: str) -> dict[str, Any]:
    """Entries, the oldest first; a coordinator's own areas alone."""
    found, account = open_database(database, COORDINATOR)
    wanted = Filter(*(query[name] for name in Filter.__dataclass_fields__))
    limit, after = query["limit"], query["after"]
    with parts().sql.connect().execution_options(read_only=True) as connection:
        page = entries.page(
            connection,
            found.name,
            wanted,
            areas=areas_of_coordinator(account, found.name),
            after=after,
            limit=limit,
        )
    return {
        "entries": [asdict(entry) for entry in page],
        "next": page[-1].number if len(page) == limit else None,
    }


@blueprint.get("/<db:database>/quarantine/<int:number>")
@blueprint.response(200, payloads.EntryWithDocument)
def shown(database: str, number: int) -> dict[str, Any]:
    """An entry with its document, and why it was refused."""
    entry = _visible(database, number)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        document = entries.document(connection, number)
        kept = contents.of_entry(connection, number)
    reason = REASONS.get(entry.reason, OUTSIDE)
    return {
        **asdict(entry),
        "text_en": reason.text_en,
        "text_km": reason.text_km,
        "document": document,
        "attachments": [{**asdict(one), "kept": one.content is not None} for one in kept],
    }


@blueprint.get("/<db:database>/quarantine/<int:number>/attachments/<attname:name>")
@blueprint.response(200, content_type="application/octet-stream")
def downloaded(database: str, number: int, name: str) -> Response:
    """The content of an attachment, as it was sent."""
    _visible(database, number)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        kept = contents.attachment(connection, number, name)
        data = contents.read(connection, kept.content or "")
    headers = {
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
        "Cache-Control": "no-store",
    }
    return Response(data, headers=headers, content_type=_safe_type(kept.content_type))


@blueprint.post("/<db:database>/quarantine/<int:number>/adopt")
@blueprint.arguments(payloads.Adopt)
@blueprint.response(200, payloads.Entry)
def adopted(payload: Mapping[str, Any], database: str, number: int) -> dict[str, Any]:
    """Write the document in the admin's name, on behalf of its author."""
    quarantine, actor = _administer(database)
    return asdict(quarantine.adopt(number, actor, now_ms(), **payload))


@blueprint.post("/<db:database>/quarantine/<int:number>/reassign")
@blueprint.arguments(payloads.Reassign)
@blueprint.response(200, payloads.Entry)
def reassigned(payload: Mapping[str, Any], database: str, number: int) -> dict[str, Any]:
    """Say to which area the document belongs, or on whose behalf it is adopted."""
    quarantine, actor = _administer(database)
    return asdict(quarantine.reassign(number, actor, now_ms(), **payload))


@blueprint.post("/<db:database>/quarantine/<int:number>/return")
@blueprint.arguments(payloads.Settle)
@blueprint.response(200, payloads.Entry)
def returned(payload: Mapping[str, Any], database: str, number: int) -> dict[str, Any]:
    """Send the content back to its author in a notice, with the reason."""
    quarantine, actor = _administer(database)
    return asdict(quarantine.send_back(number, actor, now_ms(), **payload))


@blueprint.post("/<db:database>/quarantine/<int:number>/discard")
@blueprint.arguments(payloads.Settle)
@blueprint.response(200, payloads.Entry)
def discarded(payload: Mapping[str, Any], database: str, number: int) -> dict[str, Any]:
    """Do not take the document; it stays on record."""
    quarantine, actor = _administer(database)
    return asdict(quarantine.discard(number, actor, now_ms(), **payload))


def _administer(database: str) -> tuple[Quarantine, str]:
    found, account = open_database(database, COORDINATOR)
    return parts().quarantine(found.name), require_admin(account).name


def _visible(database: str, number: int) -> Entry:
    """An entry of another area looks as one that is not there."""
    found, account = open_database(database, COORDINATOR)
    with parts().sql.connect().execution_options(read_only=True) as connection:
        entry = entries.find(connection, found.name, number)
    areas = areas_of_coordinator(account, found.name)
    if areas is not None and not any(covers(area, entry.place) for area in areas):
        raise NotFound(entries.UNKNOWN)
    return entry


def _safe_type(content_type: str) -> str:
    """As a header can carry it; a client may have sent any text."""
    if content_type.isascii() and content_type.isprintable() and content_type:
        return content_type
    return "application/octet-stream"
