"""Where the wire tests run: the real service, or any CouchDB that COUCHDB_URL names.

`COUCHDB_URL=http://name:password@host:5984 ./scripts/test tests/conformance` runs what the
protocol itself promises against that CouchDB; what this service adds is marked `extension` and
left out there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.conformance.wire import Wire, WireDatabase, fresh_name
from tests.serving import RunningServer

COUCHDB_URL = os.environ.get("COUCHDB_URL", "")

MEMBERS_DATABASE = "wire-members"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "extension: what this service adds to, or decides otherwise than, CouchDB"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not COUCHDB_URL:
        return
    ours = [item for item in items if _is_ours(item)]
    config.hook.pytest_deselected(items=ours)
    items[:] = [item for item in items if item not in ours]


def _is_ours(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    own = {"server", "member", "limited", "limited_server"}
    return item.get_closest_marker("extension") is not None or not own.isdisjoint(fixtures)


@pytest.fixture(scope="session")
def wire(request: pytest.FixtureRequest) -> Wire:
    """An admin's requests."""
    if COUCHDB_URL:
        parts = urlsplit(COUCHDB_URL)
        root = f"{parts.scheme}://{parts.hostname}:{parts.port or 5984}{parts.path}"
        name, password = unquote(parts.username or ""), unquote(parts.password or "")
        return Wire(root, (name, password) if name else None)
    server: RunningServer = request.getfixturevalue("server")
    return Wire(server.url + "/db", server.admin)


@pytest.fixture(scope="session")
def anonymous(wire: Wire) -> Wire:
    return Wire(wire.root, None)


@pytest.fixture
def db(wire: Wire) -> Iterator[WireDatabase]:
    """An empty database, gone after the test. In one shard, so that changes have one order."""
    database = WireDatabase(wire, fresh_name())
    assert database.put("?q=1").status_code in (201, 202)
    yield database
    database.delete()


@pytest.fixture(scope="session")
def member(wire: Wire, server: RunningServer) -> Wire:
    """A tablet's account: a member of MEMBERS_DATABASE, and nothing more."""
    wire.put("/" + MEMBERS_DATABASE)
    account = server.account("cew", "a-cew-password", ("cew",), (MEMBERS_DATABASE,))
    return Wire(wire.root, account)


LIMITS = {
    "max_request_bytes": 200_000,
    "max_inflated_bytes": 2_000_000,
    "max_inflation": 20,
    "max_batch_documents": 50,
    "max_document_bytes": 20_000,
    "max_attachment_bytes": 30_000,
    "max_attachments": 3,
    "max_json_depth": 10,
    "max_revisions": 20,
    "max_live_leaves": 3,
    "max_leaves": 5,
    "max_local_documents": 3,
    "max_local_bytes": 2_000,
    "max_device_feeds": 2,
    "max_device_requests": 4,
    "max_device_documents": 10,
}


@pytest.fixture(scope="session")
def limited_server() -> Iterator[RunningServer]:
    """A service with small limits and a CORS origin."""
    settings: dict[str, Any] = {
        "web_workers": "1",
        "cors_origins": "https://tablet.example.org",
        **{name: str(value) for name, value in LIMITS.items()},
    }
    with RunningServer(**settings) as running:
        yield running


@pytest.fixture(scope="session")
def limited(limited_server: RunningServer) -> Wire:
    """An admin's requests to the service with small limits."""
    return Wire(limited_server.url + "/db", limited_server.admin)
