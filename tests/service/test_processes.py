"""The processes of the service: started, watched, and ended together."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from sync_server.storage.sqlite.schema import MIGRATIONS
from tests.service.wire import Wire
from tests.serving import RunningServer, has_ended

FIRST_SCHEMA = Path(__file__).parents[1] / "unit" / "first_schema.sql"


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def ended(family: list[psutil.Process]) -> bool:
    """Once the supervisor is gone, what it started is, but for being collected by init."""
    return eventually(lambda: all(has_ended(process) for process in family), seconds=5)


def running(server: RunningServer, module: str) -> list[psutil.Process]:
    return [child for child in server.children() if module in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return ""


def healthy(server: RunningServer) -> bool:
    try:
        with urllib.request.urlopen(server.url + "/healthz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def longpoll(server: RunningServer, stack: ExitStack) -> Wire:
    wire = stack.enter_context(Wire(server))
    wire.send(b"GET /db/rushit/_changes?feed=longpoll&since=now&heartbeat=30000 HTTP/1.1\r\n")
    wire.send(wire.signed_in + b"\r\n")
    assert wire.head()[0] == 200
    return wire


def test_it_ends_with_feeds_open(own_server: RunningServer) -> None:
    with ExitStack() as stack:
        feeds = [longpoll(own_server, stack) for _ in range(20)]
        idle = stack.enter_context(Wire(own_server))
        assert idle.request("GET /db/").status == 200
        family = own_server.children()
        assert own_server.stop() == 0
        assert ended(family)
        assert all(b"last_seq" in feed.file.read() for feed in feeds)
        assert idle.closed()


def test_ctrl_c_ends_it_too(own_server: RunningServer) -> None:
    family = own_server.children()
    os.kill(own_server.pid, signal.SIGINT)
    assert own_server.stop() == 0
    assert ended(family)


def test_children_do_not_outlive_a_killed_supervisor(own_server: RunningServer) -> None:
    # gunicorn's master, two web workers, the worker
    assert eventually(lambda: len(own_server.children()) == 4)
    family = own_server.children()
    os.kill(own_server.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    own_server.kill()
    own_server.start()
    assert healthy(own_server)


def test_a_folder_is_served_once(own_server: RunningServer) -> None:
    with pytest.raises(AssertionError, match="Another service runs"):
        own_server.command("serve", "--bind", "127.0.0.1:0")
    assert healthy(own_server)


def test_a_killed_worker_is_started_again(own_server: RunningServer) -> None:
    (worker,) = running(own_server, "serving.worker")
    worker.kill()
    assert eventually(
        lambda: any(other.pid != worker.pid for other in running(own_server, "serving.worker"))
    )
    assert healthy(own_server)


def test_a_killed_web_process_is_started_again(own_server: RunningServer) -> None:
    web = running(own_server, "serving.web")
    master = next(process for process in web if process.ppid() == own_server.pid)
    next(process for process in web if process.ppid() == master.pid).kill()
    assert eventually(lambda: len(running(own_server, "serving.web")) == 3)
    assert healthy(own_server)


def test_clients_wait_while_the_web_master_is_replaced(own_server: RunningServer) -> None:
    web = running(own_server, "serving.web")
    master = next(process for process in web if process.ppid() == own_server.pid)
    master.kill()
    psutil.wait_procs(web, timeout=30)
    assert healthy(own_server)


def test_restarting_keeps_address_sessions_and_secret(own_server: RunningServer) -> None:
    url = own_server.url
    with Wire(own_server) as wire:
        uuid = wire.request("GET /db/").json()["uuid"]
    own_server.restart()
    assert own_server.url == url
    with Wire(own_server) as wire:
        assert wire.request("GET /db/").json()["uuid"] == uuid
        assert wire.request("GET /db/rushit").status == 200


def test_the_secret_of_the_first_admin_is_shown_once(own_server: RunningServer) -> None:
    from dataclasses import replace

    from sync_server.parts import open_parts
    from sync_server.serving.prepare import prepare
    from sync_server.settings import Settings

    settings = replace(Settings(), data_dir=own_server.data_dir / "other")
    parts = open_parts(settings)
    secret = prepare(parts, None)
    assert secret is not None
    assert prepare(parts, None) is None
    record = parts.accounts.find("admin")
    assert record is not None
    assert record.account.is_admin
    parts.close()


def test_logs_name_the_request_and_never_a_secret(own_server: RunningServer) -> None:
    with Wire(own_server) as wire:
        wire.request("GET /db/rushit?token=sst_hidden", b"X-Request-Id: look-for-me\r\n")
        secret = wire.signed_in.split()[-1].decode()
    assert eventually(lambda: "look-for-me" in own_server.log())
    lines = [json.loads(line) for line in own_server.log().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "look-for-me"]
    assert (line["path"], line["status"], line["account"]) == ("/db/rushit", 200, "admin")
    assert "sst_hidden" not in own_server.log()
    assert secret not in own_server.log()
    assert own_server.admin[1] not in own_server.log()


def test_metrics_add_up_over_processes(own_server: RunningServer) -> None:
    for _ in range(10):
        with Wire(own_server) as wire:
            wire.request("GET /db/rushit")
    # A request is counted once its answer has been sent.
    assert eventually(lambda: counted(own_server) == 10)


def counted(server: RunningServer) -> float:
    """Requests for a database's state that were answered with 200, by `/metrics`."""
    with Wire(server) as wire:
        text = wire.request("GET /metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith("sync_requests_total")]
    matching = [line for line in lines if 'status="200"' in line and "database" in line]
    return sum(float(line.split()[-1]) for line in matching)


def test_metrics_may_be_kept_to_admins() -> None:
    with RunningServer(public_metrics="false", web_workers="1") as server, Wire(server) as wire:
        assert wire.request("GET /metrics").status == 200
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().status == 401


def test_clients_that_leave_a_feed_are_no_error_in_the_log(own_server: RunningServer) -> None:
    for _ in range(3):
        with Wire(own_server) as wire:
            line = b"GET /db/rushit/_changes?feed=continuous&since=now&heartbeat=50 HTTP/1.1"
            wire.send(line + b"\r\n" + wire.signed_in + b"\r\n")
            assert wire.head()[0] == 200
    # Heartbeats have met the closed connections by then, and more than once.
    time.sleep(0.5)
    assert own_server.stop() == 0
    assert '"level":"error"' not in own_server.log()
    assert "Traceback" not in own_server.log()


def test_files_of_an_older_release_are_up_to_date_before_anybody_asks(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "databases"
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "zones.couch.sqlite3")
    connection.executescript(FIRST_SCHEMA.read_text("utf-8"))
    connection.execute("PRAGMA journal_mode = WAL")
    with RunningServer(tmp_path / "data"):
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()
