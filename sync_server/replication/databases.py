"""A database as a whole: its information, its making and removal, and its upkeep."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, request

from sync_server.access.permissions import require_admin
from sync_server.cases.forgetting import forget_database as forget_cases
from sync_server.errors import BadRequest
from sync_server.intake import forgetting
from sync_server.quarantine import entries
from sync_server.replication.bodies import json_object, json_value
from sync_server.replication.identifiers import revision_list
from sync_server.replication.rendering import json_response
from sync_server.replication.surroundings import account, administer, open_database, parts
from sync_server.storage.base import DatabaseInfo
from sync_server.storage.compaction import compact as compact_database

MAX_PURGED_DOCUMENTS = 1000

blueprint = Blueprint("replication_databases", __name__)


@blueprint.get("/<db:name>")
def show(name: str) -> Response:
    database, _ = open_database(name)
    return json_response(_information(database.info()))


def _information(info: DatabaseInfo) -> dict[str, Any]:
    return {
        "db_name": info.name,
        "doc_count": info.doc_count,
        "doc_del_count": info.doc_del_count,
        "update_seq": info.update_seq,
        "purge_seq": info.purge_seq,
        "instance_start_time": info.instance_start_time,
        "disk_format_version": 8,
        "compact_running": info.compact_running,
        "sizes": {
            "file": info.file_size,
            "active": info.active_size,
            "external": info.external_size,
        },
        "props": {},
        "cluster": {"q": 1, "n": 1, "w": 1, "r": 1},
    }


@blueprint.put("/<db:name>")
def create(name: str) -> Response:
    require_admin(account())
    parts().store.create(name)
    return json_response({"ok": True}, 201)


@blueprint.delete("/<db:name>")
def delete(name: str) -> Response:
    """Remove a database with all its documents, its memberships, grants and quarantine.

    A `rev` tells that a document was meant, whose id came out empty.
    """
    require_admin(account())
    if "rev" in request.args:
        raise BadRequest("This deletes a whole database, and takes no `rev`: name the document.")
    parts().store.delete(name)
    parts().accounts.forget_database(name)
    parts().grants.forget_database(name)
    with parts().sql.begin() as connection:
        entries.forget_database(connection, name)
        forgetting.forget_database(connection, name)
        forget_cases(connection, name)
    return json_response({"ok": True})


@blueprint.post("/<db:name>/_ensure_full_commit")
def ensure_full_commit(name: str) -> Response:
    database, _ = open_database(name)
    database.flush()
    return json_response(
        {"ok": True, "instance_start_time": database.info().instance_start_time}, 201
    )


@blueprint.get("/<db:name>/_security")
def security(name: str) -> Response:
    database, _ = open_database(name)
    return json_response(database.security())


@blueprint.put("/<db:name>/_security")
def set_security(name: str) -> Response:
    """Kept and shown; what an account may do is decided by its memberships alone."""
    database = administer(name)
    with json_value() as value:
        if not isinstance(value, dict):
            raise BadRequest("The security object must be a JSON object.")
        database.set_security(value)
    return json_response({"ok": True})


@blueprint.get("/<db:name>/_revs_limit")
def revs_limit(name: str) -> Response:
    database, _ = open_database(name)
    return json_response(database.revs_limit())


@blueprint.put("/<db:name>/_revs_limit")
def set_revs_limit(name: str) -> Response:
    database = administer(name)
    with json_value() as value:
        if type(value) is not int or not 0 < value < 2**31:
            raise BadRequest("The body must be a positive integer: revisions kept per branch.")
        database.set_revs_limit(value)
    return json_response({"ok": True})


@blueprint.post("/<db:name>/_compact")
def compact(name: str) -> Response:
    database = administer(name)
    settings = parts().settings
    compact_database(database, time.time_ns() // 1_000_000, settings.stale_tablet_days)
    return json_response({"ok": True}, 202)


@blueprint.post("/<db:name>/_view_cleanup")
def view_cleanup(name: str) -> Response:
    administer(name)
    return json_response({"ok": True}, 202)


@blueprint.post("/<db:name>/_purge")
def purge(name: str) -> Response:
    """Forget leaves for good: `{"<id>": ["<rev>", …], …}`."""
    database = administer(name)
    with json_object() as named:
        if len(named) > MAX_PURGED_DOCUMENTS:
            raise BadRequest(f"Purge {MAX_PURGED_DOCUMENTS} documents at most at once.")
        revs = {doc_id: revision_list(doc_id, value) for doc_id, value in named.items()}
        purged = database.purge(revs)
    return json_response({"purge_seq": None, "purged": purged}, 201)
