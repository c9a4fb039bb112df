"""Tablets edit the same documents while they are apart; the service makes one of them again."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sync_server.demo.tablet import Remote, Tablet, TabletHost, eventually
from sync_server.intake.notices import notice_id
from sync_server.intake.pipeline import position
from sync_server.intake.resolve import CONFLICT
from sync_server.storage.base import DocumentStore
from sync_server.storage.sqlite import open_store
from tests.clients.chaos import DOCUMENTS, Chaos
from tests.clients.peer import Peer
from tests.clients.photos import photo
from tests.domain.conftest import household
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]

NAME = "rushit"
SEEDS = 12
KILLS = 8
LONGEST_WAIT = 0.4
"""Seconds between the arrival of the conflicts and a kill, at most."""
SWEEPER = """
import sys, threading
from sync_server.intake.pipeline import Pipeline, sweep
from sync_server.parts import open_parts
from sync_server.settings import Settings
parts = open_parts(Settings.from_environment(), migrate=False)
print("ready", flush=True)
pipeline = Pipeline(parts.store, parts.sql, ["rushit"])
while True:
    pipeline.drain()
    sweep(parts.store, parts.sql, ["rushit"])
"""
_numbers = itertools.count(1)


def chaos_name(seed: int) -> str:
    return f"chaos{seed}"


@pytest.fixture(scope="module")
def programme() -> Iterator[RunningServer]:
    """A server of this module's own, whose databases the intake follows."""
    names = ",".join([NAME, *map(chaos_name, range(SEEDS))])
    with RunningServer(programme_databases=names) as running:
        yield running


@pytest.fixture(scope="module")
def other_programme() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@pytest.fixture
def remote(programme: RunningServer) -> Remote:
    return remote_of(programme)


@pytest.fixture
def doc_id() -> str:
    return f"household:{uuid.uuid4()}"


def remote_of(server: RunningServer, name: str = NAME) -> Remote:
    return Peer(f"{server.url}/db", *server.admin).remote(name)


def leaves(remote: Remote, doc_id: str) -> list[dict[str, Any]]:
    """Every leaf as the server has it, to the byte in `text`."""
    answer = requests.get(
        f"{remote.url}/{doc_id}",
        params={"open_revs": "all", "revs": "true", "attachments": "true"},
        headers={"Accept": "application/json"},
        auth=(remote.account or "", remote.password or ""),
        timeout=30,
    )
    if answer.status_code == 404:
        return []
    answer.raise_for_status()
    return [{**found["ok"], "text": json.dumps(found["ok"])} for found in answer.json()]


def live(remote: Remote, doc_id: str) -> list[dict[str, Any]]:
    return [leaf for leaf in leaves(remote, doc_id) if not leaf.get("_deleted")]


def share(remote: Remote, doc_id: str, *tablets: Tablet, **changes: Any) -> None:
    """The first tablet registers the household, all of them have it."""
    tablets[0].put({"_id": doc_id, **household(device="tablet-0", **changes)})
    for one in tablets:
        one.sync(remote)


def edit(one: Tablet, doc_id: str, number: int, hour: int = 10, **changes: Any) -> str:
    """As the app saves a form: the envelope says which tablet, and when."""
    captured = {"device": f"tablet-{number}", "captured_at": f"2026-11-20T{hour:02}:00:00+07:00"}
    return one.edit(doc_id, **{**captured, **changes})


def settled(remote: Remote, doc_id: str, *tablets: Tablet) -> dict[str, Any]:
    """Wait for the one live leaf, and until every tablet holds the same as the server."""
    for one in tablets:
        one.push(remote)
    eventually(lambda: len(live(remote, doc_id)) == 1, what="one live leaf")
    for one in tablets:
        one.sync(remote)
        assert one.state()[doc_id] == one.remote_state(remote)[doc_id]
    (leaf,) = live(remote, doc_id)
    return leaf


def case(remote: Remote, doc_id: str) -> dict[str, Any]:
    """Wait for the notice that says the document waits for a person."""
    notice = notice_id(CONFLICT, doc_id)
    eventually(lambda: bool(live(remote, notice)), what="a notice of the conflict")
    (leaf,) = live(remote, notice)
    return leaf


