"""What a request to `_all_docs` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from sync_server.errors import BadRequest, QueryParseError
from sync_server.replication import parameters
from sync_server.replication.bodies import json_object
from sync_server.replication.rendering import DocumentView

_FLAGS = (
    "include_docs",
    "conflicts",
    "descending",
    "inclusive_end",
    "update_seq",
    "attachments",
    "att_encoding_info",
)


@dataclass(frozen=True, slots=True)
class Query:
    keys: list[str] | None
    startkey: str | None
    endkey: str | None
    limit: int | None
    skip: int
    flags: dict[str, bool]

    def wants(self, flag: str) -> bool:
        return self.flags.get(flag, False)

    @property
    def view(self) -> DocumentView:
        return DocumentView(
            attachments=self.wants("attachments"), att_encoding_info=self.wants("att_encoding_info")
        )


def given() -> dict[str, Any]:
    """Parameters of the query, over those of a POST body."""
    found: dict[str, Any] = {}
    if request.method == "POST":
        with json_object() as payload:
            found.update(payload)
    for name in request.args:
        is_json = name in ("keys", "key", "startkey", "endkey", "start_key", "end_key")
        found[name] = parameters.json_parameter(name) if is_json else request.args[name]
    return found


def read_query(given: dict[str, Any]) -> Query:
    """Raises BadRequest for what a parameter cannot be."""
    flags = {
        name: parameters.as_flag(name, given[name])
        for name in _FLAGS
        if given.get(name) is not None
    }
    limit, skip = given.get("limit"), given.get("skip")
    keys = given.get("keys")
    key = _key(given, "key")
    if keys is not None and type(keys) is not list:
        raise BadRequest("`keys` parameter must be an array.")
    return Query(
        keys=keys,
        startkey=key if key is not None else _key(given, "startkey", "start_key"),
        endkey=key if key is not None else _key(given, "endkey", "end_key"),
        limit=None if limit is None else parameters.as_integer("limit", limit),
        skip=0 if skip is None else parameters.as_integer("skip", skip),
        flags=flags,
    )


def _key(given: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = given.get(name)
        if value is not None:
            if type(value) is not str:
                raise QueryParseError(f"`{name}` must be a document id, a JSON string.")
            return value
    return None
