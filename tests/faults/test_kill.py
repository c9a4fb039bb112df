"""kill -9 at random moments during pushes: nothing that was acknowledged is missing.

A hundred kills in all. Half of them hit the web workers, which are started again within a
moment; the others hit every process of the server at once.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sync_server.demo.node import ensure_modules, program
from sync_server.demo.tablet import Remote, Tablet, TabletHost, eventually
from tests.faults.processes import kill, web_workers
from tests.faults.pusher import Pusher, missing, unreadable
from tests.serving import RunningServer

WORKER_KILLS = 50
WHOLE_KILLS = 50
SEED = int(os.environ.get("KILL_SEED", "1"))
LONGEST_WAIT = 0.15
"""Seconds of pushing before a kill, at most."""

MODULES = Path(__file__).parents[1] / "clients"


@pytest.fixture(scope="module")
def host() -> Iterator[TabletHost]:
    with TabletHost(ensure_modules(MODULES), program("node")) as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


def kill_workers(server: RunningServer) -> None:
    """The web workers only; gunicorn starts others."""
    kill(web_workers(server))


def kill_everything(server: RunningServer) -> None:
    server.kill()
    server.start()


def answers(url: str, auth: tuple[str, str]) -> bool:
    try:
        return requests.get(url, auth=auth, timeout=5).ok
    except requests.RequestException:
        return False


def pushed_more(pushers: list[Pusher], before: list[int]) -> bool:
    pairs = zip(pushers, before, strict=True)
    return all(len(pusher.acknowledged) > count for pusher, count in pairs)


def kill_again_and_again(
    server: RunningServer,
    url: str,
    auth: tuple[str, str],
    pushers: list[Pusher],
    strike: Callable[[RunningServer], None],
    times: int,
) -> None:
    """Each time once all are pushing, at a random moment; each time nothing may be missing."""
    moments = random.Random(SEED)
    checked = [0] * len(pushers)
    for number in range(times):
        before = [len(pusher.acknowledged) for pusher in pushers]
        eventually(lambda: pushed_more(pushers, before), what="a push under way")  # noqa: B023
        time.sleep(moments.uniform(0, LONGEST_WAIT))
        strike(server)
        eventually(lambda: answers(url, auth), what=f"an answer after kill {number}")
        for index, pusher in enumerate(pushers):
            acknowledged = pusher.acknowledged[checked[index] :]
            assert missing(url, auth, acknowledged) == {}, f"KILL_SEED={SEED}, {number}"
            checked[index] += len(acknowledged)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("strike", "times"),
    [(kill_workers, WORKER_KILLS), (kill_everything, WHOLE_KILLS)],
    ids=["web workers", "every process"],
)
def test_nothing_that_was_acknowledged_is_missing_after_kill_9(
    own_server: RunningServer,
    host: TabletHost,
    strike: Callable[[RunningServer], None],
    times: int,
) -> None:
    url = own_server.db_url(f"kills-{uuid.uuid4().hex[:8]}")
    # As tablets have it: a password whose check a kill cuts off counts as a wrong one.
    name, _ = own_server.admin
    auth = name, own_server.command("account", "token", name, "tablet-1").strip()
    requests.put(url, auth=auth, timeout=30).raise_for_status()
    pushers = [Pusher(url, auth, name) for name in ("household", "visit")]
    remote = Remote(url, *auth)
    tablet = working_tablet(host, remote)
    for pusher in pushers:
        pusher.start()
    try:
        kill_again_and_again(own_server, url, auth, pushers, strike, times)
    finally:
        for pusher in pushers:
            pusher.stop()
    assert [pusher.unexpected for pusher in pushers] == [[], []]
    everything = [doc_id for pusher in pushers for doc_id in pusher.acknowledged]
    assert missing(url, auth, everything) == {}
    assert unreadable(url, auth, everything) == []
    finish(tablet, remote)


def working_tablet(host: TabletHost, remote: Remote) -> Tablet:
    """A real tablet that pushes its documents, photos among them, all the while."""
    tablet = host.tablet(f"faults-{uuid.uuid4().hex[:8]}")
    tablet.bulk([{"_id": f"proposal:{n:04d}", "quantity": n} for n in range(400)])
    tablet.attach("proposal:0000", {"receipt.jpg": ("image/jpeg", os.urandom(300_000))})
    tablet.live_start(remote, "push", retry=True, batch_size=4)
    return tablet


def finish(tablet: Tablet, remote: Remote) -> None:
    """The tablet's sync ends, and all that it wrote is on the server as it wrote it."""
    tablet.live_stop()
    tablet.push(remote)
    mine = tablet.state()
    theirs = tablet.remote_state(remote)
    assert {doc_id: theirs.get(doc_id) for doc_id in mine} == mine
    tablet.destroy()
