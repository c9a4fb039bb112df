"""What the tablets of these tests replicate with: our server, or any CouchDB to compare it to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import requests

from sync_server.demo.tablet import Remote


@dataclass(frozen=True)
class Peer:
    """A server's replication root and an account that may create databases there."""

    root: str
    """URL above the databases, without a slash at its end."""
    account: str | None = None
    password: str | None = None

    def remote(self, database: str) -> Remote:
        return Remote(f"{self.root}/{database}", self.account, self.password)

    def new_database(self) -> Remote:
        """An empty database under a name that no programme uses."""
        name = f"clients-{uuid.uuid4().hex[:12]}"
        self.request("PUT", name).raise_for_status()
        return self.remote(name)

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        auth = (self.account, self.password or "") if self.account else None
        return requests.request(method, f"{self.root}/{path}", auth=auth, timeout=30, **options)  # type: ignore[arg-type]
