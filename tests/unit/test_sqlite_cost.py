"""Nothing a tablet asks costs more because more lies behind it.

Counted in steps of SQLite's virtual machine, which do not depend on the machine or its load.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sync_server.replication.changes_pages import pages
from sync_server.replication.changes_query import ChangesQuery
from sync_server.replication.filters import NO_FILTER
from sync_server.replication.rendering import PLAIN
from sync_server.storage.base import Database, Origin, Revisions, RevisionWrite
from sync_server.storage.sqlite import open_store
from sync_server.storage.sqlite.database import SQLiteDatabase

SMALL, LARGE = 300, 30_000

COMMUNE = "020301"
IN_COMMUNE = 100
"""Documents of one commune, spread evenly over the database, whatever else it holds."""
SEEN = ["", "02", "0203", COMMUNE, "@sok"]
"""What the commune's worker sees."""


def filled(path: Path, documents: int) -> SQLiteDatabase:
    store = open_store(path)
    store.create("notes")
    db = store.database("notes")
    step = documents // IN_COMMUNE
    for start in range(0, documents, 1000):
        numbers = range(start, min(start + 1000, documents))
        areas = {n: f"{n % 9}" if n % step else COMMUNE for n in numbers}
        db.bulk_docs(
            [
                RevisionWrite(
                    f"d{n:06}", Revisions(1, [secrets.token_hex(16)]), b'{"n":1}', area=areas[n]
                )
                for n in numbers
            ],
            new_edits=False,
            origin=Origin(),
        )
    db.put_local("sok", "checkpoint", None, b"{}")
    return db


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> list[SQLiteDatabase]:
    return [filled(tmp_path_factory.mktemp("cost"), size) for size in (SMALL, LARGE)]


def steps(db: SQLiteDatabase, work: Callable[[Database], object]) -> int:
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    work(db)  # connections are open and statements prepared from here on
    connections: list[sqlite3.Connection] = [*db.connections._idle]
    for connection in connections:
        connection.set_progress_handler(step, 1)
    try:
        work(db)
    finally:
        for connection in connections:
            connection.set_progress_handler(None, 0)
    return count


def recent(db: Database) -> str:
    number, _, epoch = db.update_seq().partition("-")
    return f"{int(number) - 20}-{epoch}"


def push(db: Database) -> None:
    db.bulk_docs(
        [
            RevisionWrite(f"n{secrets.token_hex(8)}", Revisions(1, [secrets.token_hex(16)]), b"{}")
            for _ in range(20)
        ],
        new_edits=False,
        origin=Origin(),
    )


LATEST = ChangesQuery(
    feed="normal",
    since="0",
    limit=1,
    descending=True,
    filter=NO_FILTER,
    all_leaves=False,
    include_docs=False,
    conflicts=False,
    view=PLAIN,
    seq_interval=1,
    timeout=0.0,
    heartbeat=None,
)


def whole_commune(db: Database) -> None:
    """The first sync of the commune's worker."""
    view = db.within(SEEN)
    since, told = "0", 0
    while True:
        page = view.changes(since, limit=20)
        view.bulk_get([(row.doc_id, row.leaves[0]) for row in page.rows], latest=True)
        since, told = page.last_seq, told + len(page.rows)
        if not page.pending:
            break
    assert told == IN_COMMUNE


def idle_commune(db: Database) -> None:
    """A sync that finds nothing, since when others have written."""
    view = db.within(SEEN)
    view.info()
    number, rest = view.update_seq().split("-", 1)
    page = view.changes(f"{int(number) - 2}-{rest}")
    assert page.rows == []


REQUESTS: dict[str, Callable[[Database], object]] = {
    "info": lambda db: db.info(),
    "idle changes": lambda db: db.changes(db.update_seq()),
    "a small pull": lambda db: [
        db.changes(recent(db), limit=100),
        db.bulk_get([(row.doc_id, None) for row in db.changes(recent(db), limit=100).rows]),
    ],
    "the first page": lambda db: db.changes("0", limit=20),
    "the first page of an area": lambda db: db.within(["3", "5"]).changes("0", limit=20),
    "the latest change": lambda db: list(pages(db, LATEST, "0", 1)),
    "a page of ids": lambda db: db.all_docs(startkey="d000100", limit=20),
    "a document": lambda db: db.get("d000007"),
    "what is missing": lambda db: db.revs_diff({f"d{n:06}": ["1-x"] for n in range(20)}),
    "a checkpoint": lambda db: db.put_local("sok", "checkpoint", "0-1", b"{}"),
    "conflicts": lambda db: db.conflicted(),
    "a push": push,
}


REQUESTS_OF_A_COMMUNE: dict[str, Callable[[Database], object]] = {
    "the first sync": whole_commune,
    "an idle sync": idle_commune,
    "ids": lambda db: db.within(SEEN).all_docs(limit=20),
    "a document": lambda db: db.within(SEEN).get("d000000"),
    "what is missing": lambda db: db.within(SEEN).revs_diff(
        {f"d{n:06}": ["1-x"] for n in range(20)}
    ),
}


@pytest.mark.parametrize("name", REQUESTS_OF_A_COMMUNE)
def test_a_worker_pays_for_their_commune_whatever_the_country_holds(
    databases: list[SQLiteDatabase], name: str
) -> None:
    few, many = (steps(db, REQUESTS_OF_A_COMMUNE[name]) for db in databases)
    assert 0 < many <= 1.3 * few


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_costs_the_same_with_a_hundred_times_as_much_behind_it(
    databases: list[SQLiteDatabase], name: str
) -> None:
    few, many = (steps(db, REQUESTS[name]) for db in databases)
    # `pending` adds up at most 255 + 255 ranges, whatever the size (see tally.py).
    assert many <= 1.3 * few + 4 * 255 * 8
    assert few > 0


def test_every_query_of_the_feed_uses_an_index(databases: list[SQLiteDatabase]) -> None:
    db = databases[1]
    with db.connections.read() as connection:
        for query in (
            "SELECT id FROM document WHERE seq > 5 ORDER BY seq LIMIT 10",
            "SELECT id FROM document WHERE area = '3' AND seq > 5 ORDER BY seq",
            "SELECT id FROM document WHERE live > 1 AND id > 'a' ORDER BY id LIMIT 3",
        ):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert all(line.startswith("SEARCH") for line in plan), plan
