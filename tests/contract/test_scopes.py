"""What a reader of some areas is told: their documents, and what has gone from their sight."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from conflict.revision_tree import RevisionTree
from sync_server.errors import BadRequest, NotFound
from sync_server.storage.base import (
    AttachmentWrite,
    Database,
    MissingRevision,
    Revision,
    RevsDiff,
)
from sync_server.storage.departures import departure_of
from tests.contract.drafts import ORIGIN, body_of, replicate, write

HERE, THERE, BEYOND, NATION = "020301", "020302", "020401", ""


class Reader:
    """A tablet that pulls pages as replicators do, and keeps trees of its own."""

    def __init__(self, db: Database, *areas: str) -> None:
        self.db = db
        self.areas = areas
        self.since = "0"
        self.trees: dict[str, RevisionTree] = {}

    def pull(self, limit: int = 3, pages: int | None = None) -> list[str]:
        """Ids in the order they were told."""
        told: list[str] = []
        while pages is None or pages > 0:
            view = self.db.within(self.areas)
            page = view.changes(self.since, limit=limit)
            for row in page.rows:
                told.append(row.doc_id)
                found = view.bulk_get([(row.doc_id, rev) for rev in row.leaves], latest=True)
                for revisions in found:
                    assert revisions, "a listed revision is served"
                    for one in revisions:
                        self.keep(row.doc_id, one)
            self.since = page.last_seq
            pages = None if pages is None else pages - 1
            if not page.pending:
                break
        return told

    def keep(self, doc_id: str, one: Revision | MissingRevision) -> None:
        assert isinstance(one, Revision), f"{one} was listed and is not served"
        tree = self.trees.setdefault(doc_id, RevisionTree())
        start, ids = one.revisions
        tree.graft(start, ids, deleted=one.deleted, body=1)

    def shows(self) -> dict[str, str]:
        """Live documents and their winning revisions, as an app sees them."""
        winners = {doc_id: tree.winner() for doc_id, tree in self.trees.items()}
        return {
            doc_id: rev
            for doc_id, rev in winners.items()
            if not self.trees[doc_id].nodes[rev].deleted
        }


def visible(db: Database, *areas: str) -> dict[str, str]:
    rows = db.within(areas).all_docs().rows
    return {row.doc_id: row.rev for row in rows if row is not None}


def test_other_areas_look_as_if_they_were_not_there(db: Database) -> None:
    photo = AttachmentWrite("image/jpeg", b"face")
    replicate(db, write("mine", "1-a", area=HERE), write("nation", "1-n", area=NATION))
    replicate(db, write("foreign", "1-f", area=THERE, attachments={"face": photo}))
    view = db.within([HERE, NATION], Saw(HERE, NATION))
    for call in (
        lambda: view.get("foreign"),
        lambda: view.get("foreign", "1-f"),
        lambda: view.state("foreign"),
        lambda: view.revs_info("foreign", "1-f"),
        lambda: view.attachment("foreign", None, "face"),
    ):
        with pytest.raises(NotFound) as refused:
            call()
        with pytest.raises(NotFound) as unknown:
            view.get("nowhere")
        assert refused.value.reason == unknown.value.reason
    assert view.open_revs("foreign", None) == view.open_revs("nowhere", None) == []
    assert view.bulk_get([("foreign", "1-f"), ("mine", None)])[0] == [
        MissingRevision("foreign", "1-f")
    ]
    assert view.winners(["foreign", "nowhere"]) == [None, None]
    assert view.revs_diff({"foreign": ["1-f"], "nowhere": ["1-f"], "mine": ["1-a"]}) == {
        "foreign": view.revs_diff({"nowhere": ["1-f"]})["nowhere"],
        "nowhere": view.revs_diff({"nowhere": ["1-f"]})["nowhere"],
    }
    assert view.all_docs(keys=["foreign", "nowhere"]).rows == [None, None]
    assert [row.doc_id for row in view.changes(doc_ids=["foreign", "mine"]).rows] == ["mine"]
    assert [row.doc_id for row in view.changes(descending=True).rows] == ["nation", "mine"]
    assert visible(db, HERE, NATION) == {"mine": "1-a", "nation": "1-n"}
    assert (view.info().doc_count, view.all_docs().total_rows) == (2, 2)


def test_a_document_that_leaves_departs_once_and_for_those_who_had_it(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE))
    one, late = Reader(db, HERE), Reader(db, HERE)
    one.pull()
    replicate(db, write("a", "2-b", "1-a", area=THERE))
    assert one.pull() == ["a"]
    assert one.shows() == {}
    assert one.pull() == []
    assert late.pull() == []
    assert Reader(db, THERE).pull() == ["a"]


def test_a_departure_covers_every_leaf_and_leaves_unsent_work_alone(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE))
    replicate(db, write("a", "2-b", "1-a"), write("a", "2-c", "1-a"))
    reader = Reader(db, HERE)
    reader.pull()
    reader.trees["a"].graft(3, ["unsent", "c", "a"], body=1)
    replicate(db, write("a", "3-d", "2-b", "1-a", area=THERE))
    reader.pull()
    assert reader.shows() == {"a": "3-unsent"}


def test_departures_come_back_from_nobody(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE), write("b", "1-b", area=HERE))
    gone = departure_of("a", "1-a")
    replicate(db, write("a", "2-x", "1-a", area=THERE))
    for view in (db, db.within([HERE]), db.within([THERE])):
        assert view.revs_diff({"a": [gone], "b": [departure_of("b", "1-b")]}) == {}
    (result,) = replicate(db, write("a", gone, "1-a", deleted=True))
    assert not result.changed
    assert [leaf.rev for leaf in db.state("a").leaves] == ["2-x"]


class Saw:
    """Who saw these areas at any time."""

    def __init__(self, *seen: str, lately: Sequence[str] = ()) -> None:
        self.seen = seen
        self._lately = lately

    def saw(self, area: str, since: int, until: int | None) -> bool:
        return area in self.seen

    saw_lately = saw

    def lately(self) -> Sequence[str]:
        return self._lately


def test_who_never_saw_a_document_learns_nothing_by_its_departure(db: Database) -> None:
    replicate(db, write("a", "1-a", area=THERE))
    gone = departure_of("a", "1-a")
    stranger, former = db.within([HERE], Saw(HERE)), db.within([HERE], Saw(HERE, THERE))
    assert stranger.bulk_get([("a", gone)]) == [[MissingRevision("a", gone)]]
    with pytest.raises(NotFound):
        stranger.get("a", gone)
    assert stranger.open_revs("a", [gone]) == [MissingRevision("a", gone)]
    assert stranger.revs_diff({"a": [gone, "1-a"]}) == {"a": RevsDiff([gone, "1-a"], [])}
    found = former.get("a", gone)
    assert found.deleted and found.revisions.revs()[1:] == ["1-a"]
    assert former.bulk_get([("a", gone)]) == [[found]] == [former.open_revs("a", [gone])]


def test_what_a_client_wrote_goes_though_it_was_never_told(db: Database) -> None:
    reader = Reader(db, HERE)
    reader.pull()
    replicate(db, write("own", "1-a", area=HERE), write("other", "1-a", area=THERE))
    db.relocate({"own": THERE}, origin=ORIGIN)
    assert db.within([HERE]).changes(reader.since).rows == []
    (row,) = db.within([HERE], Saw(HERE)).changes(reader.since).rows
    assert row.departed and row.doc_id == "own"
    (row,) = db.within([HERE], Saw(HERE)).changes().rows
    assert row.departed, "nor does one that begins keep what it has just written"


def test_what_was_in_sight_since_the_sequence_was_given_goes_too(db: Database) -> None:
    """A client that could not note how far it had come holds more than its sequence tells."""
    replicate(db, write("a", "1-a", area=HERE))
    noted = Reader(db, HERE)
    noted.pull()
    replicate(db, *(write(f"b{n}", "1-a", area=THERE) for n in range(5)))
    memory = Saw(HERE, THERE, lately=[THERE])
    since, told = noted.since, []
    while True:
        page = db.within([HERE], memory).changes(since, limit=2)
        told += [row.doc_id for row in page.rows if row.departed]
        since, memory = page.last_seq, Saw(HERE, THERE)
        if not page.pending:
            break
    assert told == [f"b{n}" for n in range(5)]
    assert db.within([HERE], memory).changes(since).rows == []


def test_nobody_sends_back_what_they_have_got_and_may_not_see_any_more(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a", area=HERE), write("b", "1-b", area=HERE))
    db.relocate({"a": THERE}, origin=ORIGIN)
    gone = departure_of("a", "2-b")
    for view in (db.within([HERE], Saw(HERE)), db.within([], Saw(HERE))):
        assert view.revs_diff({"a": ["1-a", "2-b", gone], "b": ["1-b"]}) == {}
        assert view.revs_diff({"a": ["9-unsent"]}) == {"a": RevsDiff(["9-unsent"], [])}
    stranger = db.within([BEYOND], Saw(BEYOND))
    assert list(stranger.revs_diff({"a": ["2-b"], "b": ["1-b"]})) == ["a", "b"]


def test_what_is_missing_is_said_in_the_same_way_of_foreign_and_unknown(db: Database) -> None:
    replicate(db, write("foreign", "2-b", "1-a", area=THERE))
    revs = ["3-c", "1-a", "2-b", "1-a", "3-c"]
    found = db.within([HERE], Saw(HERE)).revs_diff({"foreign": revs, "nowhere": revs})
    assert found["foreign"] == found["nowhere"] == RevsDiff(["3-c", "1-a", "2-b"], [])


def test_a_scope_tells_nothing_of_the_size_of_the_whole(db: Database) -> None:
    replicate(db, write("foreign", "1-a", area=THERE))
    before = db.within([HERE]).info()
    replicate(db, write("other", "1-a", area=THERE))
    db.purge({"other": ["1-a"]})
    after = db.within([HERE]).info()
    assert replace(after, update_seq="") == replace(before, update_seq="")


def test_a_seal_after_a_sequence_means_nothing(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE), write("b", "1-b", area=THERE))
    for reader in (db, db.within([HERE])):
        since = reader.changes(limit=1).last_seq
        assert reader.changes(f"{since}~aB-_9") == reader.changes(since)
        with pytest.raises(BadRequest):
            reader.changes(f"{since}~")


def test_a_grant_brings_what_was_there_and_its_end_takes_it_away(db: Database) -> None:
    for number in range(10):
        replicate(db, write(f"h{number}", "1-a", area=HERE))
        replicate(db, write(f"t{number}", "1-a", area=THERE))
    reader = Reader(db, HERE)
    reader.pull()
    reader.areas = (HERE, THERE)
    assert set(reader.pull()) == {f"t{number}" for number in range(10)}
    reader.areas = (THERE,)
    assert set(reader.pull()) == {f"h{number}" for number in range(10)}
    assert set(reader.shows()) == {f"t{number}" for number in range(10)}


@pytest.mark.parametrize("pages", range(5))
def test_a_backfill_goes_on_from_any_page_even_if_the_scope_changes_again(
    db: Database, pages: int
) -> None:
    for number in range(6):
        for area in (HERE, THERE, BEYOND, NATION):
            replicate(db, write(f"{area}-{number}", "1-a", area=area))
    reader = Reader(db, HERE)
    reader.pull()
    reader.areas = (THERE,)
    reader.pull(limit=2, pages=pages)
    replicate(db, write("late", "1-a", area=THERE))
    reader.areas = (NATION,)
    reader.pull(limit=2, pages=pages)
    reader.areas = (BEYOND, NATION)
    reader.pull(limit=2)
    assert reader.shows() == visible(db, BEYOND, NATION)


def test_one_who_saw_everything_keeps_what_the_scope_leaves_them(db: Database) -> None:
    for number in range(4):
        replicate(db, write(f"h{number}", "1-a", area=HERE))
        replicate(db, write(f"t{number}", "1-a", area=THERE))
    page = db.changes()
    reader = Reader(db, HERE)
    for row in page.rows:
        for one in db.open_revs(row.doc_id, None):
            reader.keep(row.doc_id, one)
    reader.since = page.last_seq
    reader.pull(limit=1)
    assert reader.shows() == visible(db, HERE)


def test_a_document_that_comes_back_without_an_edit_lives_again(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE, n=1))
    reader = Reader(db, HERE)
    reader.pull()
    assert db.relocate({"a": THERE, "no": THERE}, origin=ORIGIN) == 1
    reader.pull()
    assert reader.shows() == {}
    assert db.relocate({"a": HERE}, origin=ORIGIN) == 1
    reader.pull()
    assert reader.shows() == visible(db, HERE)
    assert body_of(db.get("a")) == {"n": 1}


def test_an_area_granted_again_lives_again_once_it_is_renewed(db: Database) -> None:
    photo = AttachmentWrite("image/jpeg", b"face")
    replicate(db, write("a", "1-a", area=HERE, attachments={"face": photo}))
    replicate(db, write("gone", "1-a", area=HERE), write("gone", "2-b", "1-a", deleted=True))
    reader = Reader(db, HERE)
    for areas in ((HERE,), (), (HERE,)):
        reader.areas = areas
        reader.pull()
    assert reader.shows() == {}
    assert db.renew(["a", "gone", "no"], origin=ORIGIN) == 1
    reader.pull()
    assert reader.shows() == visible(db, HERE)
    info, content = db.attachment("a", None, "face")
    with content as stream:
        assert stream.read() == b"face"


def test_waiting_ends_where_a_document_leaves_or_the_scope_changes(db: Database) -> None:
    replicate(db, write("a", "1-a", area=HERE))
    view = db.within([HERE])
    since = view.update_seq()
    assert not view.wait(since, 0.01)
    replicate(db, write("b", "1-a", area=THERE))
    assert not view.wait(since, 0.01)
    replicate(db, write("a", "2-b", "1-a", area=THERE))
    assert view.wait(since, 30)
    assert db.within([HERE, THERE]).wait(view.update_seq(), 30)


def test_pending_is_zero_only_where_nothing_is_left(db: Database) -> None:
    for number in range(7):
        replicate(db, write(f"d{number}", "1-a", area=HERE if number % 2 else THERE))
    view = db.within([HERE])
    assert view.changes(limit=0).pending == 3
    first = view.changes(limit=2)
    assert (len(first.rows), first.pending) == (2, 1)
    last = view.changes(first.last_seq, limit=1)
    assert (len(last.rows), last.pending) == (1, 0)
    other = db.within([THERE])
    changed = other.changes(last.last_seq, limit=1)
    assert changed.pending > 0


@pytest.mark.parametrize("seed", range(300))
def test_whatever_moves_and_whoever_may_see_it_readers_end_with_their_scope(
    db: Database, seed: int
) -> None:
    chance = random.Random(seed)
    areas = ["", "02", "020301", "020302", "020401"]
    readers = [Reader(db, *chance.sample(areas, 2)) for _ in range(3)]
    for step in range(60):
        doc_id = f"d{chance.randrange(8)}"
        match chance.randrange(6):
            case 0 | 1:
                change(db, chance, doc_id, step, chance.choice([None, *areas]))
            case 2:
                db.relocate({doc_id: chance.choice(areas)}, origin=ORIGIN)
            case 3:
                regrant(db, chance.choice(readers), chance.sample(areas, chance.randrange(4)))
            case _:
                chance.choice(readers).pull(chance.randrange(1, 4), chance.randrange(3))
    for reader in readers:
        reader.pull(2)
        assert reader.shows() == visible(db, *reader.areas)


def change(db: Database, chance: random.Random, doc_id: str, step: int, area: str | None) -> None:
    try:
        leaf = chance.choice(db.state(doc_id).leaves)
    except NotFound:
        replicate(db, write(doc_id, f"1-{step:x}", area=area or ""))
        return
    (found,) = db.open_revs(doc_id, [leaf.rev])
    assert isinstance(found, Revision)
    parents = found.revisions.revs()
    keep = parents[chance.randrange(len(parents)) :]
    number = int(keep[0].partition("-")[0]) + 1
    deleted = chance.random() < 0.2
    replicate(db, write(doc_id, f"{number}-{step:x}", *keep, area=area, deleted=deleted))


def regrant(db: Database, reader: Reader, areas: list[str]) -> None:
    """As the service does: documents of an area that comes back are renewed."""
    came = set(areas) - set(reader.areas)
    reader.areas = tuple(areas)
    for area in sorted(came):
        rows = db.within([area]).changes().rows
        db.renew([row.doc_id for row in rows], origin=ORIGIN)
