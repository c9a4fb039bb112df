"""How many leaves a document may have, and how many local documents an owner."""

from __future__ import annotations

import time

import pytest

from sync_server.errors import DocumentTooLarge
from sync_server.storage.base import Database, LeafLimits, RevisionWrite, WriteResult
from tests.contract.drafts import ORIGIN, edit, leaves, write

LIMITS = LeafLimits(live=3, all=5)


def push(db: Database, *writes: RevisionWrite) -> list[WriteResult]:
    return db.bulk_docs(writes, new_edits=False, origin=ORIGIN, leaf_limits=LIMITS)


def refused(results: list[WriteResult]) -> list[str | None]:
    errors = [result.error for result in results]
    assert all(isinstance(error, DocumentTooLarge | None) for error in errors)
    return [error.code if isinstance(error, DocumentTooLarge) else None for error in errors]


def test_a_branch_too_many_is_refused_in_its_row_and_the_rest_is_stored(db: Database) -> None:
    branches = [write("a", f"2-{name}", "1-a") for name in "bcde"]
    results = push(db, write("a", "1-a"), *branches, write("other", "1-a"))
    assert refused(results) == [None, None, None, None, "leaves", None]
    assert results[4].rev == "2-e"
    assert sorted(leaves(db, "a")) == ["2-b", "2-c", "2-d"]


def test_what_goes_on_from_a_leaf_opens_no_branch(db: Database) -> None:
    push(db, *[write("a", f"2-{name}", "1-a") for name in "bcd"])
    results = push(
        db,
        write("a", "3-x", "2-b", "1-a"),
        write("a", "5-z", "4-y", "3-w", "2-c", "1-a"),
        write("a", "3-q", "2-d", "1-a", deleted=True),
    )
    assert refused(results) == [None, None, None]
    assert sorted(leaves(db, "a")) == ["3-q", "3-x", "5-z"]


def test_what_is_known_is_no_branch(db: Database) -> None:
    push(db, *[write("a", f"2-{name}", "1-a") for name in "bcd"])
    results = push(db, write("a", "1-a"), write("a", "2-c", "1-a"))
    assert refused(results) == [None, None]
    assert not any(result.changed for result in results)


def test_deleted_leaves_count_towards_a_larger_limit(db: Database) -> None:
    deleted = [write("a", f"2-{name}", "1-a", deleted=True) for name in "bcdefg"]
    assert refused(push(db, write("a", "1-a"), *deleted)) == [None] * 6 + ["leaves"]
    assert refused(push(db, write("a", "2-live", "1-a"))) == ["leaves"]
    assert len(leaves(db, "a")) == 5


def test_a_branch_that_was_settled_makes_room(db: Database) -> None:
    push(db, *[write("a", f"2-{name}", "1-a") for name in "bcd"])
    assert refused(push(db, write("a", "2-e", "1-a"))) == ["leaves"]
    edit(db, write("a", "2-b", "1-a", deleted=True))
    assert refused(push(db, write("a", "2-e", "1-a"))) == [None]


def test_without_limits_a_document_takes_any_branch(db: Database) -> None:
    writes = [write("a", f"2-{number}", "1-a") for number in range(60)]
    results = db.bulk_docs(writes, new_edits=False, origin=ORIGIN)
    assert all(result.error is None for result in results)


def keep(db: Database, owner: str, *names: str) -> None:
    for name in names:
        db.put_local(owner, name, None, b"{}", keep=3)
        time.sleep(0.002)  # Times are kept in milliseconds.


def names_of(db: Database, owner: str) -> list[str]:
    return [document.doc_id for document in db.local_docs(owner)]


@pytest.mark.parametrize("view", ["whole", "scoped"])
def test_of_local_documents_those_written_last_stay(db: Database, view: str) -> None:
    seen = db if view == "whole" else db.within([""])
    keep(seen, "sok", "c", "b", "a")
    assert names_of(db, "sok") == ["a", "b", "c"]
    keep(seen, "sok", "d")
    assert names_of(db, "sok") == ["a", "b", "d"]


def test_writing_a_local_document_again_keeps_it(db: Database) -> None:
    keep(db, "sok", "a", "b", "c", "a", "d")
    assert names_of(db, "sok") == ["a", "c", "d"]


def test_local_documents_of_others_stay(db: Database) -> None:
    keep(db, "dara", "a")
    keep(db, "sok", "a", "b", "c", "d")
    assert names_of(db, "dara") == ["a"]
