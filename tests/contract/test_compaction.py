"""Compaction keeps what a merge will need, until every tablet has acknowledged past it."""

from __future__ import annotations

import time

import orjson
import pytest

from conflict.branches import MERGED_INTO
from sync_server.errors import NotFound
from sync_server.storage.base import Database
from sync_server.storage.compaction import compact
from tests.contract.drafts import body_of, put, replicate, write

NOW = time.time_ns() // 1_000_000
DAY_MS = 86_400_000


def settle(db: Database, *path: str, into: str) -> None:
    """End a branch as a merge does."""
    replicate(db, write("a", *path, deleted=True, **{MERGED_INTO: into}))


def keeps(db: Database, rev: str) -> bool:
    try:
        db.get("a", rev)
    except NotFound:
        return False
    return True


def acknowledge(db: Database, owner: str, seq: object, member: str = "last_seq") -> None:
    db.put_local(owner, "replication", None, orjson.dumps({member: seq, "session_id": "x"}))


def test_inner_revisions_stay_readable_until_compaction(db: Database) -> None:
    first = put(db, "a", n=1)
    second = put(db, "a", first, n=2)
    assert body_of(db.get("a", first)) == {"n": 1}
    assert [status for _, status in db.revs_info("a", second)] == ["available", "available"]
    db.compact()
    assert [status for _, status in db.revs_info("a", second)] == ["available", "missing"]
    with pytest.raises(NotFound):
        db.get("a", first)
    assert body_of(db.get("a")) == {"n": 2}


def test_compaction_keeps_the_base_of_a_conflict(db: Database) -> None:
    replicate(
        db,
        write("a", "1-a", v=0),
        write("a", "2-a", "1-a", v=1),
        write("a", "3-b", "2-a", "1-a", v=2),
        write("a", "3-c", "2-a", "1-a", v=3),
    )
    db.compact()
    assert body_of(db.get("a", "2-a")) == {"v": 1}
    with pytest.raises(NotFound):
        db.get("a", "1-a")
    settle(db, "4-b", "3-b", "2-a", "1-a", into="3-c")
    db.compact()
    with pytest.raises(NotFound):
        db.get("a", "2-a")
    assert body_of(db.get("a")) == {"v": 3}


def test_compaction_up_to_a_horizon_keeps_what_was_superseded_later(db: Database) -> None:
    first = put(db, "a", n=1)
    second = put(db, "a", first, n=2)
    horizon = db.update_seq()
    put(db, "a", second, n=3)
    db.compact(horizon)
    assert body_of(db.get("a", second)) == {"n": 2}
    with pytest.raises(NotFound):
        db.get("a", first)


def test_edits_that_arrive_together_supersede_what_they_were_made_on(db: Database) -> None:
    replicate(db, write("a", "1-a", v=1))
    replicate(db, write("a", "3-c", "2-b", "1-a", v=3))
    db.compact()
    assert not keeps(db, "1-a")


def test_what_an_edit_and_a_deletion_have_in_common_is_kept_until_that_is_settled(
    db: Database,
) -> None:
    replicate(db, write("a", "1-a", v=1), write("a", "2-b", "1-a", v=2))
    replicate(db, write("a", "2-c", "1-a", deleted=True))
    db.compact()
    assert keeps(db, "1-a")
    settle(db, "3-c", "2-c", "1-a", into="2-b")
    db.compact()
    assert not keeps(db, "1-a")


def test_a_deleted_document_keeps_no_base(db: Database) -> None:
    replicate(db, write("a", "1-a", v=1))
    for rev in ("2-b", "2-c"):
        replicate(db, write("a", rev, "1-a", deleted=True))
    db.compact()
    assert not keeps(db, "1-a")


def test_a_merged_branch_that_somebody_goes_on_from_keeps_where_they_went_on(
    db: Database,
) -> None:
    replicate(db, write("a", "1-a", v=1))
    replicate(db, write("a", "2-l", "1-a", v=2), write("a", "2-w", "1-a", v=3))
    replicate(db, write("a", "3-m", "2-w", "1-a", v=4))
    settle(db, "3-t", "2-l", "1-a", into="3-m")
    replicate(db, write("a", "3-x", "2-l", "1-a", v=5))
    db.compact()
    assert keeps(db, "2-l")


def test_nothing_is_dropped_that_an_active_tablet_may_go_on_from(db: Database) -> None:
    replicate(db, write("a", "1-a", v=1))
    acknowledge(db, "sok", db.update_seq())
    replicate(db, write("a", "2-b", "1-a", v=2))
    acknowledge(db, "dara", db.update_seq())
    compact(db, NOW, stale_days=400)
    assert keeps(db, "1-a")
    acknowledge(db, "sok", db.update_seq())
    compact(db, NOW, stale_days=400)
    assert not keeps(db, "1-a")


def test_a_tablet_that_stays_away_is_not_waited_for(db: Database) -> None:
    replicate(db, write("a", "1-a", v=1))
    acknowledge(db, "sok", db.update_seq())
    replicate(db, write("a", "2-b", "1-a", v=2))
    compact(db, NOW + 399 * DAY_MS, stale_days=400)
    assert keeps(db, "1-a")
    compact(db, NOW + 401 * DAY_MS, stale_days=400)
    assert not keeps(db, "1-a")


def test_where_nobody_has_a_checkpoint_all_is_acknowledged(db: Database) -> None:
    put(db, "a")
    assert db.acknowledged(0) == db.update_seq()


@pytest.mark.parametrize("member", ["last_seq", "lastSequence"])
def test_the_lowest_sequence_counts_whatever_the_client_calls_it(db: Database, member: str) -> None:
    lowest = db.update_seq()
    put(db, "a")
    acknowledge(db, "dara", db.update_seq())
    acknowledge(db, "sok", lowest, member)
    assert db.acknowledged(0) == lowest
    assert db.acknowledged(NOW + DAY_MS) == db.update_seq()


@pytest.mark.parametrize("seq", [0, 1, "1", "1-00000000", "1-g1AAAACbeJz", None, ["1"], {}])
def test_what_is_no_sequence_of_this_database_acknowledges_nothing(
    db: Database, seq: object
) -> None:
    for name in "abc":
        put(db, name)
    acknowledge(db, "sok", seq)
    assert db.acknowledged(0) == db.update_seq()


def test_a_reader_of_some_areas_acknowledges_too(db: Database) -> None:
    replicate(db, write("a", "1-a", area="01"))
    seen = db.within(["01"]).update_seq()
    replicate(db, write("a", "2-b", "1-a", v=2))
    acknowledge(db, "sok", seen)
    compact(db, NOW, stale_days=400)
    assert keeps(db, "1-a")
