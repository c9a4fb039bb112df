"""Requests and answers that are larger than memory should hold, or hold on to."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sync_server.bench.processes import proportional_memory
from tests.serving import RunningServer

MIB = 1024 * 1024
DOCUMENTS = 400
CLIENTS = 10


@pytest.fixture(scope="module")
def filled() -> Iterator[RunningServer]:
    """A service whose database holds 40 MiB."""
    with RunningServer(web_workers="1") as server:
        for start in range(0, DOCUMENTS, 50):
            docs = [{"_id": f"d{n}", "x": "y" * 100_000} for n in range(start, start + 50)]
            _post(server, "/_bulk_docs", {"docs": docs}).raise_for_status()
        yield server


def _post(server: RunningServer, path: str, body: object) -> requests.Response:
    return requests.post(server.db_url() + path, json=body, auth=server.admin, timeout=60)


def _memory(server: RunningServer) -> int:
    return proportional_memory([process.pid for process in server.children()], Path("/proc"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_all_docs?include_docs=true", None),
        ("/_all_docs?include_docs=true", {"keys": [f"d{n}" for n in range(DOCUMENTS)]}),
        ("/_changes?include_docs=true", None),
        ("/_changes?include_docs=true&descending=true", None),
        ("/_changes?include_docs=true&feed=continuous", None),
        ("/_bulk_get", {"docs": [{"id": f"d{n}"} for n in range(DOCUMENTS)]}),
        ("/_bulk_get", {"docs": [{"id": "d0"}] * 1000}),
    ],
)
def test_clients_that_do_not_read_take_little_memory(
    filled: RunningServer, path: str, body: object
) -> None:
    before = _memory(filled)
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            client = stack.enter_context(_asking(filled, path, body))
            assert client.recv(12) == b"HTTP/1.1 200"
        up = requests.get(filled.url + "/db/_up", timeout=60)
        assert up.status_code == 200
        assert _memory(filled) - before < CLIENTS * 15 * MIB


def _asking(server: RunningServer, path: str, body: object) -> socket.socket:
    """A client that has asked, and whose window is nearly closed."""
    address = urlsplit(server.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect((address.hostname, address.port))
    raw = b"" if body is None else json.dumps(body).encode()
    credentials = b64encode(":".join(server.admin).encode()).decode()
    client.sendall(
        f"{'POST' if raw else 'GET'} /db/rushit{path} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Basic {credentials}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(raw)}\r\n\r\n".encode()
        + raw
    )
    return client


def test_a_large_answer_is_whole(filled: RunningServer) -> None:
    for path in ("/_all_docs?include_docs=true", "/_changes?include_docs=true"):
        answer = requests.get(filled.db_url() + path, auth=filled.admin, timeout=60)
        rows = answer.json()["rows" if "all_docs" in path else "results"]
        assert {row["doc"]["_id"] for row in rows} == {f"d{n}" for n in range(DOCUMENTS)}
    wanted = {"docs": [{"id": f"d{n}"} for n in range(DOCUMENTS)]}
    results = _post(filled, "/_bulk_get", wanted).json()["results"]
    assert [row["docs"][0]["ok"]["_id"] for row in results] == [f"d{n}" for n in range(DOCUMENTS)]


def test_a_large_push_gives_back_the_memory_it_took(filled: RunningServer) -> None:
    small = [{"_id": f"small{n}", "x": "y" * 2000} for n in range(10_000)]
    before = _memory(filled)
    for _ in range(2):  # the second time each is a conflict
        assert _post(filled, "/_bulk_docs", {"docs": small}).status_code == 201
        assert _memory(filled) - before < 80 * MIB
