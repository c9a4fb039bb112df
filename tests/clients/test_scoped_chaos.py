"""Grants come and go, households move, lines break: at rest each tablet holds just its scope.

Each seed is a test of its own: the id of one that fails is what runs it again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import orjson
import pytest

from sync_server.demo.tablet import TabletHost, eventually
from tests.clients.cutting import CuttingProxy
from tests.clients.scoped_chaos import ScopedChaos, Worker, alive
from tests.office import Office, open_office
from tests.serving import RunningServer

SEEDS = 50
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with RunningServer() as server, open_office(server) as office:
        yield office


@pytest.fixture(scope="module")
def proxy(office: Office) -> Iterator[CuttingProxy]:
    with CuttingProxy(office.server.url) as proxy:
        yield proxy


def three_workers(office: Office, host: TabletHost, seed: int) -> list[Worker]:
    """Two tablets of one account, one of another; one is an older release."""
    accounts = [office.worker(), office.worker()]
    releases = [9, 7, 9] if seed % 2 else [7, 9, 9]
    return [
        Worker(host.tablet(f"t{next(_numbers)}", release=release), account)
        for release, account in zip(releases, [*accounts, accounts[0]], strict=True)
    ]


def holds_its_scope(office: Office, chaos: ScopedChaos, worker: Worker) -> bool:
    """Leaf by leaf and body by body, with all attachments."""
    chaos.sync(worker)
    held = alive(worker.tablet.state())
    expected = office.leaves(worker.account)
    if {doc_id: set(one["leaves"]) for doc_id, one in held.items()} != {
        doc_id: set(revs) for doc_id, revs in expected.items()
    }:
        return False
    assert {doc_id: one["winner"] for doc_id, one in held.items()} == {
        doc_id: revs[0] for doc_id, revs in expected.items()
    }
    assert held == alive(worker.tablet.remote_state(chaos.remote(worker)))
    return True


def everything_stands_where_it_belongs(office: Office, province: str) -> bool:
    """A household in its village's commune, unless in conflict; a proposal beside its household."""
    office.rest()
    rows = office.whole.all_docs().rows
    ids = [row.doc_id for row in rows if row is not None and f":{province}-" in row.doc_id]
    winners = zip(ids, office.whole.states(ids), office.whole.winners(ids), strict=True)
    found = {doc_id: (state, orjson.loads(one.body)) for doc_id, state, one in winners if one}
    for doc_id, (state, fields) in found.items():
        beside, _ = found.get(fields.get("household", ""), (None, None))
        if doc_id.startswith("proposal:") and beside and state.area != beside.area:
            return False
        settled = sum(not leaf.deleted for leaf in state.leaves) == 1
        if doc_id.startswith("household:") and settled and state.area != fields["village"][:6]:
            return False
    return True


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_comes_and_goes_each_tablet_ends_with_its_scope(
    office: Office, proxy: CuttingProxy, host: TabletHost, seed: int
) -> None:
    chaos = ScopedChaos(seed, office, proxy, three_workers(office, host, seed))
    try:
        chaos.run()
        for worker in chaos.workers:
            eventually(
                lambda worker=worker: holds_its_scope(office, chaos, worker),  # type: ignore[misc]
                what=f"{worker.tablet.name} with its scope",
            )
        assert everything_stands_where_it_belongs(office, chaos.province)
    except Exception:
        print(f"Seed {seed} again: pytest '{os.environ['PYTEST_CURRENT_TEST'].split(' ')[0]}'")
        print("\n".join(chaos.log))
        raise
    for worker in chaos.workers:
        worker.tablet.destroy()
