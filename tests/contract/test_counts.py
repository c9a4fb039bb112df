"""How many documents stand where, and when a local document was written."""

from __future__ import annotations

import time

from sync_server.storage.base import AreaCount, Database
from tests.contract.drafts import ORIGIN, replicate, write

HERE, THERE = "020301", "020302"


def test_counts_are_of_exactly_the_areas_that_are_named(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE), write("b", "1-b", area=HERE))
    replicate(db, write("c", "1-c", area=THERE), write("d", "1-d", area="02"))
    replicate(db, write("b", "2-b", "1-b", deleted=True))
    assert db.counts([HERE, "02", "99"]) == {HERE: AreaCount(1, 1), "02": AreaCount(1, 0)}
    assert db.counts([]) == {}


def test_counts_follow_documents_that_move_and_go(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE), write("b", "1-b", area=HERE))
    db.relocate({"a": THERE}, origin=ORIGIN)
    db.purge({"b": ["1-b"]})
    found = db.counts([HERE, THERE])
    assert found.get(HERE, AreaCount(0, 0)) == (0, 0)
    assert found[THERE] == (1, 0)


def test_many_areas_may_be_asked_for_at_once(db: Database) -> None:
    replicate(db, write("a", "1-a", area="999999"))
    areas = [f"{number:06}" for number in range(3000)]
    assert db.counts([*areas, "999999"]) == {"999999": AreaCount(1, 0)}


def test_a_view_counts_what_it_sees(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE), write("b", "1-b", area=THERE))
    assert db.within([HERE]).counts([HERE, THERE]) == {HERE: AreaCount(1, 0)}


def test_a_local_document_tells_when_it_was_written_or_that_this_is_unknown(db: Database) -> None:
    before = time.time_ns() // 1_000_000
    db.put_local("sok", "checkpoint", None, b"{}")
    (found,) = db.local_docs("sok")
    assert found.updated_at == 0 or before <= found.updated_at <= time.time_ns() // 1_000_000
    assert db.get_local("sok", "checkpoint").updated_at == found.updated_at
