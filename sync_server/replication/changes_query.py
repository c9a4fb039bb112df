"""What a request to `_changes` asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from sync_server.errors import BadRequest, QueryParseError
from sync_server.replication import parameters
from sync_server.replication.bodies import json_object
from sync_server.replication.filters import ChangesFilter, read_filter
from sync_server.replication.parsing import parse_json
from sync_server.replication.rendering import DocumentView
from sync_server.storage.base import Database

FEEDS = ("normal", "longpoll", "continuous", "eventsource", "live")

DEFAULT_TIMEOUT_MS = 60_000
DEFAULT_HEARTBEAT_MS = 60_000


@dataclass(frozen=True, slots=True)
class ChangesQuery:
    feed: str
    since: str
    limit: int | None
    descending: bool
    filter: ChangesFilter
    all_leaves: bool
    """`style=all_docs`: rows name every leaf, not the winner alone."""
    include_docs: bool
    conflicts: bool
    view: DocumentView
    seq_interval: int
    """Every how manieth row tells its sequence; the others may say null."""
    timeout: float
    """Seconds without a change after which a waiting feed ends."""
    heartbeat: float | None
    """Seconds without a change after which a newline is sent, over and over."""


def read_query(database: Database, *, is_admin: bool) -> ChangesQuery:
    """Raises BadRequest for what a parameter cannot be."""
    given = _given()
    feed = _choice(given, "feed", FEEDS)
    feed = "continuous" if feed == "live" else feed
    return ChangesQuery(
        feed=feed,
        since=_since(database, given, feed),
        limit=_integer(given, "limit"),
        descending=_flag(given, "descending"),
        filter=read_filter(given, is_post=request.method == "POST", is_admin=is_admin),
        all_leaves=_choice(given, "style", ("main_only", "all_docs")) == "all_docs",
        include_docs=_flag(given, "include_docs"),
        conflicts=_flag(given, "conflicts"),
        view=DocumentView(
            attachments=_flag(given, "attachments"),
            att_encoding_info=_flag(given, "att_encoding_info"),
        ),
        seq_interval=_integer(given, "seq_interval", 1) or 1,
        timeout=_milliseconds(given, "timeout", DEFAULT_TIMEOUT_MS) or 0.0,
        heartbeat=_heartbeat(given),
    )


def _given() -> dict[str, Any]:
    """Parameters of the query, over those of a POST body."""
    given: dict[str, Any] = {}
    if request.method == "POST":
        with json_object(or_nothing=True) as payload:
            given.update(payload)
    given.update(request.args.to_dict())
    if type(given.get("doc_ids")) is str:
        given["doc_ids"] = parameters.json_parameter("doc_ids")
    return given


def _since(database: Database, given: dict[str, Any], feed: str) -> str:
    since = given.get("since", "0")
    if feed == "eventsource":
        since = request.headers.get("Last-Event-ID") or given.get("last-event-id") or since
    if type(since) is int:
        return str(since)
    if type(since) is not str:
        raise QueryParseError("`since` must be 0, now, or a sequence this database gave.")
    if since[:1] == '"':  # Some clients send the sequence as the JSON it came as.
        return _since(database, {"since": _unquoted(since)}, "")
    return database.update_seq() if since == "now" else since or "0"


def _unquoted(since: str) -> Any:
    try:
        return parse_json(since.encode())
    except (BadRequest, UnicodeEncodeError):
        raise QueryParseError("`since` must be valid JSON where it is quoted.") from None


def _choice(given: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """One of the choices, the first by default."""
    value = given.get(name, choices[0])
    if value not in choices:
        raise QueryParseError(f"`{name}` must be one of {', '.join(choices)}.")
    return str(value)


def _flag(given: dict[str, Any], name: str) -> bool:
    return name in given and parameters.as_flag(name, given[name])


def _integer(given: dict[str, Any], name: str, minimum: int = 0) -> int | None:
    return parameters.as_integer(name, given[name], minimum) if name in given else None


def _milliseconds(given: dict[str, Any], name: str, default: int) -> float:
    return parameters.as_integer(name, given.get(name, default)) / 1000


def _heartbeat(given: dict[str, Any]) -> float | None:
    value = given.get("heartbeat")
    if value is None or value in (False, "false"):
        return None
    if value in (True, "true") and type(value) is not int:
        return DEFAULT_HEARTBEAT_MS / 1000
    return parameters.as_integer("heartbeat", value, 1) / 1000
