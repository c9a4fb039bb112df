"""The disk fills up: pushes are refused in words, and what was acknowledged stays.

A limit on the size of files (RLIMIT_FSIZE) stands for the full disk, since it can be set on
the running processes without any privilege: a write beyond it fails as on a full one.
"""

from __future__ import annotations

import resource
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from tests.faults.processes import processes
from tests.faults.pusher import missing, revision, unreadable
from tests.serving import RunningServer

ROOM = 300_000
"""Bytes that the largest file may still grow."""


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@contextmanager
def full_disk(server: RunningServer) -> Iterator[None]:
    """No file of the server grows beyond what its largest has now, and a little."""
    largest = max(p.stat().st_size for p in Path(server.data_dir).rglob("*") if p.is_file())
    _limit_files(server, largest + ROOM)
    yield
    _limit_files(server, resource.RLIM_INFINITY)


def _limit_files(server: RunningServer, size: int) -> None:
    for process in processes(server):
        process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def push(url: str, auth: tuple[str, str], doc_ids: list[str]) -> requests.Response:
    body = {"new_edits": False, "docs": [revision(doc_id) for doc_id in doc_ids]}
    return requests.post(f"{url}/_bulk_docs", json=body, auth=auth, timeout=60)


def test_a_full_disk_loses_nothing_and_the_push_goes_on_once_there_is_room(
    own_server: RunningServer,
) -> None:
    server = own_server
    url, auth = server.db_url(f"full-{uuid.uuid4().hex[:8]}"), server.admin
    requests.put(url, auth=auth, timeout=30).raise_for_status()
    batches = [[f"household:{n}:{i}" for i in range(100)] for n in range(60)]
    stored, refused = list[str](), list[list[str]]()
    with full_disk(server):
        for batch in batches:
            answer = push(url, auth, batch)
            if answer.status_code == 201:
                assert answer.json() == []
                stored += batch
            else:
                assert (answer.status_code, set(answer.json())) == (503, {"error", "reason"})
                refused.append(batch)
        assert stored and refused
        assert missing(url, auth, stored) == {}
        assert unreadable(url, auth, stored) == []
    for batch in refused:
        assert len(missing(url, auth, batch)) == len(batch), "a refused batch left nothing behind"
        assert push(url, auth, batch).status_code == 201
    server.restart()
    everything = [doc_id for batch in batches for doc_id in batch]
    assert missing(url, auth, everything) == {}
    assert unreadable(url, auth, everything) == []


def test_a_large_body_that_finds_no_room_while_it_arrives_is_refused_in_words(
    own_server: RunningServer,
) -> None:
    server = own_server
    url, auth = server.db_url(), server.admin
    document = {**revision("household:large"), "x": "y" * 4_000_000}
    body = {"new_edits": False, "docs": [document]}
    with full_disk(server):
        answer = requests.post(f"{url}/_bulk_docs", json=body, auth=auth, timeout=60)
        assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
        assert requests.get(url, auth=auth, timeout=60).status_code == 200
    answer = requests.post(f"{url}/_bulk_docs", json=body, auth=auth, timeout=60)
    assert (answer.status_code, answer.json()) == (201, [])


def test_an_attachment_that_finds_no_room_to_be_read_is_refused_in_words(
    own_server: RunningServer,
) -> None:
    server = own_server
    address, auth = server.db_url() + "/household:photo/large.jpg", server.admin
    photo = b"x" * 4_000_000
    requests.put(address, data=photo, auth=auth, timeout=60).raise_for_status()
    _limit_files(server, 2_000_000)
    answer = requests.get(address, auth=auth, timeout=60)
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    _limit_files(server, resource.RLIM_INFINITY)
    assert requests.get(address, auth=auth, timeout=60).content == photo


def test_a_database_that_finds_no_room_is_refused_in_words_and_made_later(
    own_server: RunningServer,
) -> None:
    server = own_server
    address, auth = server.url + "/db/roomless", server.admin
    _limit_files(server, 20_000)
    answer = requests.put(address, auth=auth, timeout=60)
    assert (answer.status_code, answer.json()["error"]) == (503, "service_unavailable")
    _limit_files(server, resource.RLIM_INFINITY)
    assert requests.get(address, auth=auth, timeout=60).status_code == 404
    assert requests.put(address, auth=auth, timeout=60).status_code == 201
