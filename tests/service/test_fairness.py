"""A tablet that sends more than its share holds up itself, and nobody else.

What is counted is the order in which the server stored things, which its update sequences tell.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sync_server.demo.tablet import eventually
from tests.serving import RunningServer

DATABASE = "flood"
"""None that intake follows: it would write in between."""

PUSHES = 50
SYNCS = 4
DOCUMENTS = 300


@pytest.fixture
def one_worker() -> Iterator[RunningServer]:
    """One web process, so that all requests meet in it; room for the whole flood to wait."""
    with RunningServer(web_workers="1", max_device_requests="64") as running:
        url = running.db_url(DATABASE)
        requests.put(url, auth=running.admin, timeout=60).raise_for_status()
        yield running


def signed_in(server: RunningServer, name: str) -> dict[str, str]:
    """The headers of a tablet of an account of its own."""
    server.account(name, "a-cew-password", ("cew",), (DATABASE,))
    token = server.command("account", "token", name, f"tablet-{name}").strip()
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def large_push(number: int) -> bytes:
    docs = [
        {
            "_id": f"visit:heavy-{number:02}-{n}",
            "_rev": f"1-{secrets.token_hex(16)}",
            "type": "visit",
            "text": "x" * 3000,
        }
        for n in range(DOCUMENTS)
    ]
    return json.dumps({"docs": docs, "new_edits": False}).encode()


def flood(server: RunningServer, headers: dict[str, str], stack: ExitStack) -> list[socket.socket]:
    """Connections on which a large push has arrived but for its last byte."""
    target = urlsplit(server.url)
    opened = []
    for number in range(PUSHES):
        body = large_push(number)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /db/flood/_bulk_docs HTTP/1.1", "Host: x", *lines]
        connection = socket.create_connection((target.hostname, target.port), timeout=120)
        stack.enter_context(connection)
        text = "\r\n".join([*head, f"Content-Length: {len(body)}"]) + "\r\n\r\n"
        connection.sendall(text.encode() + body[:-1])
        opened.append(connection)
    return opened


def stored_order(server: RunningServer) -> list[str]:
    """Whose writes followed one another: each push of the flood once, `other` for the others."""
    changes = requests.get(
        server.db_url(DATABASE) + "/_changes", auth=server.admin, timeout=60
    ).json()
    order: list[str] = []
    for row in changes["results"]:
        writer = row["id"].rpartition("-")[0] if "heavy" in row["id"] else "other"
        if writer == "other" or writer not in order:
            order.append(writer)
    return order


def test_others_are_served_between_the_pushes_of_a_tablet_that_floods(
    one_worker: RunningServer,
) -> None:
    heavy, other = signed_in(one_worker, "heavy"), signed_in(one_worker, "other")
    session = requests.Session()
    session.headers.update(other)

    def sync(number: int) -> None:
        for method, path, body in other_sync(number):
            answer = session.request(
                method, one_worker.db_url(DATABASE) + path, json=body, timeout=120
            )
            assert answer.status_code in (200, 201), answer.text

    sync(0)
    with ExitStack() as stack:
        connections = flood(one_worker, heavy, stack)
        for connection in connections:
            connection.sendall(b"}")
        for number in range(1, SYNCS):
            sync(number)
        for connection in connections:
            assert connection.recv(12) == b"HTTP/1.1 201"
    order = stored_order(one_worker)
    assert len(order) == SYNCS + PUSHES
    places = [place for place, writer in enumerate(order) if writer == "other"]
    pushes_between = [b - a - 1 for a, b in zip(places, places[1:], strict=False)]
    # A sync is read from its socket five times (two of its three requests have a body), and each
    # time the loop goes round twice at most, with the two pushes whose turn it is.
    assert max(pushes_between) <= 5 * 2 * 2


def other_sync(number: int) -> list[tuple[str, str, dict[str, Any] | None]]:
    rev = f"1-{secrets.token_hex(16)}"
    doc = {"_id": f"visit:other-{number}", "_rev": rev, "type": "visit"}
    return [
        ("GET", "", None),
        ("POST", "/_revs_diff", {doc["_id"]: [doc["_rev"]]}),
        ("POST", "/_bulk_docs", {"docs": [doc], "new_edits": False}),
    ]


def test_a_flood_that_breaks_off_leaves_no_turn_taken(one_worker: RunningServer) -> None:
    heavy = signed_in(one_worker, "heavy")
    for _ in range(3):
        with ExitStack() as stack:
            connections = flood(one_worker, heavy, stack)
            for connection in connections[::2]:
                connection.sendall(b"}")

    def is_served() -> bool:
        """Those that were sent whole come first: until then the tablet is told to come again."""
        answer = requests.get(one_worker.db_url(DATABASE), headers=heavy, timeout=60)
        return answer.status_code == 200

    eventually(is_served, what="a turn after the flood")


def test_answers_that_nobody_reads_take_no_turn(one_worker: RunningServer) -> None:
    """Their bytes fill the connection and stay there: the tablet has lost its network."""
    heavy = signed_in(one_worker, "heavy")
    docs = [{"_id": f"visit:{n}", "type": "visit", "text": "x" * 30_000} for n in range(200)]
    url = one_worker.db_url(DATABASE)
    stored = requests.post(f"{url}/_bulk_docs", json={"docs": docs}, headers=heavy, timeout=60)
    assert stored.status_code == 201
    with ExitStack() as stack:
        for _ in range(10):
            connection = _unread(one_worker, heavy, stack)
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert requests.get(url, headers=heavy, timeout=60).status_code == 200


def _unread(server: RunningServer, headers: dict[str, str], stack: ExitStack) -> socket.socket:
    target = urlsplit(server.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((target.hostname, target.port))
    stack.enter_context(connection)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.sendall(
        f"GET /db/flood/_changes?include_docs=true HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()
    )
    return connection
