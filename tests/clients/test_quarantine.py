"""What a tablet with a stock PouchDB meets when it sends what it may not write: it goes on, sends
nothing twice, and hears of it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sync_server.demo.tablet import Remote, Tablet, eventually
from sync_server.quarantine.telling import notice_of
from sync_server.storage.base import Origin
from tests.clients.peer import Peer
from tests.domain.conftest import household
from tests.office import open_office
from tests.places import add_places
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]

PASSWORD = "a password ក្រ១"
HOME, AWAY = "02030101", "03010101"
SECONDS = 30


class Programme:
    """A database of a province's workers, and the admin who settles."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.admin = Peer(f"{server.url}/db", *server.admin).new_database()
        self.name = self.admin.url.rsplit("/", 1)[-1]

    def worker(self, area: str) -> Remote:
        account = f"sok-{uuid.uuid4().hex[:8]}"
        self.server.account(account, PASSWORD, ("cew",), (self.name,), (area,))
        return Remote(self.server.db_url(self.name), account, PASSWORD)

    def api(self, path: str, **options: Any) -> Any:
        answer = requests.request(
            "POST" if "json" in options else "GET",
            f"{self.server.url}/api/{self.name}/quarantine{path}",
            auth=self.server.admin,
            timeout=SECONDS,
            **options,
        )
        assert answer.ok, answer.text
        return answer.json()

    def kept(self) -> dict[str, dict[str, Any]]:
        """Entries by document; each document has one."""
        found = self.api("?limit=500")["entries"]
        by_document = {entry["doc_id"]: entry for entry in found}
        assert len(by_document) == len(found)
        return by_document

    def move(self, doc_id: str, area: str) -> None:
        with open_office(self.server) as office:
            database = office.parts.store.database(self.name)
            assert database.relocate({doc_id: area}, origin=Origin("_server")) == 1


@pytest.fixture
def programme(server: RunningServer) -> Programme:
    with open_office(server) as office:
        add_places(office.parts.sql, server.data_dir)
    return Programme(server)


def registered(remote: Remote, doc_id: str, **changes: Any) -> dict[str, Any]:
    return {"_id": doc_id, **household(**{"village": HOME, "author": remote.account, **changes})}


def forged(remote: Remote) -> dict[str, dict[str, Any]]:
    """Documents that this worker may not write, by the reason."""
    return {
        "server": {"_id": "review:1", "type": "review", "state": "approved", "amount_cents": 1},
        "design": {"_id": "_design/app", "validate_doc_update": "function () {}"},
        "type": {"_id": "catalogue:1", "type": "catalogue", "price_cents": 1},
        "prefix": {**registered(remote, "x"), "_id": "proposal:1"},
        "outside": registered(remote, "household:away", village=AWAY),
        "author": registered(remote, "household:foreign", author="somebody"),
    }


def bulk_requests(tablet: Tablet) -> list[dict[str, Any]]:
    return [one for one in tablet.requests() if "_bulk_docs" in one["path"]]


@pytest.mark.parametrize("release", [9, 7])
def test_a_tablet_goes_on_past_what_is_refused_sends_it_once_and_hears_of_it(
    tablet: MakeTablet, programme: Programme, release: int
) -> None:
    sok = programme.worker("020301")
    mine = tablet(release)
    good = [registered(sok, f"household:{number}") for number in range(30)]
    bad = forged(sok)
    order = [*good[:10], *bad.values(), *good[10:]]
    for document in order:
        mine.put(document)
    mine.attach("catalogue:1", {"list.bin": ("application/octet-stream", os.urandom(20_000))})

    pushed = mine.push(sok, batch_size=7)
    assert (pushed["ok"], pushed["docs_written"]) == (True, len(good))
    assert pushed["doc_write_failures"] == len(bad)
    refused = programme.kept()
    assert {entry["reason"]: doc_id for doc_id, entry in refused.items()} == {
        reason: document["_id"] for reason, document in bad.items()
    }

    mine.requests()
    again = mine.push(sok)
    assert (again["docs_written"], again["doc_write_failures"]) == (0, 0)
    assert bulk_requests(mine) == []

    mine.pull(sok)
    for reason, document in bad.items():
        told = mine.get(notice_of(sok.account or "", document["_id"]))
        assert (told["kind"], told["reason"]) == ("quarantined", reason)
        assert told["text_km"] and told["text_en"]
        assert mine.get(document["_id"])["_rev"] == refused[document["_id"]]["rev"]

    for doc_id, entry in refused.items():
        shown = programme.api(f"/{entry['number']}")
        own = {k: v for k, v in mine.get(doc_id).items() if k != "_attachments"}
        sent = {
            k: v for k, v in shown["document"].items() if k not in ("_attachments", "_revisions")
        }
        assert sent == own
        # A document's first revision is its own ancestry: PouchDB 7 leaves it out.
        start = shown["document"].get("_revisions", {"start": 1})["start"]
        assert start == int(own["_rev"].split("-")[0])
    number = refused["catalogue:1"]["number"]
    content = requests.get(
        f"{programme.server.url}/api/{programme.name}/quarantine/{number}/attachments/list.bin",
        auth=programme.server.admin,
        timeout=SECONDS,
    ).content
    assert content == mine.attachment("catalogue:1", "list.bin")


