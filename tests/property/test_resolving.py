"""Laws of the resolver over the real engine: whatever arrives in whatever order, and whoever else
is at work.

One database serves all examples; each uses documents of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflict.resolution import Case
from sync_server import branches
from sync_server.intake.pipeline import run_stages
from sync_server.intake.resolve import resolve_conflicts
from sync_server.intake.stage import Intake
from sync_server.sql import open_engine, upgrade
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    Origin,
    Revision,
    Revisions,
    RevisionWrite,
)
from sync_server.storage.sqlite import open_store
from tests.property.turns import Turns
from tests.property.worlds import POLICIES, Stored, World, thorough, worlds

NAME = "rushit"
NOW = 1_764_000_000_000
numbers = count(1)


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    folder = tmp_path_factory.mktemp("resolving")
    store = open_store(folder / "databases")
    store.create(NAME)
    sql = open_engine(f"sqlite:///{folder / 'service.db'}")
    upgrade(sql)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(branches, "policies_for", lambda _: POLICIES)
        yield Intake(store.database(NAME), sql, lambda: NOW)
    store.close()
    sql.dispose()


def new_document() -> str:
    return f"thing:{next(numbers)}"


def write_of(doc_id: str, stored: Stored) -> RevisionWrite:
    start = int(stored.rev.partition("-")[0])
    revisions = Revisions(start, [rev.partition("-")[2] for rev in stored.history])
    photos = {name: AttachmentWrite("image/jpeg", data) for name, data in stored.photos.items()}
    return RevisionWrite(doc_id, revisions, orjson.dumps(stored.body), stored.deleted, photos)


def push(database: Database, doc_id: str, batch: Sequence[Stored], at: int = NOW) -> None:
    writes = [write_of(doc_id, stored) for stored in batch]
    results = database.bulk_docs(writes, new_edits=False, origin=Origin("sok", "tablet", at))
    assert all(result.error is None for result in results)


def arrive(database: Database, doc_id: str, world: World) -> None:
    """What was sent earlier, one revision after the other, is kept as far as the world says."""
    push(database, doc_id, [stored for rev, stored in world.revisions.items() if rev in world.kept])


def resolve(intake: Intake, doc_id: str) -> None:
    run_stages(intake, [doc_id], (resolve_conflicts,))


def state_of(database: Database, doc_id: str) -> list[tuple[object, ...]]:
    """Leaves, to the byte, with the content of their photos."""
    found = database.open_revs(doc_id, None)
    return [
        (leaf.rev, leaf.deleted, leaf.body, leaf.revisions, leaf.attachments)
        for leaf in found
        if isinstance(leaf, Revision)
    ]


def live(database: Database, doc_id: str) -> list[str]:
    return [leaf.rev for leaf in database.state(doc_id).leaves if not leaf.deleted]


def is_at_rest(database: Database, doc_id: str) -> bool:
    """One live leaf at most, or a case."""
    read = branches.read_disputed(database, [doc_id])
    return not read or isinstance(read[0].resolve(), Case)


@pytest.mark.timeout(1200)
@thorough
@given(worlds(), st.data())
def test_no_order_of_arrival_changes_a_revision_or_a_byte(
    intake: Intake, world: World, data: st.DataObject
) -> None:
    states = []
    for _ in range(2):
        doc_id = new_document()
        arrive(intake.database, doc_id, world)
        for leaf in data.draw(st.permutations(list(world.sent()))):
            push(intake.database, doc_id, [leaf], at=NOW - data.draw(st.integers(0, 10**9)))
        resolve(intake, doc_id)
        states.append(state_of(intake.database, doc_id))
    assert states[0] == states[1]


@pytest.mark.timeout(1200)
@thorough
@given(worlds())
def test_resolving_twice_writes_nothing(intake: Intake, world: World) -> None:
    doc_id = new_document()
    arrive(intake.database, doc_id, world)
    push(intake.database, doc_id, list(world.sent()))
    resolve(intake, doc_id)
    before = intake.database.update_seq()
    resolve(intake, doc_id)
    assert intake.database.update_seq() == before
    assert is_at_rest(intake.database, doc_id)


@pytest.mark.timeout(1200)
@thorough
@given(worlds(), st.data())
def test_what_is_delivered_again_and_short_ancestries_change_nothing(
    intake: Intake, world: World, data: st.DataObject
) -> None:
    doc_id = new_document()
    arrive(intake.database, doc_id, world)
    sent = list(world.sent())
    push(intake.database, doc_id, sent)
    if data.draw(st.booleans()):
        resolve(intake, doc_id)
    before = intake.database.update_seq(), state_of(intake.database, doc_id)
    known = [*sent, *(world.revisions[rev] for rev in sorted(world.kept))]
    for stored in data.draw(st.lists(st.sampled_from(known), max_size=8)):
        length = data.draw(
            st.integers(1, min(len(stored.history), world.short.get(stored.rev, 100)))
        )
        push(intake.database, doc_id, [stored._replace(history=stored.history[:length])])
    assert (intake.database.update_seq(), state_of(intake.database, doc_id)) == before


@pytest.mark.timeout(1200)
@thorough
@given(worlds(), st.data())
def test_workers_that_race_and_tablets_that_push_meanwhile_leave_one_live_leaf(
    intake: Intake, world: World, data: st.DataObject
) -> None:
    doc_id = new_document()
    arrive(intake.database, doc_id, world)
    leaves = list(world.sent())
    late = data.draw(st.integers(0, len(leaves) - 1))
    push(intake.database, doc_id, leaves[late:])
    turns = Turns(data.draw(st.lists(st.integers(0, 11), max_size=40)))
    for number in range(data.draw(st.integers(2, 3))):
        taking_turns = Intake(turns.watched(intake.database), intake.sql, intake.now)
        turns.add(f"worker {number}", lambda own=taking_turns: resolve(own, doc_id))
    pushing = turns.watched(intake.database)
    turns.add("tablet", lambda: [push(pushing, doc_id, [leaf]) for leaf in leaves[:late]])
    turns.run()
    if late:
        resolve(intake, doc_id)
    assert is_at_rest(intake.database, doc_id)
    before = intake.database.update_seq()
    resolve(intake, doc_id)
    assert intake.database.update_seq() == before
    if not branches.disputed_among(intake.database, [doc_id]):
        assert len(live(intake.database, doc_id)) <= 1
