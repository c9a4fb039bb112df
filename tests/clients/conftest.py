"""Tablets for the tests: one Node process per module, a new database for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest

from sync_server.demo.node import ensure_modules, program
from sync_server.demo.tablet import Remote, Tablet, TabletHost
from tests.clients.peer import Peer

FOLDER = Path(__file__).parent
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def modules() -> Path:
    return ensure_modules(FOLDER)


@pytest.fixture(scope="module")
def host(modules: Path) -> Iterator[TabletHost]:
    with TabletHost(modules, program("node")) as running:
        yield running


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest) -> Peer:
    """Our own server, or the CouchDB at `COUCHDB_URL` (with its credentials in the URL)."""
    if url := os.environ.get("COUCHDB_URL"):
        parts = urlsplit(url)
        place = f"{parts.hostname}:{parts.port or 5984}"
        root = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
        return Peer(root, parts.username and unquote(parts.username), parts.password)
    server = request.getfixturevalue("server")
    return Peer(f"{server.url}/db", *server.admin)


@pytest.fixture
def remote(peer: Peer) -> Remote:
    return peer.new_database()


@pytest.fixture
def tablet(host: TabletHost) -> Iterator[Callable[..., Tablet]]:
    """Make tablets: `tablet()` is a PouchDB 9, `tablet(release=7)` an older one."""
    made: list[Tablet] = []

    def make(release: int = 9) -> Tablet:
        made.append(host.tablet(f"tablet-{next(_numbers)}", release=release))
        return made[-1]

    yield make
    for one in made:
        one.destroy()
