"""Imports that the contracts in setup.cfg cannot see."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS = {"urllib.request", "http.client", "requests", "urllib3", "ibmcloudant"}
MAY_SEND_REQUESTS = ("sync_server/storage/couchdb", "sync_server/bench", "sync_server/demo")


def sources() -> Iterator[Path]:
    for package in ("conflict", "schemas", "sync_server"):
        found = (ROOT / package).rglob("*.py")
        yield from (path for path in found if "node_modules" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_service_sends_no_http_requests() -> None:
    senders = {
        str(path.relative_to(ROOT))
        for path in sources()
        if CLIENTS & set(imported(path))
        and not str(path.relative_to(ROOT)).startswith(MAY_SEND_REQUESTS)
    }
    assert senders == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = {
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    }
    assert silent == set()
