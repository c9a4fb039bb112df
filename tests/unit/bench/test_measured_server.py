"""What the benchmarks do holds against the real service: nothing is timed here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_server.bench.clients import ClientError, Clients
from sync_server.bench.http import Connection
from sync_server.bench.longpolls import Longpolls, poll_request
from sync_server.bench.peers import Peer, sync_server
from sync_server.bench.processes import family, proportional_memory
from sync_server.bench.replication import Idle, Pull, Push
from sync_server.bench.traffic import Tablet, TrafficError, idle_sync, pull

COUNT = 230
"""Two full batches and a part of one."""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with sync_server(tmp_path_factory.mktemp("measured")) as running:
        yield running


@pytest.fixture
def database(peer: Peer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that holds `COUNT` households."""
    name = f"bench-{abs(hash(request.node.name))}"
    peer.create(name)
    Push(peer, name, "push", COUNT, seed=1).prepare()()
    yield name
    peer.delete(name)


def test_what_was_pushed_is_pulled(peer: Peer, database: str) -> None:
    assert Pull(peer, database, "pull", COUNT).prepare()().units == COUNT


def test_a_compressed_pull_brings_the_same(peer: Peer, database: str) -> None:
    assert Pull(peer.accepting("gzip"), database, "gzip", COUNT).prepare()().units == COUNT


def test_a_sync_after_a_pull_finds_nothing(peer: Peer, database: str) -> None:
    assert Idle(peer, database, "idle", 3).prepare()().units == 3


def test_a_pull_that_misses_documents_is_no_result(peer: Peer, database: str) -> None:
    with Connection(peer.endpoint) as connection, pytest.raises(TrafficError):
        pull(Tablet(connection, peer.database(database), "x"), expected=COUNT + 1)


def test_an_idle_sync_that_finds_changes_is_no_result(peer: Peer, database: str) -> None:
    with Connection(peer.endpoint) as connection:
        tablet = Tablet(connection, peer.database(database), "behind")
        tablet.write_checkpoint(0)
        with pytest.raises(TrafficError):
            idle_sync(tablet, 0)


def test_several_clients_run_side_by_side(peer: Peer, database: str) -> None:
    with Clients(2) as clients:
        laps = clients.run([Pull(peer, database, f"client{n}", COUNT) for n in range(2)])
    assert [lap.units for lap in laps] == [COUNT, COUNT]


def test_a_client_that_fails_is_reported_from_its_own_process(peer: Peer) -> None:
    with Clients(1) as clients, pytest.raises(ClientError, match="TrafficError"):
        clients.run([Pull(peer, "nowhere", "client", COUNT)])


def test_longpolls_sleep_until_a_write_and_then_bring_it(peer: Peer, database: str) -> None:
    polls = Longpolls()
    try:
        request = poll_request(peer, database)
        waiting = [polls.open(peer.endpoint, request) for _ in range(5)]
        polls.listen(0.3)
        assert all(poll.response is None for poll in waiting)
        Push(peer, database, "one", 1, seed=2).prepare()()
        polls.listen(10, until_woken=waiting)
        for poll in waiting:
            assert poll.response is not None
            assert len(poll.response.json()["results"]) == 1
    finally:
        polls.close()


def test_memory_counts_all_processes_of_the_service(peer: Peer) -> None:
    assert peer.pid is not None
    processes = family(peer.pid)
    assert len(processes) >= 4  # supervisor, gunicorn, two web workers, the worker
    assert proportional_memory(processes) > proportional_memory([peer.pid])
