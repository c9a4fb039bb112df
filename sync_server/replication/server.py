"""The root of the protocol: welcome, `_up`, `_uuids`, `_all_dbs`, and what is not offered."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response

from sync_server.access.permissions import require_admin
from sync_server.errors import BadRequest, NotFound, NotImplementedHere
from sync_server.replication import parameters
from sync_server.replication.rendering import json_response
from sync_server.replication.surroundings import account, parts

PROTOCOL_VERSION = "3.3.3"
"""The CouchDB release whose replication protocol is spoken; clients read it."""

MAX_UUIDS = 1000

blueprint = Blueprint("replication_server", __name__)


@blueprint.get("/")
def welcome() -> Response:
    """Answers anyone, whatever the Authorization header: clients look here before they sign in.

    `uuid` never changes: PouchDB derives its replication ids from it.
    """
    return json_response(
        {
            "couchdb": "Welcome",
            "version": PROTOCOL_VERSION,
            "uuid": parts().store.uuid,
            "features": [],
            "vendor": {"name": "RUSH-IT sync server"},
        }
    )


@blueprint.get("/_up")
def up() -> Response:
    return json_response({"status": "ok", "seeds": {}})


@blueprint.get("/_uuids")
def uuids() -> Response:
    count = parameters.integer("count", minimum=1)
    if count is not None and count > MAX_UUIDS:
        raise BadRequest(f"`count` may be {MAX_UUIDS} at most.")
    response = json_response({"uuids": [secrets.token_hex(16) for _ in range(count or 1)]})
    response.headers["Cache-Control"] = "no-cache, must-revalidate"
    return response


@blueprint.get("/_all_dbs")
def all_databases() -> Response:
    require_admin(account())
    return json_response(sorted(parts().store.names()))


@blueprint.route("/_replicate", methods=["GET", "POST"])
def replicate() -> Response:
    raise NotImplementedHere("This server does not replicate by itself: let the client do it.")


@blueprint.route("/_replicator", methods=["GET", "PUT", "POST", "DELETE"])
@blueprint.route("/_users", methods=["GET", "PUT", "POST", "DELETE"])
@blueprint.route("/_replicator/<attname:rest>", methods=["GET", "PUT", "POST", "DELETE"])
@blueprint.route("/_users/<attname:rest>", methods=["GET", "PUT", "POST", "DELETE"])
def system_database(rest: str = "") -> Response:
    raise NotFound("This server keeps accounts and replications in no database.")
