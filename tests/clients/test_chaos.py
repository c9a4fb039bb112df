"""Whatever tablets do, and whenever they sync, all of them end up with the same.

Each seed is a test of its own: the id of one that fails is what runs it again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from sync_server.demo.tablet import Tablet, TabletHost
from tests.clients.chaos import Chaos
from tests.clients.peer import Peer

SEEDS = 200
SEEDS_PER_RESTART = 20
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """The server that a run disturbs, and how."""

    peer: Peer
    restart: Callable[[], None] | None


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A server of this module's own, for its restarts; or the CouchDB at `COUCHDB_URL`."""
    if "COUCHDB_URL" in os.environ:
        yield Place(request.getfixturevalue("peer"), None)
        return
    from tests.serving import RunningServer

    with RunningServer() as running:
        yield Place(Peer(f"{running.url}/db", *running.admin), running.restart)


def three_tablets(host: TabletHost, seed: int) -> list[Tablet]:
    """The third is an older release in every other run."""
    releases = [9, 9, 9 if seed % 2 else 7]
    return [host.tablet(f"chaos-{next(_numbers)}", release=release) for release in releases]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_work_ends_with_equal_leaves_and_winners_everywhere(
    place: Place, host: TabletHost, seed: int
) -> None:
    tablets = three_tablets(host, seed)
    disturb = place.restart if seed % SEEDS_PER_RESTART == 0 else None
    chaos = Chaos(seed, tablets, place.peer.new_database(), disturb)
    try:
        chaos.run()
        first, *others = chaos.states().items()
        for name, state in others:
            assert state == first[1], f"{name} differs from {first[0]}"
    except Exception:
        print(f"Seed {seed} again: pytest '{os.environ['PYTEST_CURRENT_TEST'].split(' ')[0]}'")
        print("\n".join(chaos.log))
        raise
    for one in tablets:
        one.destroy()
