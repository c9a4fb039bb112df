"""One line of a transcript, and the names that stand in it for what differs from run to run.

Sequences, the server's uuid and the like are opaque: a transcript has `{seq:3}` in their place.
While recording, a value gets its name when a response first shows it; while replaying, the name
is bound to the value that the response has in that place, and must keep it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

ANY = "{any}"
DATABASE = "{database}"
AUTHORIZATION = "{authorization}"
REQUEST_HEADERS = ("accept", "accept-encoding", "content-type", "if-match", "authorization")
RESPONSE_HEADERS = ("content-type",)

SEQUENCES = frozenset({"seq", "last_seq", "update_seq", "purge_seq", "since"})
NAMED = {**dict.fromkeys(SEQUENCES, "seq"), "uuid": "uuid", "instance_start_time": "start"}
UNCOMPARED = frozenset({"sizes", "version", "data_size", "disk_size"})
"""Members that say how large or how new the server is."""
_NAME = re.compile(r"\{(seq|uuid|start):\d+\}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer. `after` are the exchanges (by number from 0) that had finished
    when this one began, without those that the lines above name already.
    """

    after: tuple[int, ...]
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    status: int
    response_headers: Mapping[str, str]
    response_body: Any

    def as_line(self) -> str:
        members = {
            "after": self.after,
            "request": [self.method, self.path, self.headers, self.body],
            "response": [self.status, self.response_headers, self.response_body],
        }
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of_line(cls, line: str) -> Exchange:
        members = json.loads(line)
        return cls(tuple(members["after"]), *members["request"], *members["response"])


def read(path: Path) -> list[Exchange]:
    return [Exchange.of_line(line) for line in path.read_text("utf-8").splitlines()]


def plain_body(content_type: str, body: bytes) -> Any:
    """A body as a transcript keeps it: JSON as it is, anything else as base64."""
    if not body:
        return None
    if content_type.startswith("application/json"):
        return json.loads(body)
    return {"base64": base64.b64encode(body).decode()}


def body_bytes(body: Any) -> bytes | None:
    """The inverse of `plain_body`."""
    if body is None:
        return None
    if isinstance(body, dict) and list(body) == ["base64"]:
        return base64.b64decode(body["base64"])
    return json.dumps(body).encode()


@dataclass
class Names:
    """Volatile values and the names that stand for them, both ways."""

    name_of: dict[str, str] = field(default_factory=dict)
    value_of: dict[str, Any] = field(default_factory=dict)

    # -- recording -------------------------------------------------------------

    def hide(self, value: Any, key: str = "", *, learn: bool) -> Any:
        """`value` with names instead of volatile values; `learn` gives new ones their names."""
        if learn and key in UNCOMPARED:
            return ANY
        if isinstance(value, dict):
            return {name: self.hide(item, name, learn=learn) for name, item in value.items()}
        if isinstance(value, list):
            return [self.hide(item, key, learn=learn) for item in value]
        if key in NAMED and isinstance(value, str) and value not in {"0", "now"}:
            return self._name(value, NAMED[key], learn)
        return value

    def _name(self, value: str, kind: str, learn: bool) -> str:
        known = self.name_of.get(f"{kind}={value}")
        if known or not learn:
            return known or value
        number = sum(name.startswith(f"{{{kind}:") for name in self.name_of.values()) + 1
        return self.name_of.setdefault(f"{kind}={value}", f"{{{kind}:{number}}}")

    def hide_path(self, path: str, database: str) -> str:
        parts = urlsplit(path.replace(f"/{database}", f"/{DATABASE}", 1))
        query = [
            (key, self.hide(value, key, learn=False))
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        return parts.path + (f"?{urlencode(query, safe='{}:', quote_via=quote)}" if query else "")

    # -- replaying -------------------------------------------------------------

    def reveal(self, value: Any) -> Any:
        """`value` with what the names are bound to."""
        if isinstance(value, dict):
            return {name: self.reveal(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.reveal(item) for item in value]
        if isinstance(value, str):
            return self.value_of.get(value, value)
        return value

    def reveal_path(self, path: str, database: str) -> str:
        def value(match: re.Match[str]) -> str:
            return quote(str(self.value_of[match[0]]), safe="")

        return _NAME.sub(value, path).replace(DATABASE, database)

    def difference(self, wanted: Any, seen: Any, where: str = "") -> str | None:
        """Where and how `seen` differs from the transcript, binding names at first sight."""
        if wanted == ANY:
            return None
        if isinstance(wanted, str) and _NAME.fullmatch(wanted):
            wanted = self.value_of.setdefault(wanted, seen)
        if isinstance(wanted, dict) and isinstance(seen, dict) and set(wanted) == set(seen):
            pairs = [(f"{where}.{key}", wanted[key], seen[key]) for key in wanted]
        elif isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
            items = enumerate(zip(wanted, seen, strict=True))
            pairs = [(f"{where}[{i}]", *pair) for i, pair in items]
        else:
            return None if wanted == seen else f"{where or 'body'}: {wanted!r} was {seen!r}"
        found = (self.difference(one, other, place) for place, one, other in pairs)
        return next(filter(None, found), None)
