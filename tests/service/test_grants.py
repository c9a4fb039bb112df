"""The gazetteer, grants and PINs through the command line, beside a running server."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from sync_server.access.tablets import local_owner
from sync_server.storage.base import Origin, RevisionWrite
from sync_server.storage.sqlite import open_store
from tests.service.wire import Answer, Wire
from tests.serving import RunningServer


def ask(server: RunningServer, method: str, path: str, secret: str = "", body: str = "") -> Answer:
    """`secret`: `name:password`, or nothing."""
    pair = base64.b64encode(secret.encode()).decode()
    head = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    head += [f"Authorization: Basic {pair}"] if secret else []
    head += [f"Content-Length: {len(body)}", "", ""]
    with Wire(server) as wire:
        wire.send("\r\n".join(head).encode() + body.encode())
        return wire.answer()


def number(printed: str) -> str:
    found = re.search(r"Grant (\d+):", printed)
    assert found, printed
    return found[1]


# -- the gazetteer -----------------------------------------------------------------


def test_a_service_that_was_just_started_knows_the_places(server: RunningServer) -> None:
    printed = server.command("gazetteer", "status")
    assert "source\tcambodia-geo" in printed and "provinces\t25" in printed
    shown = server.command("gazetteer", "show", "020301")
    assert shown.splitlines()[0].startswith("02\tបាត់ដំបង\tBattambang")
    assert "  02030101\t" in shown


def test_a_deployers_own_file_is_imported_with_a_report(tmp_path: Path) -> None:
    with RunningServer(web_workers="1") as own:
        file, report = tmp_path / "own.csv", tmp_path / "report.csv"
        file.write_text(
            "code,name_km,name_latin\n02,បាត់ដំបង,Battambang\n0203,ថ្មគោល,Thma Koul\n"
            "020301,តា\u200bគាក់,Ta Kak\n20302,ជ្រោយ,Chrouy\n"
        )
        planned = own.command("gazetteer", "import", str(file), "--dry-run")
        assert "Would import own.csv" in planned
        assert "provinces\t25" in own.command("gazetteer", "status")
        done = own.command("gazetteer", "import", str(file), "--report", str(report))
        assert "1 provinces, 1 districts, 1 communes, 0 villages" in done
        assert "own.csv:5\t20302\tChrouy" in done
        lines = report.read_text("utf-8-sig").splitlines()
        assert [line.split(",")[1] for line in lines] == ["line", "4", "5"]
        assert "edition\town" in own.command("gazetteer", "status")
        own.account("sok", "password1", ["cew"], ["rushit"], ["020301"])
        file.write_text("code,name_km,name_latin\n03,ក,P\n")
        with pytest.raises(AssertionError, match=r"sok, cew of rushit\) in 020301"):
            own.command("gazetteer", "import", str(file))
        own.command("gazetteer", "import", str(file), "--force")
        own.restart()
        assert "provinces\t1" in own.command("gazetteer", "status")
        assert "provinces, 210" in own.command("gazetteer", "import", "--bundled")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("gazetteer", "import"), "--bundled"),
        (("gazetteer", "show", "999999"), "999999"),
        (("account", "add", "new", "--role", "cew", "--database", "rushit", "--area", "99"), "99"),
        (("grant", "give", "nobody", "cew", "rushit", "02"), "nobody"),
        (("grant", "give", "admin", "cew", "rushit", "02", "--from", "soon"), "2026-11-24"),
        (("grant", "end", "999"), "999"),
        (("grant", "transfer", "admin", "nobody", "rushit"), "nobody"),
        (("account", "reset-pin", "admin"), "admin"),
    ],
)
def test_what_cannot_be_done_is_said(
    server: RunningServer, arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(AssertionError, match=reason):
        server.command(*arguments)
    assert "new\t" not in server.command("account", "list")


# -- grants ------------------------------------------------------------------------


def test_a_grant_opens_the_database_and_is_listed_until_it_ends(server: RunningServer) -> None:
    server.command("database", "create", "granting")
    server.account("vuthy", "password1")
    assert ask(server, "GET", "/db/granting", "vuthy:password1").status == 403
    printed = server.command(
        "grant", "give", "vuthy", "cew", "granting", "020301", "--until", "2099-12-31"
    )
    assert "Battambang" in printed and "until 2100-01-01 00:00" in printed
    assert ask(server, "GET", "/db/granting", "vuthy:password1").status == 200
    listed = server.command("grant", "list", "--database", "granting", "--area", "0203")
    assert listed.startswith(f"{number(printed)}\tvuthy\tcew\tgranting\t020301\tBattambang")
    server.command("grant", "end", number(printed))
    assert server.command("grant", "list", "--account", "vuthy") == ""
    assert "until" in server.command("grant", "list", "--account", "vuthy", "--ended")


def test_an_area_is_handed_over_in_one_step_after_a_look_at_what_it_does(
    server: RunningServer,
) -> None:
    server.command("database", "create", "handover")
    for name, area in (("narin", "020301"), ("chenda", "020302")):
        server.account(name, "password1", ["cew"], ["handover"], [area])
    token = server.command("account", "token", "narin", "tablet-7").strip()
    checkpoint = "/db/handover/_local/checkpoint"
    assert ask(server, "PUT", checkpoint, f"narin:{token}", "{}").status == 201
    body = json.dumps({"device": "tablet-7", "device_seq": 31}).encode()
    writes = [RevisionWrite(f"household:{n}", None, body, area="020301") for n in range(5)]
    store = open_store(server.data_dir / "databases")
    database = store.database("handover")
    database.bulk_docs(
        writes, new_edits=True, origin=Origin("narin", "tablet-7", 1_795_000_000_000)
    )
    assert len(database.local_docs(local_owner("narin", "tablet-7"))) == 1
    store.close()

    shown = server.command("grant", "transfer", "narin", "chenda", "handover", "--preview")
    assert "Nothing was changed" in shown
    assert "narin gains 0 documents and loses 5" in shown
    assert "chenda gains 5 documents and loses 0" in shown
    assert re.search(
        r"tablet-7: its last sync .* came at 2026-11-\d\d \d\d:\d\d, its number 31", shown
    )
    assert "020301" in server.command("grant", "list", "--account", "narin")

    server.command("grant", "transfer", "narin", "chenda", "handover")
    assert server.command("grant", "list", "--account", "narin") == ""
    assert "\t020301\t" in server.command("grant", "list", "--account", "chenda")


# -- PINs --------------------------------------------------------------------------


def test_a_worker_signs_in_with_name_and_pin(server: RunningServer) -> None:
    server.account("sreymom", "password1", ["cew"], ["rushit"], ["020301"])
    pin = server.command("account", "reset-pin", "sreymom").rsplit(": ", 1)[1].strip()
    signed_in = ask(
        server, "POST", "/db/_session", "", json.dumps({"name": "sreymom", "password": pin})
    )
    assert signed_in.status == 200
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    with Wire(server) as wire:
        wire.send(f"GET /db/rushit HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
        assert wire.answer().status == 200
    with pytest.raises(AssertionError, match="PIN"):
        server.command("grant", "give", "sreymom", "coordinator", "rushit", "02")
    assert pin not in server.log()
