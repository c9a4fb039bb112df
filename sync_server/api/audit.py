"""The audit log, for admins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from schemas import api_quarantine as payloads
from sync_server.access import audit
from sync_server.api.surroundings import ApiBlueprint, administrator, parts

blueprint = ApiBlueprint("api_audit", __name__, url_prefix="/api")


@blueprint.get("/audit")
@blueprint.arguments(payloads.AuditQuery, location="query")
@blueprint.response(200, payloads.AuditPage)
def entries(query: Mapping[str, Any]) -> dict[str, Any]:
    """What people did with accounts, grants, devices, quarantine and cases, the latest first."""
    administrator()
    with parts().sql.connect().execution_options(read_only=True) as connection:
        found = audit.entries(connection, **query)
    more = len(found) == query["limit"]
    return {
        "entries": [asdict(entry) for entry in found],
        "next": found[-1].number if more else None,
    }
