"""Every setting, error, command, metric and route is described where its reader looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
from prometheus_client import Counter, Histogram

from sync_server import cli, errors
from sync_server.app import create_app
from sync_server.metrics import Metrics
from sync_server.settings import Settings

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

_CONVERTER = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


@pytest.mark.parametrize("setting", [setting.name for setting in fields(Settings)])
def test_every_setting_is_in_operations(setting: str) -> None:
    assert f"| `{setting}` |" in OPERATIONS


def test_every_setting_says_what_it_is_for() -> None:
    assert all(setting.metadata["help"].endswith(".") for setting in fields(Settings))


def error_classes(
    base: type[errors.SyncError] = errors.SyncError,
) -> Iterator[type[errors.SyncError]]:
    yield base
    for below in base.__subclasses__():
        yield from error_classes(below)


@pytest.mark.parametrize("error", [error.__name__ for error in error_classes()])
def test_every_error_is_in_operations(error: str) -> None:
    kind = getattr(errors, error)
    assert f"| {kind.status} | `{kind.error}` | `{error}` |" in OPERATIONS


def commands(group: click.Group, path: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


@pytest.mark.parametrize("command", list(commands(cli.main)))
def test_every_command_is_in_operations(command: str) -> None:
    group, _, name = command.partition(" ")
    assert re.search(rf"sync-server {group}( |\n)(\S*\b{name}\b)?", OPERATIONS)


def test_every_metric_is_in_operations() -> None:
    for metric in vars(Metrics()).values():
        if isinstance(metric, Counter | Histogram):
            assert metric.describe()[0].name in OPERATIONS


def routes(folder: Path) -> set[str]:
    app = create_app(Settings(data_dir=folder))
    return {_CONVERTER.sub(r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}


def test_every_route_is_documented(tmp_path: Path) -> None:
    pages = "".join(
        (ROOT / "docs" / name).read_text()
        for name in ("operations.md", "protocol.md", "api.md")
        if (ROOT / "docs" / name).exists()
    )
    # A page names the last part of an address; what stands before it names the resource.
    missing = {route for route in routes(tmp_path) if _last_part(route) not in pages}
    assert missing == set()


def _last_part(route: str) -> str:
    named = [part for part in route.split("/") if part and not part.startswith("{")]
    return named[-1] if named else "/"
