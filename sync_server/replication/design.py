"""Functions of design documents: stored as data, never run."""

from __future__ import annotations

from flask import Blueprint, Response

from sync_server.errors import NotFound, NotImplementedHere
from sync_server.replication.surroundings import open_database

blueprint = Blueprint("replication_design", __name__)

NO_CODE = "This server runs no code from documents: "
_METHODS = ["GET", "POST", "PUT", "DELETE"]


@blueprint.route("/<db:name>/_design/<docid:design>/_view/<attname:rest>", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_search/<attname:rest>", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_info", methods=_METHODS)
def no_views(name: str, design: str, rest: str = "") -> Response:
    open_database(name)
    raise NotFound(NO_CODE + "it has no views.")


@blueprint.route("/<db:name>/_design/<docid:design>/_show/<attname:rest>", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_list/<attname:rest>", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_update/<attname:rest>", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_rewrite", methods=_METHODS)
@blueprint.route("/<db:name>/_design/<docid:design>/_rewrite/<attname:rest>", methods=_METHODS)
def no_functions(name: str, design: str, rest: str = "") -> Response:
    open_database(name)
    raise NotImplementedHere(NO_CODE + "show, list, update and rewrite are not offered.")