@pytest.mark.parametrize("release", [9, 7])
def test_edits_of_different_fields_are_merged_without_anyone(
    tablet: MakeTablet, remote: Remote, doc_id: str, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    share(remote, doc_id, ours, theirs)
    edit(ours, doc_id, 1, phone="+85599999999")
    edit(theirs, doc_id, 2, members_total=7)
    theirs.attach(doc_id, {"house.jpg": ("image/jpeg", photo(20_000))})
    ours.attach(doc_id, {"face.jpg": ("image/jpeg", photo(9_000))})
    merged = settled(remote, doc_id, ours, theirs)
    assert (merged["phone"], merged["members_total"]) == ("+85599999999", 7)
    for one in (ours, theirs):
        assert one.attachment(doc_id, "house.jpg") == photo(20_000)
        assert one.attachment(doc_id, "face.jpg") == photo(9_000)
    assert live(remote, notice_id(CONFLICT, doc_id)) == []


def test_the_later_of_two_phone_numbers_stands(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    ours, theirs = tablet(), tablet()
    share(remote, doc_id, ours, theirs)
    edit(ours, doc_id, 1, hour=11, phone="+85511111111")
    edit(theirs, doc_id, 2, hour=10, phone="+85522222222")
    assert settled(remote, doc_id, ours, theirs)["phone"] == "+85511111111"


def test_two_villages_wait_for_a_person_and_every_tablet_keeps_both(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    ours, theirs = tablet(), tablet()
    share(remote, doc_id, ours, theirs)
    revs = {
        edit(ours, doc_id, 1, village="01020102"),
        edit(theirs, doc_id, 2, village="01020103"),
    }
    for one in (ours, theirs, ours):
        one.sync(remote)
    notice = case(remote, doc_id)
    assert (notice["reason"], notice["fields"]) == ("fields", ["village"])
    for one in (ours, theirs):
        one.sync(remote)
        assert one.find(notice["_id"]) is not None
        assert set(one.state()[doc_id]["leaves"]) == revs
    assert {leaf["_rev"] for leaf in live(remote, doc_id)} == revs


def test_a_deletion_beside_an_edit_waits_for_a_person_and_stays_readable(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    ours, theirs = tablet(), tablet()
    share(remote, doc_id, ours, theirs)
    gone = ours.remove(doc_id)
    edited = edit(theirs, doc_id, 2, members_total=7)
    for one in (ours, theirs, ours):
        one.sync(remote)
    notice = case(remote, doc_id)
    assert (notice["reason"], set(notice["leaves"])) == ("deleted", {gone, edited})
    for one in (ours, theirs):
        one.sync(remote)
        assert one.get(doc_id)["members_total"] == 7
    assert {leaf["_rev"] for leaf in leaves(remote, doc_id)} == {gone, edited}


def test_a_tablet_that_deletes_what_nobody_edited_is_no_conflict(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    ours, theirs = tablet(), tablet()
    share(remote, doc_id, ours, theirs)
    edit(ours, doc_id, 1, phone="+85511111111")
    edit(theirs, doc_id, 2, members_total=7)
    settled(remote, doc_id, ours, theirs)
    ours.remove(doc_id)
    ours.sync(remote)
    theirs.sync(remote)
    assert theirs.find(doc_id) is None
    assert live(remote, doc_id) == []


def test_three_tablets_at_once(tablet: MakeTablet, remote: Remote, doc_id: str) -> None:
    tablets = [tablet(), tablet(7), tablet()]
    share(remote, doc_id, *tablets)
    edit(tablets[0], doc_id, 1, phone="+85599999999")
    edit(tablets[1], doc_id, 2, members_total=7)
    edit(tablets[2], doc_id, 3, ethnicity="Cham")
    for syncing in [one.begin("sync", remote) for one in tablets]:
        syncing.result(60)
    merged = settled(remote, doc_id, *tablets)
    found = [merged[name] for name in ("phone", "members_total", "ethnicity")]
    assert found == ["+85599999999", 7, "Cham"]


def test_a_tablet_that_goes_on_from_a_losing_leaf_is_merged_against_that_leaf(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    """Its village is the losing leaf's; against the old fork it would look like an edit."""
    ours, theirs = tablet(), tablet()
    share(remote, doc_id, ours, theirs)
    # The longer branch wins, so theirs is the losing leaf.
    for hour in (8, 9):
        edit(ours, doc_id, 1, hour, members_total=hour)
    edit(theirs, doc_id, 2, village="01020102")
    ours.push(remote)
    theirs.push(remote)
    eventually(lambda: len(live(remote, doc_id)) == 1, what="the first merge")
    ours.sync(remote)
    assert ours.get(doc_id)["village"] == "01020102"
    edit(ours, doc_id, 1, 12, village="01020103")
    ours.sync(remote)
    edit(theirs, doc_id, 2, 11, ethnicity="Cham")
    merged = settled(remote, doc_id, theirs, ours)
    assert (merged["village"], merged["members_total"]) == ("01020103", 9)
    assert merged["ethnicity"] == "Cham"


def test_a_tablet_whose_clock_says_2031_does_not_win_for_ever(
    tablet: MakeTablet, remote: Remote, doc_id: str
) -> None:
    third, honest, lying = tablet(), tablet(), tablet()
    share(remote, doc_id, third, honest, lying)
    for year, hour in ((2031, 10), (2032, 13)):
        # Whose clock is wrong is told by what a third tablet has noted before.
        edit(third, doc_id, 3, hour, members_total=hour)
        for one in (third, lying, honest):
            one.sync(remote)
        at = f"{year}-01-01T00:00:00+07:00"
        edit(lying, doc_id, 1, phone="+85511111111", captured_at=at)
        edit(honest, doc_id, 2, hour + 1, phone=f"+855222222{hour}")
        assert settled(remote, doc_id, lying, honest, third)["phone"] == f"+855222222{hour}"


def test_two_processes_that_resolve_the_same_write_the_same(
    tablet: MakeTablet, programme: RunningServer, remote: Remote
) -> None:
    ours, theirs = tablet(), tablet()
    ids = [f"household:race-{uuid.uuid4()}" for _ in range(60)]
    ours.bulk([{"_id": one, **household(device="tablet-0")} for one in ids])
    ours.sync(remote)
    theirs.sync(remote)
    for one in ids:
        edit(ours, one, 1, phone="+85599999999")
        edit(theirs, one, 2, members_total=7)
    command = [sys.executable, "-c", SWEEPER]
    with subprocess.Popen(command, env=programme.environment(), stdout=subprocess.PIPE) as racer:
        assert racer.stdout is not None and racer.stdout.readline() == b"ready\n"
        for syncing in [one.begin("sync", remote, batch_size=10) for one in (ours, theirs)]:
            syncing.result(60)
        for one in ids:
            eventually(lambda: len(live(remote, one)) == 1, what=one)  # noqa: B023
        racer.kill()
    for one in ids:
        merged, tombstone = leaves(remote, one)
        assert tombstone["merged_into"] == merged["_rev"]
        assert (merged["phone"], merged["members_total"]) == ("+85599999999", 7)
    for one in (ours, theirs, ours):
        one.sync(remote)
    assert ours.state() == theirs.state() == ours.remote_state(remote)


@pytest.fixture
def own_programme() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


def opened(server: RunningServer) -> DocumentStore:
    return open_store(server.data_dir / "databases")


@pytest.mark.timeout(600)
def test_a_merge_and_its_tombstones_are_there_together_or_not_at_all_after_kill_9(
    own_programme: RunningServer, tablet: MakeTablet
) -> None:
    ours, theirs = tablet(), tablet()
    moments = random.Random(7)
    seen: Counter[str] = Counter()
    everything: list[str] = []
    for number in range(KILLS):
        remote, ids = remote_of(own_programme), [f"household:{number}-{n:03}" for n in range(60)]
        everything += ids
        ours.bulk([{"_id": one, **household(device="tablet-0")} for one in ids])
        for one in (ours, theirs):
            one.sync(remote)
        edit_all(ours, ids, 1, phone="+85599999999")
        edit_all(theirs, ids, 2, members_total=7)
        ours.push(remote)
        pushing = theirs.begin("push", remote, batch_size=10)
        if number % 2:
            eventually(lambda: stages(own_programme, ids)["merged"] > 0, what="a merge")  # noqa: B023
        else:
            time.sleep(moments.uniform(0, LONGEST_WAIT))
        own_programme.kill()
        seen += stages(own_programme, ids)
        pushing.exception(60)
        own_programme.start()
        theirs.push(remote_of(own_programme))
    assert seen["merged"] and seen["pushed"] + seen["alone"], "no kill came in between"
    eventually(
        lambda: stages(own_programme, everything)["merged"] == len(everything),
        what="one live leaf of every document",
    )
    remote = remote_of(own_programme)
    for one in (ours, theirs, ours):
        one.sync(remote)
    assert ours.state() == theirs.state() == ours.remote_state(remote)


def edit_all(one: Tablet, ids: list[str], number: int, **changes: Any) -> None:
    changes = {"device": f"tablet-{number}", **changes}
    one.bulk([{**doc, **changes} for doc in one.docs() if doc["_id"] in ids])


STAGES = {(False,): "alone", (False, False): "pushed", (False, True): "merged"}
"""By whether each leaf is deleted: no other state of these documents may ever be seen."""


def stages(server: RunningServer, ids: list[str]) -> Counter[str]:
    """How far the documents have come, read from the files: the server may be dead."""
    store = opened(server)
    try:
        states = store.database(NAME).states(ids)
        return Counter(
            STAGES[tuple(leaf.deleted for leaf in state.leaves)]
            for state in states
            if state is not None
        )
    finally:
        store.close()


def test_two_servers_that_replicate_and_both_resolve_end_with_the_same_bytes(
    tablet: MakeTablet, programme: RunningServer, other_programme: RunningServer
) -> None:
    here, there = remote_of(programme), remote_of(other_programme)
    ours, theirs = tablet(), tablet()
    ids = [f"household:pair-{uuid.uuid4()}" for _ in range(12)]
    ours.bulk([{"_id": one, **household(device="tablet-0")} for one in ids])
    ours.sync(here)
    ours.replicate_between(here, there)
    theirs.sync(there)
    for number, one in enumerate(ids):
        edit(ours, one, 1, 10 + number % 3, phone="+85599999999")
        edit(theirs, one, 2, 11, phone="+85588888888", members_total=number + 1)
        if number % 4 == 0:
            edit(ours, one, 1, village="01020102")
            edit(theirs, one, 2, village="01020103")
        if number % 4 == 1:
            theirs.attach(one, {"house.jpg": ("image/jpeg", photo(5_000))})
    ours.sync(here)
    theirs.sync(there)

    def they_agree() -> bool:
        ways = ((here, there), (there, here))
        written = [ours.replicate_between(*way)["docs_written"] for way in ways]
        return not any(written) and same_on_both(programme, other_programme, here, there, ids)

    eventually(they_agree, seconds=90, what="the same on both servers")
    for number, one in enumerate(ids):
        assert len(live(here, one)) == (2 if number % 4 == 0 else 1)
        assert [leaf["text"] for leaf in leaves(here, one)] == [
            leaf["text"] for leaf in leaves(there, one)
        ]


def same_on_both(
    one: RunningServer, other: RunningServer, here: Remote, there: Remote, ids: list[str]
) -> bool:
    named = [*ids, *(notice_id(CONFLICT, doc_id) for doc_id in ids)]
    return (
        has_caught_up(one)
        and has_caught_up(other)
        and all(leaves(here, doc_id) == leaves(there, doc_id) for doc_id in named)
    )


def has_caught_up(server: RunningServer, name: str = NAME) -> bool:
    """Whether the intake has seen all there is."""
    store = opened(server)
    try:
        database = store.database(name)
        return position(database) == database.update_seq()
    finally:
        store.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_work_ends_with_one_live_leaf_or_a_case_and_the_same_everywhere(
    programme: RunningServer, host: TabletHost, seed: int
) -> None:
    name = chaos_name(seed)
    tablets = [host.tablet(f"conflict-chaos-{next(_numbers)}") for _ in range(3)]
    chaos = Chaos(seed, tablets, remote_of(programme, name))
    chaos.work()
    for _ in range(40):
        if not chaos.sync_all() and has_caught_up(programme, name) and not chaos.sync_all():
            break
    states = chaos.states()
    assert all(state == states["server"] for state in states.values()), chaos.log
    for doc_id in DOCUMENTS:
        found = live(chaos.remote, doc_id)
        notice = live(chaos.remote, notice_id(CONFLICT, doc_id))
        assert len(found) <= 1 or len(notice) == 1, chaos.log
    for one in tablets:
        one.destroy()
