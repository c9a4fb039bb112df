"""The changes feed and the listing of ids, as every engine must answer them."""

from __future__ import annotations

import random
import threading
import time

import pytest

from sync_server.errors import BadRequest
from sync_server.storage.base import Change, Database, DocumentStore
from tests.contract.drafts import edit, put, replicate, write


def ids(rows: object) -> list[str]:
    return [row.doc_id for row in rows]  # type: ignore[attr-defined]


def all_pages(db: Database, limit: int, areas: list[str] | None = None) -> list[Change]:
    view = db if areas is None else db.within(areas)
    rows: list[Change] = []
    since = "0"
    while True:
        page = view.changes(since, limit=limit)
        rows += page.rows
        since = page.last_seq
        if not page.pending:
            return rows


def test_each_document_stands_once_at_its_latest_change(db: Database) -> None:
    first = put(db, "a", n=1)
    put(db, "b")
    put(db, "a", first, n=2)
    page = db.changes()
    assert ids(page.rows) == ["b", "a"]
    assert page.last_seq == db.update_seq()
    assert page.pending == 0


def test_since_answers_what_came_after(db: Database) -> None:
    put(db, "a")
    since = db.update_seq()
    assert db.changes(since).rows == []
    put(db, "b")
    assert ids(db.changes(since).rows) == ["b"]


def test_pages_follow_one_another_without_gap_and_pending_counts_the_rest(db: Database) -> None:
    for n in range(700):
        put(db, f"d{n:03}")
    chance = random.Random(1)
    for n in chance.sample(range(700), 300):
        put(db, f"d{n:03}", db.state(f"d{n:03}").winner.rev, again=True)
    everything = ids(db.changes().rows)
    assert len(everything) == 700
    since, seen = "0", 0
    while True:
        page = db.changes(since, limit=97)
        assert ids(page.rows) == everything[seen : seen + 97]
        seen += len(page.rows)
        assert page.pending == 700 - seen
        since = page.last_seq
        if not page.pending:
            break
    assert since == db.update_seq()


def test_limit_zero_answers_no_rows_and_all_that_is_pending(db: Database) -> None:
    put(db, "a")
    put(db, "b")
    page = db.changes(limit=0)
    assert (list(page.rows), page.pending) == ([], 2)
    assert ids(db.changes(page.last_seq).rows) == ["a", "b"]


def test_descending_answers_the_latest_first(db: Database) -> None:
    for name in "abc":
        put(db, name)
    assert ids(db.changes(descending=True, limit=2).rows) == ["c", "b"]


def test_rows_carry_every_leaf_and_whether_the_winner_is_deleted(db: Database) -> None:
    replicate(db, write("a", "2-b", "1-a"), write("a", "3-c", "2-c", "1-a", deleted=True))
    (row,) = db.changes().rows
    assert list(row.leaves) == ["2-b", "3-c"]
    assert not row.deleted
    replicate(db, write("a", "3-b", "2-b", "1-a", deleted=True))
    (row,) = db.changes().rows
    assert row.deleted


def test_a_sequence_of_another_epoch_counts_as_the_beginning(db: Database) -> None:
    put(db, "a")
    assert ids(db.changes("1-elsewhere").rows) == ["a"]
    assert ids(db.changes("1").rows) == ["a"]


@pytest.mark.parametrize("since", ["x", "-1", "", "1 OR 1", "99999999999999999999"])
def test_a_malformed_sequence_is_a_bad_request(db: Database, since: str) -> None:
    put(db, "a")
    with pytest.raises(BadRequest):
        db.changes(since)


def test_sequences_start_with_an_integer_that_grows(db: Database) -> None:
    numbers = []
    for name in "abc":
        put(db, name)
        numbers.append(int(db.update_seq().partition("-")[0]))
    assert numbers == sorted(set(numbers))


def test_areas_answer_exactly_their_documents_in_sequence(db: Database) -> None:
    chance = random.Random(2)
    areas = ["", "02", "020301", "020302", "0203"]
    where = {}
    for n in range(300):
        where[f"d{n:03}"] = area = chance.choice(areas)
        replicate(db, write(f"d{n:03}", "1-a", area=area))
    wanted = ["020301", "", "0203"]
    rows = all_pages(db, 7, wanted)
    assert {row.doc_id for row in rows} == {name for name, area in where.items() if area in wanted}
    numbers = [int(row.seq.partition("-")[0]) for row in rows]
    assert numbers == sorted(set(numbers))
    assert db.within(wanted).changes(limit=0).pending == len(rows)
    down = db.within(wanted).changes(descending=True).rows
    assert ids(down) == ids(rows)[::-1]


