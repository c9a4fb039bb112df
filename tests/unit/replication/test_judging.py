"""What becomes of a push: where documents stand, what storage is asked first, and what is kept."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from flask import Flask

from sync_server.app import create_app
from sync_server.intake import belongings
from sync_server.parts import Parts
from sync_server.quarantine import entries
from sync_server.quarantine.entries import Entry
from sync_server.quarantine.telling import notice_of
from sync_server.settings import Settings
from sync_server.storage.base import Database, DocumentState, Origin
from sync_server.storage.sqlite.database import SQLiteDatabase
from tests.places import add_places

PASSWORD = "password-1"
HERE, THERE = "020301", "030101"

_numbers = itertools.count(1)


class Service:
    """One database of a service that runs within the test."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = app
        self.parts: Parts = app.extensions["sync_server"]
        self.name = f"rushit{next(_numbers)}"
        self.parts.store.create(self.name)
        self.parts.accounts.add_member("mirror", self.name)
        self.parts.grants.give("sok", "cew", self.name, HERE)
        self.asked: list[list[str]] = []
        read = SQLiteDatabase.states

        def states(db: SQLiteDatabase, doc_ids: Sequence[str]) -> list[DocumentState | None]:
            self.asked.append(list(doc_ids))
            return read(db, doc_ids)

        monkeypatch.setattr(SQLiteDatabase, "states", states)

    @property
    def db(self) -> Database:
        return self.parts.store.database(self.name)

    def send(self, sender: str, method: str, path: str, body: object) -> Any:
        pair = base64.b64encode(f"{sender}:{PASSWORD}".encode()).decode()
        return self.app.test_client().open(
            f"/db/{self.name}/{path}",
            method=method,
            data=orjson.dumps(body),
            headers={"Authorization": f"Basic {pair}", "Content-Type": "application/json"},
        )

    def push(self, sender: str, *documents: dict[str, Any]) -> Any:
        """With `new_edits=false`, `_rev` being 1-a; answers the rows."""
        docs = [{"_rev": "1-a", **document} for document in documents]
        self.asked.clear()
        answer = self.send(sender, "POST", "_bulk_docs", {"docs": docs, "new_edits": False})
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def kept(self, doc_id: str) -> list[Entry]:
        with self.parts.sql.connect() as connection:
            return entries.of_documents(connection, self.name, [doc_id])[doc_id]

    def area(self, doc_id: str) -> str:
        return self.db.state(doc_id).area


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("judging")
    app = create_app(Settings(data_dir=folder))
    parts: Parts = app.extensions["sync_server"]
    add_places(parts.sql, folder)
    parts.accounts.create("root", PASSWORD, roles=["admin"])
    parts.accounts.create("mirror", PASSWORD, roles=["replicator"])
    parts.accounts.create("sok", PASSWORD)
    yield app
    parts.close()


