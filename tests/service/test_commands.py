"""The command line changes what a running server does, at once."""

from __future__ import annotations

import base64
import shutil
from typing import Any

import pytest
import requests

from tests.service.wire import Wire
from tests.serving import RunningServer


def status(server: RunningServer, path: str, name: str, secret: str) -> int:
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    with Wire(server) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n\r\n".encode())
        return wire.answer().status


def test_an_account_lives_from_add_to_disable(server: RunningServer) -> None:
    server.command("database", "create", "commands")
    server.account("dara", "password1")
    assert status(server, "/db/commands", "dara", "password1") == 403
    server.command("member", "add", "dara", "commands")
    assert status(server, "/db/commands", "dara", "password1") == 200
    token = server.command("account", "token", "dara", "tablet-7").strip()
    assert status(server, "/db/commands", "dara", token) == 200
    server.command("account", "token", "dara", "tablet-7", "--revoke")
    assert status(server, "/db/commands", "dara", token) == 401
    server.command("account", "set-password", "dara", "--password-stdin", stdin="password2\n")
    assert status(server, "/db/commands", "dara", "password1") == 401
    assert status(server, "/db/commands", "dara", "password2") == 200
    server.command("member", "remove", "dara", "commands")
    assert status(server, "/db/commands", "dara", "password2") == 403
    server.command("account", "disable", "dara")
    assert status(server, "/db/commands", "dara", "password2") == 401
    assert "dara\t-\t-\t-" in server.command("account", "list")
    server.command("account", "disable", "dara", "--undo")
    assert status(server, "/db/commands", "dara", "password2") == 403


def test_a_password_may_be_made_up(server: RunningServer) -> None:
    printed = server.command(
        "account", "add", "phal", "--role", "replicator", "--database", "rushit"
    )
    password = printed.rsplit(": ", 1)[1].strip()
    assert status(server, "/db/rushit", "phal", password) == 200


def test_a_deleted_database_takes_its_memberships_along(server: RunningServer) -> None:
    server.command("database", "create", "passing")
    server.account("vanna", "password1", ["replicator"], databases=["passing"])
    server.command("database", "delete", "passing", "--yes")
    server.command("database", "create", "passing")
    assert status(server, "/db/passing", "vanna", "password1") == 403


def test_databases_are_listed_and_compacted(server: RunningServer) -> None:
    assert "rushit\t" in server.command("database", "list")
    assert "rushit\t" in server.command("compact", "rushit")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("account", "add", "x y"), "account name"),
        (("account", "add", "sok", "--role", "emperor"), "emperor"),
        (("account", "add", "sok", "--database", "nowhere"), "does not exist"),
        (("member", "add", "nobody", "rushit"), "nobody"),
        (("member", "add", "admin", "nowhere"), "does not exist"),
        (("database", "create", "Bad"), "database name"),
        (("compact", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(
    server: RunningServer, arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        server.command(*arguments)


def test_after_a_restore_no_client_passes_over_what_is_new(own_server: RunningServer) -> None:
    server = own_server
    _save(server, "kept")
    server.stop()
    backup = server.data_dir.with_name(server.data_dir.name + ".backup")
    shutil.copytree(server.data_dir, backup)
    try:
        server.start()
        _save(server, "lost-with-the-disk")
        reached = _changes(server, "0")["last_seq"]
        server.stop()
        shutil.rmtree(server.data_dir)
        shutil.copytree(backup, server.data_dir)
    finally:
        shutil.rmtree(backup)
    server.command("database", "restored", "rushit")
    server.start()
    _save(server, "new")
    rows = _changes(server, reached)["results"]
    assert {row["id"] for row in rows} == {"kept", "new"}


def _save(server: RunningServer, doc_id: str) -> None:
    address = f"{server.db_url()}/{doc_id}"
    requests.put(address, json={}, auth=server.admin, timeout=60).raise_for_status()


def _changes(server: RunningServer, since: str) -> Any:
    address = f"{server.db_url()}/_changes"
    found = requests.get(address, params={"since": since}, auth=server.admin, timeout=60).json()
    return found
