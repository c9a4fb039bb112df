"""What stock tablets do with the answers that limits give: the rest of their work goes on."""

from __future__ import annotations

import base64
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sync_server.demo.tablet import Remote, Tablet, eventually
from tests.clients.peer import Peer
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]

RELEASES = pytest.mark.parametrize("release", [9, 7])

PASSWORD = "password-of-a-worker"

ROOM = 2
"""Requests that a device may have open."""


@pytest.fixture(scope="module")
def narrow() -> Iterator[RunningServer]:
    with RunningServer(
        web_workers="1",
        max_document_bytes="20000",
        max_json_depth="10",
        max_live_leaves="3",
        max_device_requests=str(ROOM),
    ) as running:
        yield running


@pytest.fixture
def narrow_remote(narrow: RunningServer) -> Remote:
    """A new database, for a worker who sees all of it."""
    peer = Peer(f"{narrow.url}/db", *narrow.admin)
    remote = peer.new_database()
    name = f"sok-{secrets.token_hex(4)}"
    narrow.account(name, PASSWORD, ("cew",), (remote.url.rpartition("/")[2],))
    return Remote(remote.url, name, PASSWORD)


def visit(name: str, **members: Any) -> dict[str, Any]:
    return {"_id": f"visit:{name}", "type": "visit", **members}


def told_of(tablet: Tablet) -> dict[str, str]:
    """Why documents were refused, by their ids, as notices on the tablet say it."""
    found = [tablet.find(doc_id) for doc_id in tablet.state() if doc_id.startswith("notice:")]
    return {doc["document"]: doc["reason"] for doc in found if doc is not None}


def visits_at(remote: Remote, tablet: Tablet) -> dict[str, Any]:
    """The visits that are stored; beside them stand notices of those that are not."""
    state = tablet.remote_state(remote)
    return {doc_id: one for doc_id, one in state.items() if doc_id.startswith("visit:")}


def bulk_docs_of(tablet: Tablet) -> int:
    return sum(request["path"].endswith("/_bulk_docs") for request in tablet.requests())


@RELEASES
def test_a_document_over_a_limit_does_not_hold_up_the_others(
    tablet: MakeTablet, narrow_remote: Remote, release: int
) -> None:
    one = tablet(release)
    one.bulk([visit(f"{n:03}", n=n) for n in range(30)])
    one.put(visit("007-large", text="x" * 20_000))
    one.put(visit("011-deep", a=[[[[[[[[[[1]]]]]]]]]]))
    one.put(visit("013-number", n=2.0**70))
    one.put(visit("014-number", n=2**65))
    one.put(visit("015-half", text="x\ud83d"))
    pushed = one.push(narrow_remote, batch_size=10)
    assert (pushed["docs_written"], pushed["doc_write_failures"]) == (31, 4)
    assert {error["name"] for error in pushed["errors"]} == {"forbidden"}
    stored = visits_at(narrow_remote, one)
    assert "visit:013-number" in stored  # 1.180591620717411e+21: no integer
    assert len(stored) == 31
    one.requests()
    one.put(visit("later"))
    assert one.push(narrow_remote)["docs_written"] == 1
    assert bulk_docs_of(one) == 1
    one.pull(narrow_remote)
    assert told_of(one) == {
        "visit:007-large": "document_bytes",
        "visit:011-deep": "depth",
        "visit:014-number": "integers",
        "visit:015-half": "text",
    }


def test_an_admin_adopts_what_was_too_large_but_nothing_that_cannot_be_stored_as_it_was_sent(
    tablet: MakeTablet, narrow: RunningServer, narrow_remote: Remote
) -> None:
    one, name = tablet(), narrow_remote.url.rpartition("/")[2]
    one.put(visit("large", text="x" * 20_000))
    one.put(visit("number", n=2**65))
    one.put(visit("half", text="x\ud83d"))
    one.push(narrow_remote)
    root = f"{narrow.url}/api/{name}/quarantine"
    page = requests.get(root, auth=narrow.admin, timeout=60).json()["entries"]
    answers = {
        entry["doc_id"]: requests.post(
            f"{root}/{entry['number']}/adopt", json={}, auth=narrow.admin, timeout=60
        )
        for entry in page
    }
    assert answers["visit:large"].status_code == 200
    for doc_id in ("visit:number", "visit:half"):
        assert answers[doc_id].status_code == 400
        assert "return it to its author" in answers[doc_id].text
    one.pull(narrow_remote)
    assert one.get("visit:large")["text"] == "x" * 20_000
    assert told_of(one) == {"visit:number": "integers", "visit:half": "text"}
    assert len(visits_at(narrow_remote, one)) == 1


@RELEASES
def test_a_branch_too_many_does_not_hold_up_the_others(
    tablet: MakeTablet, narrow_remote: Remote, release: int
) -> None:
    one = tablet(release)
    one.bulk(
        [visit("d", _rev=f"1-{n:032x}", n=n) for n in range(5)]
        + [visit("other", _rev=f"1-{0:032x}")],
        new_edits=False,
    )
    pushed = one.push(narrow_remote)
    assert {error["name"] for error in pushed["errors"]} == {"forbidden"}
    stored = visits_at(narrow_remote, one)
    assert set(stored) == {"visit:d", "visit:other"}
    assert len(stored["visit:d"]["leaves"]) == 3


def unfinished_push(remote: Remote) -> socket.socket:
    """A request of the same account whose body lacks its last byte."""
    target = urlsplit(remote.url)
    pair = base64.b64encode(f"{remote.account}:{remote.password}".encode()).decode()
    connection = socket.create_connection((target.hostname, target.port), timeout=30)
    connection.sendall(
        f"POST {target.path}/_bulk_docs HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n"
        'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"docs":[]'.encode()
    )
    return connection


@RELEASES
def test_a_tablet_that_was_sent_away_comes_again_by_itself(
    tablet: MakeTablet, narrow_remote: Remote, release: int
) -> None:
    one = tablet(release)
    one.bulk([visit(str(n)) for n in range(20)])
    others = [unfinished_push(narrow_remote) for _ in range(ROOM)]
    one.live_start(narrow_remote, "push", retry=True)
    eventually(lambda: one.live_status()["state"] == "waiting", what="a refusal")
    for connection in others:
        connection.sendall(b"}")
        assert connection.recv(20).startswith(b"HTTP/1.1 201")
        connection.close()
    eventually(lambda: len(visits_at(narrow_remote, one)) == 20, what="the push")
    assert one.live_stop()["denied"] == 0