def test_a_document_stays_in_its_area_until_a_write_moves_it(db: Database) -> None:
    replicate(db, write("a", "1-a", area="0203"))
    replicate(db, write("a", "2-b", "1-a"))
    assert ids(db.within(["0203"]).changes().rows) == ["a"]
    replicate(db, write("a", "3-c", "2-b", "1-a", area="0204"))
    assert db.within(["0203"]).changes().rows == []
    assert db.state("a").area == "0204"


def test_named_documents_only(db: Database) -> None:
    for name in "abc":
        put(db, name)
    assert ids(db.changes(doc_ids=["c", "a", "no"]).rows) == ["a", "c"]
    page = db.changes(doc_ids=["c", "a"], limit=1)
    assert (ids(page.rows), page.pending) == (["a"], 1)


def test_wait_returns_at_once_where_something_is_there(db: Database) -> None:
    since = db.update_seq()
    put(db, "a")
    assert db.wait(since, 30)


def test_wait_ends_without_a_change(db: Database) -> None:
    assert not db.wait(db.update_seq(), 0.01)


def test_a_write_wakes_those_who_wait_for_its_area_and_nobody_else(db: Database) -> None:
    woken: dict[str, bool] = {}

    def wait(name: str, areas: list[str] | None, timeout: float) -> None:
        view = db if areas is None else db.within(areas)
        woken[name] = view.wait(view.update_seq(), timeout)

    waiting = [
        threading.Thread(target=wait, args=("all", None, 30)),
        threading.Thread(target=wait, args=("here", ["0203"], 30)),
        threading.Thread(target=wait, args=("elsewhere", ["0204"], 1)),
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.2)
    replicate(db, write("a", "1-a", area="0203"))
    for thread in waiting:
        thread.join(30)
    assert woken == {"all": True, "here": True, "elsewhere": False}


def test_all_docs_lists_live_documents_by_id(db: Database) -> None:
    for name in ("b", "a", "c", "é", "Z"):
        put(db, name)
    edit(db, write("c", db.state("c").winner.rev, deleted=True))
    page = db.all_docs()
    assert ids(page.rows) == ["Z", "a", "b", "é"]
    assert page.total_rows == 4
    assert ids(db.all_docs(startkey="a", endkey="b").rows) == ["a", "b"]
    assert ids(db.all_docs(startkey="a", endkey="b", inclusive_end=False).rows) == ["a"]
    assert ids(db.all_docs(startkey="b", endkey="a", descending=True).rows) == ["b", "a"]
    assert ids(db.all_docs(skip=1, limit=2).rows) == ["a", "b"]


def test_all_docs_with_keys_answers_each_key_in_order(db: Database) -> None:
    put(db, "a")
    rev = put(db, "b")
    edit(db, write("b", rev, deleted=True))
    found = db.all_docs(keys=["b", "no", "a", "a"]).rows
    assert [row and (row.doc_id, row.deleted) for row in found] == [
        ("b", True),
        None,
        ("a", False),
        ("a", False),
    ]


def test_a_database_knows_the_sequences_that_it_gave(db: Database, store: DocumentStore) -> None:
    view = db.within(["02"])
    given = [db.update_seq(), view.update_seq()]
    for n in range(5):
        replicate(db, write(f"d{n}", "1-a", area="02"))
    given += [db.update_seq(), view.update_seq(), db.changes(limit=2).last_seq]
    given += [change.seq for change in view.changes().rows]
    assert all(db.gave(sequence) and view.gave(sequence) for sequence in given)


def test_sequences_of_others_are_told_apart(db: Database, store: DocumentStore) -> None:
    store.create("others")
    other = store.database("others")
    put(db, "a")
    for n in range(5):
        put(other, f"d{n}")
    foreign = ["", "0", "5", "now", "5-", "1-g1AAAAB5", "x", "1", other.update_seq(), "9" * 300]
    assert [sequence for sequence in foreign if db.gave(sequence)] == []
    number, _, rest = db.update_seq().partition("-")
    assert not db.gave(f"{int(number) + 1}-{rest}")
