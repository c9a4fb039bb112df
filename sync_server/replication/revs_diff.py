"""`_revs_diff` and `_missing_revs`: which revisions a client still has to send."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from sync_server.errors import RequestTooLarge
from sync_server.replication.bodies import TELL, json_object
from sync_server.replication.identifiers import revision_list
from sync_server.replication.rendering import json_response
from sync_server.replication.surroundings import open_database, parts

blueprint = Blueprint("replication_revs_diff", __name__)


@blueprint.post("/<db:name>/_revs_diff")
def revs_diff(name: str) -> Response:
    """Documents of which nothing is missing are left out."""
    database, _ = open_database(name)
    with json_object() as payload:
        missing = database.revs_diff(_revisions(payload))
    answer: dict[str, dict[str, Any]] = {
        doc_id: {"missing": diff.missing, "possible_ancestors": diff.possible_ancestors}
        if diff.possible_ancestors
        else {"missing": diff.missing}
        for doc_id, diff in missing.items()
    }
    return json_response(orjson.dumps(answer))


@blueprint.post("/<db:name>/_missing_revs")
def missing_revs(name: str) -> Response:
    database, _ = open_database(name)
    with json_object() as payload:
        missing = database.revs_diff(_revisions(payload))
    return json_response({"missing_revs": {key: diff.missing for key, diff in missing.items()}})


def _revisions(payload: dict[str, Any]) -> dict[str, list[str]]:
    limit = parts().settings.max_batch_documents
    if len(payload) > limit:
        raise RequestTooLarge(f"Ask for {limit} documents at most at once. {TELL}")
    return {doc_id: revision_list(doc_id, revs) for doc_id, revs in payload.items()}