@pytest.fixture
def service(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(app, monkeypatch)


def household(doc_id: str, area: str, **members: Any) -> dict[str, Any]:
    return {"_id": doc_id, "type": "household", "village": f"{area}01", **members}


@pytest.mark.parametrize("sender", ["root", "mirror"])
def test_storage_is_not_asked_first_of_what_is_pushed_by_whom_nothing_is_refused(
    service: Service, sender: str
) -> None:
    assert service.push(sender, household("household:1", HERE), {"_id": "x"}) == []
    assert service.asked == []
    assert (service.area("household:1"), service.area("x")) == (HERE, "")


@pytest.mark.parametrize("sender", ["root", "mirror", "sok"])
def test_what_is_stored_keeps_its_area_however_it_is_pushed_again(
    service: Service, sender: str
) -> None:
    service.push("root", household("household:1", HERE))
    again = household("household:1", THERE, _rev="2-b")
    again["_revisions"] = {"start": 2, "ids": ["b", "a"]}
    assert service.push(sender, again) == []
    assert service.area("household:1") == HERE


def test_what_is_named_is_asked_for_and_stood_beside(service: Service) -> None:
    service.push("root", household("household:1", THERE))
    named = [{"_id": f"proposal:{n}", "type": "proposal", "household": "household:1"} for n in "12"]
    assert service.push("mirror", *named, household("household:2", HERE)) == []
    assert service.asked == [["household:1"]]
    assert (service.area("proposal:1"), service.area("household:2")) == (THERE, HERE)


def test_what_a_replicator_is_refused_is_kept_where_it_stands(service: Service) -> None:
    service.push("root", household("household:1", THERE), {"_id": "review:1"})
    service.db.relocate({"review:1": THERE}, origin=Origin())
    (row,) = service.push("mirror", {"_id": "review:1", "_rev": "1-forged"})
    assert row["error"] == "forbidden"
    (entry,) = service.kept("review:1")
    assert entry.area == THERE


@pytest.mark.parametrize("sender", ["root", "sok"])
def test_what_comes_while_a_push_is_judged_stays_where_it_stands(
    service: Service, sender: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tablets hold the same document, and its household has moved between their pushes."""
    write = SQLiteDatabase.bulk_docs

    def late(db: SQLiteDatabase, writes: Sequence[Any], **options: Any) -> Any:
        monkeypatch.setattr(SQLiteDatabase, "bulk_docs", write)
        write(db, [writes[0]._replace(area_if_new=THERE)], **options)
        return write(db, writes, **options)

    monkeypatch.setattr(SQLiteDatabase, "bulk_docs", late)
    assert service.push(sender, household("household:1", HERE)) == []
    assert service.area("household:1") == THERE


BROKEN = {
    "a stub of nothing": {"stub": True, "revpos": 1},
    "a wrong digest": {"data": "MQ==", "digest": "md5-wrong"},
    "no gzip": {"data": "MQ==", "encoding": "gzip"},
}


@pytest.mark.parametrize("sender", ["mirror", "sok"])
@pytest.mark.parametrize("broken", BROKEN)
def test_what_an_attachment_keeps_out_of_storage_is_kept_and_its_sender_told(
    service: Service, sender: str, broken: str
) -> None:
    """Some replicators pass over a row's error, others stop at it and never come further."""
    sent = household("household:1", HERE, _attachments={"a": BROKEN[broken]})
    rows = [service.push(sender, sent, household("household:2", HERE)) for _ in range(2)]
    assert rows[0] == rows[1]
    assert [(row["id"], row["rev"], row["error"]) for row in rows[0]] == [
        ("household:1", "1-a", "forbidden")
    ]
    assert service.db.states(["household:1"]) == [None]
    assert service.area("household:2") == HERE
    (entry,) = service.kept("household:1")
    assert (entry.reason, entry.told, entry.area) == ("attachment", "attachment", HERE)
    assert (entry.account, entry.times) == (sender, 2)
    assert service.db.state(notice_of(sender, "household:1")).area == f"@{sender}"
    whole = household("household:1", HERE, _attachments={"a": {"data": "MQ=="}})
    assert service.push(sender, whole) == []
    assert service.db.get("household:1").attachments["a"].length == 1


def test_what_is_sent_alone_with_a_wrong_digest_is_kept(service: Service) -> None:
    """CouchDB goes on without it."""
    sent = household("household:1", HERE, _rev="1-a", _attachments={"a": BROKEN["a wrong digest"]})
    assert service.send("sok", "PUT", "household:1?new_edits=false", sent).status_code == 403
    assert [entry.reason for entry in service.kept("household:1")] == ["attachment"]
    assert service.send("root", "PUT", "household:1?new_edits=false", sent).status_code == 400


@pytest.mark.parametrize(("sender", "is_batch"), [("root", True), ("root", False), ("sok", False)])
def test_who_can_send_it_whole_is_told_that_a_stub_is_missing(
    service: Service, sender: str, is_batch: bool
) -> None:
    """Replicators that send a document alone take 412 for a reason to send all attachments."""
    stub = {"a": BROKEN["a stub of nothing"]}
    sent = household("household:1", HERE, _rev="1-a", _attachments=stub)
    if is_batch:
        (row,) = service.push(sender, sent)
        assert row["error"] == "missing_stub"
    else:
        answer = service.send(sender, "PUT", "household:1?new_edits=false", sent)
        assert (answer.status_code, answer.get_json()["error"]) == (412, "missing_stub")
    assert service.kept("household:1") == []


def test_a_stub_of_a_document_out_of_sight_is_answered_as_one_of_nothing(service: Service) -> None:
    """Of one that may be written, for it was captured while the grant held."""
    theirs = household("household:theirs", HERE, _attachments={"a": {"data": "MQ=="}})
    service.push("root", theirs)
    grants = service.parts.grants
    (held,) = grants.find(account="sok", database=service.name)
    grants.end(held.grant.number)
    fields = {"captured_at": "2001-01-01T00:00:00Z", "_attachments": {"a": {"stub": True}}}
    known, unknown = (
        household(doc_id, HERE, **fields, _rev="2-b", _revisions={"start": 2, "ids": ["b", "a"]})
        for doc_id in ("household:theirs", "household:nobody")
    )
    first, second = service.push("sok", known, unknown)
    assert {**first, "id": ""} == {**second, "id": ""}
    assert service.kept("household:theirs")[0].reason == "attachment"
    alone = [
        service.send("sok", "PUT", f"{one['_id']}?new_edits=false", one) for one in (known, unknown)
    ]
    assert alone[0].status_code == alone[1].status_code == 412
    assert alone[0].get_json() == alone[1].get_json()


def edit_of(document: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        **document,
        **members,
        "_rev": "2-b",
        "_revisions": {"start": 2, "ids": ["b", "a"]},
    }


def test_an_edit_takes_a_document_to_no_household_out_of_reach(service: Service) -> None:
    """The intake would move it there, to be read by those who work there."""
    ours, theirs = household("household:ours", HERE), household("household:theirs", THERE)
    service.push("root", ours, household("household:other", HERE), theirs)
    proposal = {"_id": "proposal:1", "type": "proposal", "household": "household:ours"}
    visit = {"_id": "visit:1", "type": "visit", "proposal": "proposal:1"}
    assert service.push("sok", proposal, visit) == []

    (row,) = service.push("sok", edit_of(proposal, household="household:theirs"))
    assert (row["error"], service.db.get("proposal:1").rev) == ("forbidden", "1-a")
    assert [entry.reason for entry in service.kept("proposal:1")] == ["outside"]
    (row,) = service.push("sok", edit_of(visit, household="household:theirs"))
    assert (row["error"], service.db.get("visit:1").rev) == ("forbidden", "1-a")

    assert service.push("sok", edit_of(proposal, household="household:other")) == []
    assert service.push("sok", edit_of(visit, household="household:not-here-yet")) == []


def test_one_document_twice_in_a_batch_goes_nowhere_else(service: Service) -> None:
    service.push("root", household("household:ours", HERE), household("household:theirs", THERE))
    own = {"_id": "visit:1", "type": "visit", "household": "household:ours"}
    (row,) = service.push("sok", own, edit_of(own, household="household:theirs"))
    assert (row["rev"], row["error"]) == ("2-b", "forbidden")
    assert service.push("sok", edit_of(own, note="fine")) == []
    sibling = {**edit_of(own), "_rev": "1-f", "_revisions": {"start": 1, "ids": ["f"]}}
    foreign = edit_of(own, household="household:theirs")
    foreign["_revisions"]["ids"][0] = foreign["_rev"] = "c"
    foreign["_rev"] = "2-c"
    (row,) = service.push("sok", foreign, sibling)
    assert (row["rev"], row["error"]) == ("2-c", "forbidden")


def test_what_others_wait_for_elsewhere_is_not_made_up_here(service: Service) -> None:
    """The intake would bring them here, out of the sight of those whose they are."""
    waiting = {"_id": "visit:1", "type": "visit", "household": "household:awaited"}
    service.push("root", waiting)
    belongings.note(service.parts.sql, service.name, {"visit:1": ["household:awaited"]})
    service.db.relocate({"visit:1": THERE}, origin=Origin())
    (row,) = service.push(
        "sok", household("household:awaited", HERE), household("household:2", HERE)
    )
    assert (row["id"], row["error"]) == ("household:awaited", "forbidden")
    assert [entry.reason for entry in service.kept("household:awaited")] == ["outside"]

    service.db.relocate({"visit:1": HERE}, origin=Origin())
    assert service.push("sok", household("household:awaited", HERE)) == []


def test_who_worked_in_an_area_moves_nothing_out_of_it(service: Service) -> None:
    """What was captured before a grant ended is taken, but where it stood."""
    service.push("root", household("household:1", THERE), household("household:ours", HERE))
    visit = {"_id": "visit:1", "type": "visit", "household": "household:1"}
    service.push("root", visit)
    grants = service.parts.grants
    number = grants.give("sok", "cew", service.name, THERE).number
    both = household("household:2", THERE)
    assert service.push("sok", both, edit_of(both, village=f"{HERE}01")) == []
    grants.end(number)
    early = {"captured_at": "2001-01-01T00:00:00Z"}
    moved = edit_of(household("household:1", THERE), village=f"{HERE}01", **early)
    taken = edit_of(visit, household="household:ours", **early)
    rows = service.push("sok", moved, taken)
    assert [(row["id"], row["error"]) for row in rows] == [
        ("household:1", "forbidden"),
        ("visit:1", "forbidden"),
    ]
    assert service.push("sok", edit_of(household("household:1", THERE), phone="012", **early)) == []


def test_only_the_server_says_of_a_deletion_that_it_was_merged(service: Service) -> None:
    """The resolver would pass over the branch that it ends, and over whoever wrote it."""
    service.push("root", household("household:1", HERE))
    forged = {"_id": "household:1", "_deleted": True, "merged_into": "2-x"}
    (row,) = service.push("sok", edit_of(forged))
    assert row["error"] == "forbidden"
    assert [entry.reason for entry in service.kept("household:1")] == ["merged"]
    plain = {"_id": "household:1", "_deleted": True}
    assert service.push("sok", edit_of(plain)) == []