def test_a_jump_of_generation_is_refused_and_kept(tablet: MakeTablet, programme: Programme) -> None:
    sok = programme.worker("020301")
    mine = tablet()
    jumped = {**registered(sok, "household:1"), "_rev": "7000-abc"}
    mine.bulk([jumped], new_edits=False)
    mine.put(registered(sok, "household:2"))
    assert mine.push(sok)["docs_written"] == 1
    assert programme.kept()["household:1"]["reason"] == "generation"


def test_a_live_sync_goes_on(tablet: MakeTablet, programme: Programme) -> None:
    sok = programme.worker("020301")
    mine = tablet()
    mine.live_start(sok, retry=True)
    mine.put(registered(sok, "household:away", village=AWAY))
    notice = notice_of(sok.account or "", "household:away")
    eventually(lambda: mine.find(notice) is not None, what="the notice")
    mine.put(registered(sok, "household:1"))
    eventually(
        lambda: tablet_sees(programme, "household:1"), what="a document after the refused one"
    )
    status = mine.live_stop()
    assert (status["denied"], status["error"]) == (1, None)
    assert programme.kept()["household:away"]["times"] == 1


def tablet_sees(programme: Programme, doc_id: str) -> bool:
    return requests.get(
        f"{programme.admin.url}/{doc_id}", auth=programme.server.admin, timeout=SECONDS
    ).ok


def test_an_unsent_edit_of_a_household_that_has_moved_is_adopted_with_its_photo(
    tablet: MakeTablet, programme: Programme
) -> None:
    sok, bopha = programme.worker("020301"), programme.worker("030101")
    mine, hers = tablet(), tablet(7)
    mine.put(registered(sok, "household:1", members_total=4))
    mine.sync(sok)
    photo = os.urandom(30_000)
    mine.edit("household:1", members_total=6)
    unsent = mine.attach("household:1", {"front.jpg": ("image/jpeg", photo)})
    programme.move("household:1", "030101")

    mine.pull(sok)
    assert mine.get("household:1")["_rev"] == unsent, "the edit outlives the departure"
    pushed = mine.push(sok)
    assert (pushed["docs_written"], pushed["doc_write_failures"]) == (0, 1)
    (entry,) = programme.kept().values()
    assert (entry["rev"], entry["reason"], entry["area"]) == (unsent, "taken", "030101")

    hers.pull(bopha)
    assert hers.get("household:1")["members_total"] == 4
    adopted = programme.api(f"/{entry['number']}/adopt", json={})["adopted_rev"]
    hers.pull(bopha)
    found = hers.get("household:1", conflicts=True)
    assert (found["_rev"], found["members_total"]) == (adopted, 6)
    assert "_conflicts" not in found
    assert hers.attachment("household:1", "front.jpg") == photo
    mine.requests()
    mine.sync(sok)
    assert bulk_requests(mine) == []
    assert mine.get("household:1")["_rev"] == unsent
    assert mine.find(notice_of(sok.account or "", "household:1")) is None


def test_what_is_adopted_into_the_authors_own_area_comes_back_without_a_conflict(
    tablet: MakeTablet, programme: Programme
) -> None:
    sok = programme.worker("020301")
    mine = tablet()
    mine.put(registered(sok, "household:1", author="somebody"))
    mine.push(sok)
    (entry,) = programme.kept().values()
    adopted = programme.api(f"/{entry['number']}/adopt", json={})["adopted_rev"]
    mine.pull(sok)
    found = mine.get("household:1", conflicts=True)
    assert found["_rev"] == adopted and "_conflicts" not in found
    assert len(mine.state()["household:1"]["leaves"]) == 1
    mine.edit("household:1", members_total=7)
    assert mine.push(sok)["docs_written"] == 1


def test_what_is_adopted_over_a_newer_edit_ends_the_branch_on_the_tablet(
    tablet: MakeTablet, programme: Programme
) -> None:
    sok = programme.worker("020301")
    mine, other = tablet(), tablet(7)
    mine.put(registered(sok, "household:1"))
    mine.sync(sok)
    other.pull(sok)
    mine.edit("household:1", author="somebody", members_total=7)
    other.edit("household:1", members_total=8)
    other.push(sok)
    mine.push(sok)
    (entry,) = programme.kept().values()
    adopted = programme.api(f"/{entry['number']}/adopt", json={})["adopted_rev"]
    mine.pull(sok)
    found = mine.get("household:1", conflicts=True)
    assert (found["_rev"], found["members_total"]) == (adopted, 7)
    assert "_conflicts" not in found


def test_a_returned_document_can_be_offered_again(tablet: MakeTablet, programme: Programme) -> None:
    sok = programme.worker("020301")
    mine = tablet()
    mine.put(registered(sok, "household:1", village=AWAY))
    mine.push(sok)
    (entry,) = programme.kept().values()
    programme.api(f"/{entry['number']}/return", json={"reason": "Which village?"})
    mine.pull(sok)
    told = mine.get(notice_of(sok.account or "", "household:1"))
    assert (told["kind"], told["note"]) == ("returned", "Which village?")
    mine.edit("household:1", **{**told["content"], "village": HOME})
    assert mine.push(sok)["docs_written"] == 1
    assert tablet_sees(programme, "household:1")


def test_another_workers_tablet_learns_nothing_of_it(
    tablet: MakeTablet, programme: Programme
) -> None:
    sok, mate = programme.worker("020301"), programme.worker("020301")
    mine, other = tablet(), tablet()
    for document in forged(sok).values():
        mine.put(document)
    mine.put(registered(sok, "household:1"))
    mine.sync(sok)
    other.pull(mate)
    assert other.ids() == ["household:1"]
