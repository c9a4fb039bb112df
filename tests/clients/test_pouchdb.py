"""PouchDB 9 and 7 replicate with the server: documents, deletions, conflicts, live feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sync_server.demo.tablet import Remote, Tablet, eventually

MakeTablet = Callable[..., Tablet]

RELEASES = pytest.mark.parametrize("release", [9, 7])


def household(number: int, **members: Any) -> dict[str, Any]:
    return {
        "_id": f"household:{number:05d}",
        "type": "household",
        "head": {"surname": "សុខ", "given_name": "Dara"},
        "members_total": 1 + number % 8,
        **members,
    }


@RELEASES
def test_a_pushed_document_reads_back_the_same(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    writer, reader = tablet(release), tablet(release)
    doc_id = "a/b c?d#e%2F+ខ"
    odd = {
        "_id": doc_id,
        "numbers": [0, -1, 1.5, 1e21, 5e-324, 9007199254740993],
        "texts": ["", "\u0000", "\u2028", "🐔", 'quote " and \\'],
        "nested": {"": None, "deep": [[[{}]]], "truth": [True, False]},
    }
    writer.put(odd)
    assert writer.push(remote)["docs_written"] == 1
    assert reader.pull(remote)["docs_written"] == 1
    assert reader.get(doc_id) == writer.get(doc_id)
    assert reader.state() == writer.state() == reader.remote_state(remote)


@RELEASES
def test_many_documents_travel_in_batches(tablet: MakeTablet, remote: Remote, release: int) -> None:
    writer, reader = tablet(release), tablet(release)
    writer.bulk([household(n) for n in range(450)])
    assert writer.push(remote, batch_size=100)["docs_written"] == 450
    assert reader.pull(remote, batch_size=100)["docs_written"] == 450
    assert reader.state() == writer.state()


@RELEASES
def test_edits_made_offline_on_both_sides_become_the_same_conflict_everywhere(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.put(household(1))
    ours.sync(remote)
    theirs.sync(remote)
    ours.edit("household:00001", members_total=5)
    theirs.edit("household:00001", members_total=6)
    theirs.edit("household:00001", phone="+85512345678")
    for one in (ours, theirs, ours):
        one.sync(remote)
    state = ours.state()
    assert state == theirs.state() == ours.remote_state(remote)
    assert len(state["household:00001"]["leaves"]) == 2
    assert state["household:00001"]["winner"].startswith("3-")
    conflicts = [
        ours.get("household:00001", conflicts=True)["_conflicts"],
        theirs.remote_call(remote, "get", "household:00001", {"conflicts": True})["_conflicts"],
    ]
    assert conflicts[0] == conflicts[1]


@RELEASES
def test_a_conflict_that_a_tablet_resolved_is_resolved_everywhere(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    for one, total in ((ours, 2), (theirs, 3)):
        one.put(household(1, members_total=total))
        one.sync(remote)
    ours.sync(remote)
    losing = ours.get("household:00001", conflicts=True)["_conflicts"]
    for rev in losing:
        ours.remove("household:00001", rev)
    ours.sync(remote)
    theirs.sync(remote)
    assert theirs.state() == ours.state() == ours.remote_state(remote)
    assert "_conflicts" not in theirs.get("household:00001", conflicts=True)


@RELEASES
def test_a_deletion_reaches_the_other_tablet(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.bulk([household(1), household(2)])
    ours.sync(remote)
    theirs.sync(remote)
    ours.remove("household:00001")
    ours.sync(remote)
    theirs.sync(remote)
    assert theirs.ids() == ["household:00002"]
    assert theirs.state() == ours.state() == ours.remote_state(remote)


@RELEASES
def test_a_document_deleted_here_and_edited_there_lives_on(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.put(household(1))
    ours.sync(remote)
    theirs.sync(remote)
    ours.remove("household:00001")
    edited = theirs.edit("household:00001", members_total=9)
    for one in (ours, theirs, ours):
        one.sync(remote)
    assert ours.get("household:00001")["_rev"] == edited
    assert theirs.state() == ours.state() == ours.remote_state(remote)


@RELEASES
def test_a_deleted_document_can_be_written_again(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    ours.put(household(1))
    ours.sync(remote)
    ours.remove("household:00001")
    ours.sync(remote)
    ours.put(household(1, members_total=7))
    ours.sync(remote)
    theirs.sync(remote)
    assert theirs.get("household:00001")["members_total"] == 7
    assert theirs.state() == ours.state() == ours.remote_state(remote)


@RELEASES
def test_every_inner_revision_needs_no_body_to_travel(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    for total in range(1, 40):
        ours.edit("household:00001", members_total=total)
    ours.compact()
    ours.push(remote)
    theirs.pull(remote)
    revisions = theirs.get("household:00001", revs=True)["_revisions"]
    assert revisions == ours.get("household:00001", revs=True)["_revisions"]
    assert revisions["start"] == len(revisions["ids"]) == 39


@RELEASES
def test_a_live_sync_carries_edits_in_both_directions(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    ours, theirs = tablet(release), tablet(release)
    for one in (ours, theirs):
        one.live_start(remote, retry=True)
    ours.put(household(1))
    eventually(lambda: theirs.find("household:00001") is not None, what="our household there")
    theirs.put(household(2))
    eventually(lambda: ours.find("household:00002") is not None, what="their household here")
    ours.remove("household:00002")
    eventually(lambda: theirs.find("household:00002") is None, what="the deletion there")
    eventually(lambda: ours.state() == theirs.state(), what="the same state on both")
    for one in (ours, theirs):
        status = one.live_stop()
        assert (status["state"], status["error"], status["denied"]) == ("complete", None, 0)


@RELEASES
def test_an_idle_longpoll_wakes_for_a_write(
    tablet: MakeTablet, remote: Remote, release: int
) -> None:
    waiting, writing = tablet(release), tablet()
    waiting.live_start(remote, "pull")
    eventually(lambda: waiting.live_status()["state"] == "paused", what="an idle pull")
    waiting.requests()
    writing.remote_call(remote, "put", household(1))
    eventually(lambda: waiting.find("household:00001") is not None, what="the household")
    longpolls = [r for r in waiting.requests() if "feed=longpoll" in r["path"]]
    assert longpolls, "the document came through the waiting feed"
    assert waiting.live_stop()["pulled"] == 1


def test_a_pull_of_named_documents_brings_only_those(tablet: MakeTablet, remote: Remote) -> None:
    writer, reader = tablet(), tablet()
    writer.bulk([household(n) for n in range(20)])
    writer.push(remote)
    reader.pull(remote, doc_ids=["household:00003", "household:00007", "household:nowhere"])
    assert reader.ids() == ["household:00003", "household:00007"]


def test_a_pull_by_selector_brings_only_what_matches(tablet: MakeTablet, remote: Remote) -> None:
    writer, reader = tablet(), tablet()
    writer.bulk([household(n) for n in range(20)])
    writer.push(remote)
    reader.pull(remote, selector={"members_total": {"$gte": 7}})
    assert reader.ids() == [f"household:{n:05d}" for n in (6, 7, 14, 15)]


def test_the_two_releases_share_a_database(tablet: MakeTablet, remote: Remote) -> None:
    older, newer = tablet(release=7), tablet(release=9)
    older.put(household(1))
    newer.put(household(2))
    for one in (older, newer, older):
        one.sync(remote)
    assert older.state() == newer.state() == newer.remote_state(remote)
