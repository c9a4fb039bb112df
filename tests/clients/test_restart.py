"""The server goes away and comes back while tablets are connected."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sync_server.demo.tablet import Remote, Tablet, eventually
from tests.clients.peer import Peer
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]


@pytest.fixture(scope="module")
def own_server() -> Iterator[RunningServer]:
    """A server of this module's own: others must not be cut off by its restarts."""
    with RunningServer() as running:
        yield running


@pytest.fixture
def remote(own_server: RunningServer) -> Remote:
    return Peer(f"{own_server.url}/db", *own_server.admin).new_database()


def failed_requests(tablet: Tablet) -> int:
    """Requests, since this was last asked, whose connection broke or was refused."""
    return sum("failure" in request for request in tablet.requests())


@pytest.mark.parametrize("release", [9, 7])
def test_a_live_sync_with_retry_goes_on_after_a_restart(
    tablet: MakeTablet, own_server: RunningServer, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    for one in (ours, theirs):
        one.live_start(remote, retry=True)
    ours.put({"_id": "household:before"})
    eventually(lambda: theirs.find("household:before") is not None, what="the first household")
    own_server.stop()
    ours.put({"_id": "household:while-away"})
    eventually(lambda: failed_requests(ours) > 0, what="a tablet that noticed")
    own_server.start()
    theirs.put({"_id": "household:after"})
    wanted = ["household:after", "household:before", "household:while-away"]
    eventually(lambda: ours.ids() == wanted == theirs.ids(), seconds=60, what="all households")
    for one in (ours, theirs):
        assert one.live_stop()["denied"] == 0
    assert ours.state() == theirs.state() == ours.remote_state(remote)


def test_a_sync_after_a_restart_transfers_nothing_again(
    tablet: MakeTablet, own_server: RunningServer, remote: Remote
) -> None:
    """The server's uuid and its databases' checkpoints outlive the process."""
    one = tablet()
    one.bulk([{"_id": f"household:{n}"} for n in range(30)])
    one.sync(remote)
    own_server.restart()
    one.requests()
    again = one.sync(remote)
    assert [again[way]["docs_read"] for way in ("push", "pull")] == [0, 0]
    assert not any("_revs_diff" in request["path"] for request in one.requests())


def test_a_push_through_a_restart_finishes_when_it_is_tried_again(
    tablet: MakeTablet, own_server: RunningServer, remote: Remote
) -> None:
    one = tablet()
    one.bulk([{"_id": f"household:{n:04d}"} for n in range(1000)])
    pushing = one.begin("push", remote, batch_size=10)
    eventually(lambda: len(one.requests()) > 0, what="a push on its way")
    own_server.restart()
    pushing.exception(60)
    one.push(remote, batch_size=100)
    assert one.remote_state(remote) == one.state()
