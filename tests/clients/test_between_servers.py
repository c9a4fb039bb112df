"""PouchDB drives a replication from one of our servers to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sync_server.demo.tablet import Remote, Tablet
from tests.clients.peer import Peer
from tests.clients.photos import photo
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]


@pytest.fixture(scope="module")
def second_server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@pytest.fixture
def second(second_server: RunningServer) -> Remote:
    return Peer(f"{second_server.url}/db", *second_server.admin).new_database()


@pytest.mark.parametrize("release", [9, 7])
def test_a_database_is_the_same_on_both_servers(
    tablet: MakeTablet, remote: Remote, second: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.bulk([{"_id": f"household:{n:03d}", "members_total": n} for n in range(120)])
    ours.attach("household:001", {"house.jpg": ("image/jpeg", photo(60_000))})
    ours.sync(remote)
    theirs.sync(remote)
    ours.edit("household:002", members_total=50)
    theirs.edit("household:002", members_total=51)
    theirs.remove("household:003")
    ours.sync(remote)
    theirs.sync(remote)
    copied = ours.replicate_between(remote, second)
    assert (copied["ok"], copied["doc_write_failures"]) == (True, 0)
    assert ours.remote_state(second) == ours.remote_state(remote)
    assert ours.replicate_between(remote, second)["docs_read"] == 0


def test_both_servers_converge_when_both_were_written_to(
    tablet: MakeTablet, remote: Remote, second: Remote
) -> None:
    one, other = tablet(), tablet()
    one.put({"_id": "household:1", "phone": "1"})
    one.push(remote)
    other.put({"_id": "household:1", "phone": "2"})
    other.push(second)
    one.replicate_between(remote, second)
    one.replicate_between(second, remote)
    state = one.remote_state(remote)
    assert state == one.remote_state(second)
    assert len(state["household:1"]["leaves"]) == 2
