"""Log lines are JSON objects, whoever writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sync_server.serving import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_both_kinds_of_logging_write_one_object_per_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("json", "info", lambda: "r-1")
    structlog.get_logger("a").info("started", workers=2)
    logging.getLogger("b").warning("odd %s", "thing")
    first, second = lines(capfd)
    assert (first["event"], first["workers"], first["level"]) == ("started", 2, "info")
    assert (second["event"], second["level"]) == ("odd thing", "warning")
    assert first["request_id"] == second["request_id"] == "r-1"


def test_an_exception_stays_within_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("b").exception("failed")
    (line,) = lines(capfd)
    assert "ValueError" in str(line["exception"])


def test_the_level_holds_back_what_lies_below(capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning")
    structlog.get_logger("a").info("too much")
    write(logs.RequestLog("json", "warning"))
    assert lines(capfd) == []


def test_a_request_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    write(logs.RequestLog("json", "info"), path="/db/x\r\ny" + "z" * 5000)
    (line,) = lines(capfd)
    assert (line["status"], line["ms"], line["account"]) == (200, 1.5, "sok")
    assert len(str(line["path"])) <= 300


def test_people_get_a_readable_line(capfd: pytest.CaptureFixture[str]) -> None:
    write(logs.RequestLog("console", "info"))
    assert "200 GET     /db/rushit" in capfd.readouterr().err


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_variables(capfd: pytest.CaptureFixture[str], log_format: str) -> None:
    logs.configure(log_format, "debug")
    try:
        verify("my-" + "password")
    except ValueError:
        logging.getLogger("b").exception("failed")
    printed = capfd.readouterr().err
    assert "ValueError" in printed and "verify" in printed
    assert "my-password" not in printed


def verify(password: str) -> None:
    raise ValueError("it broke")


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/db/rushit/_changes?since=0&token=sst_x", "/db/rushit/_changes"),
        ("http://sok:sst_x@host:5984/db/rushit?a", "/db/rushit"),
        ("http://sok:secret@host", "/"),
        ("/db/rushit/sst_AbC-d_e", "/db/rushit/…"),
        ("/db/sok:sst%5Fx/b", "/db/sok:…/b"),
        ("/api/enrol/7K3M-Q9TX-2FHA", "/api/enrol/…"),
        ("/api/enrol#code=7K3M-Q9TX-2FHA", "/api/enrol"),
        ("/db/rushit/household:1", "/db/rushit/household:1"),
        ("*", "/"),
    ],
)
def test_a_path_is_shown_without_what_may_be_secret(target: str, shown: str) -> None:
    assert logs.shown_path(target) == shown


def write(log: logs.RequestLog, path: str = "/db/rushit") -> None:
    log.write(
        request_id="r-1",
        method="GET",
        path=path,
        status=200,
        sent=10,
        seconds=0.0015,
        endpoint="database",
        account="sok",
    )
