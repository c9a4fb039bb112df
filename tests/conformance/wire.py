"""A client of the protocol that sends exactly what a test says."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import requests

A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
"""Revision ids, in the order of their strength."""


class Wire:
    """Requests below the root of the protocol, in the name of one account."""

    def __init__(self, root: str, auth: tuple[str, str] | None) -> None:
        self.root = root.rstrip("/")
        self.auth = auth
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = auth
        self.session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.root + path, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self("GET", path, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self("PUT", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self("POST", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self("DELETE", path, **options)

    def head_lines(self, method: str, path: str, **headers: str) -> bytes:
        """The head of a request as bytes, for tests that write to the socket themselves."""
        parts = urlsplit(self.root)
        request = requests.Request(method, self.root + path, auth=self.auth, headers=headers)
        prepared = request.prepare()
        prepared.headers.pop("Content-Length", None)
        prepared.headers.update(headers)
        lines = [f"{method} {parts.path}{path} HTTP/1.1", f"Host: {parts.netloc.split('@')[-1]}"]
        lines += [f"{name}: {value}" for name, value in prepared.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    @contextmanager
    def socket(self) -> Iterator[socket.socket]:
        parts = urlsplit(self.root)
        with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
            yield connection


class WireDatabase:
    """One database, with the operations that tests need all the time."""

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.name = name
        self.path = "/" + quote(name, safe="")

    def __call__(self, method: str, path: str = "", **options: Any) -> requests.Response:
        return self.wire(method, self.path + path, **options)

    def get(self, path: str = "", **options: Any) -> requests.Response:
        return self("GET", path, **options)

    def put(self, path: str = "", **options: Any) -> requests.Response:
        return self("PUT", path, **options)

    def post(self, path: str = "", **options: Any) -> requests.Response:
        return self("POST", path, **options)

    def delete(self, path: str = "", **options: Any) -> requests.Response:
        return self("DELETE", path, **options)

    def json(self, path: str = "", **params: Any) -> Any:
        response = self.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def save(self, doc_id: str, **members: Any) -> str:
        """PUT a document; answers its revision."""
        response = self.put("/" + quote(doc_id, safe=""), json=members)
        assert response.status_code in (200, 201), response.text
        return str(response.json()["rev"])

    def graft(self, *documents: dict[str, Any]) -> None:
        """Write revisions as a replicator does; all must be taken."""
        response = self.post("/_bulk_docs", json={"docs": documents, "new_edits": False})
        assert (response.status_code, response.json()) == (201, []), response.text

    def changes(self, **params: Any) -> Any:
        return self.json("/_changes", **params)

    def leaves(self, doc_id: str) -> list[str]:
        rows = self.json("/" + quote(doc_id, safe=""), open_revs="all")
        return [row["ok"]["_rev"] for row in rows]


def revision(doc_id: str, *ids: str, start: int = 0, **members: Any) -> dict[str, Any]:
    """A document as a replicator sends it: `ids` newest first."""
    start = start or len(ids)
    return {
        "_id": doc_id,
        "_rev": f"{start}-{ids[0]}",
        "_revisions": {"start": start, "ids": list(ids)},
        **members,
    }


def param(value: object) -> str:
    """The value as a JSON query parameter."""
    return json.dumps(value)


def fresh_name() -> str:
    return "wire-" + uuid.uuid4().hex[:16]
