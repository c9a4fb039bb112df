"""docs/protocol.md names every endpoint, and every wire test under its rule."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from sync_server import replication
from sync_server.replication.routing import RawPathFlask

pytestmark = pytest.mark.extension

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parents[1] / "docs" / "protocol.md").read_text()


def wire_tests() -> set[str]:
    names = set()
    for file in FOLDER.glob("test_*.py"):
        if file != Path(__file__):
            names |= {
                node.name
                for node in ast.parse(file.read_text()).body
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
            }
    return names


def test_every_wire_test_stands_on_the_page_and_every_test_named_there_exists() -> None:
    assert set(re.findall(r"`(test_\w+)`", PAGE)) == wire_tests()


def routes() -> set[str]:
    """Addresses below `/db`, with their variable parts as the page writes them."""
    app: Flask = RawPathFlask("documentation", static_folder=None)
    for concept in replication.CONCEPTS:
        app.register_blueprint(concept.blueprint, url_prefix="/db")
    written = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule.removeprefix("/db").replace(
            "/_design/<docid:design>", "/<docid:doc_id>", 1
        )
        path = path.replace("<db:name>", "<db>").replace("<docid:doc_id>", "<doc>")
        path = path.replace("<docid:local_id>", "<id>").replace("<attname:attachment>", "<name>")
        written.add(re.sub(r"/<attname:rest>$", "", path))
    return written


def test_every_address_stands_on_the_page() -> None:
    short = {path for path in routes() if not path.startswith("/<db>/<doc>/_")}
    design = {path.rpartition("/")[2] for path in routes() if path.startswith("/<db>/<doc>/_")}
    missing = {path for path in short if f"`{path}`" not in PAGE}
    missing -= {"/<db>/_local/<id>/<name>"}  # Refused: no attachments there.
    assert missing | {name for name in design if f"/{name}`" not in PAGE} == set()
