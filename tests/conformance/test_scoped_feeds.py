"""Feeds of readers whose grants come and go while they listen, and how departures are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sync_server.access.scopes import now_ms
from sync_server.storage.base import Origin
from sync_server.storage.departures import departure_of
from tests.conformance.wire import Wire
from tests.office import DATABASE, PASSWORD, Office, open_office
from tests.serving import RunningServer

pytestmark = pytest.mark.extension

HERE, THERE = "020301", "020401"


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with RunningServer() as server, open_office(server) as office:
        office.know([HERE + "01", THERE + "01"])
        yield office


@pytest.fixture
def sok(office: Office) -> Wire:
    account = office.worker(HERE, name="sok")
    return Wire(office.server.url + "/db", (account, PASSWORD))


def name_of(wire: Wire) -> str:
    assert wire.auth is not None
    return wire.auth[0]


def changes(wire: Wire, **params: Any) -> Any:
    response = wire.get(f"/{DATABASE}/_changes", params=params)
    assert response.status_code == 200, response.text
    return response.json()


def households(page: Any) -> list[dict[str, Any]]:
    """Rows of households; the service writes notices beside them."""
    return [row for row in page["results"] if row["id"].startswith("household:")]


def household(office: Office, name: str, area: str = HERE) -> str:
    doc_id = f"household:{name}"
    office.write(doc_id, area, type="household", village=area + "01", n=1)
    return doc_id


def depart(office: Office, doc_id: str) -> str:
    """Move it away; answers the revision by which readers lose it."""
    office.change(doc_id, village=THERE + "01")
    office.rest()
    return departure_of(doc_id, office.whole.state(doc_id).winner.rev)


FILTERS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "all": ({}, {}),
    "a selector": ({"filter": "_selector"}, {"selector": {"n": 2}}),
    "design documents": ({"filter": "_design"}, {}),
    "ids": ({"filter": "_doc_ids"}, {"doc_ids": ["household:gone"]}),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_departure_passes_every_filter_with_its_tombstone(
    office: Office, sok: Wire, name: str
) -> None:
    household(office, "gone")
    office.whole.relocate({"household:gone": HERE}, origin=Origin("office"))
    office.rest()
    since = changes(sok)["last_seq"]
    rev = depart(office, "household:gone")
    params, body = FILTERS[name]
    found = sok.post(
        f"/{DATABASE}/_changes",
        params={**params, "since": since, "include_docs": "true"},
        json=body,
    ).json()
    (row,) = households(found)
    assert row["doc"] == {"_id": "household:gone", "_rev": rev, "_deleted": True}
    assert row["deleted"] is True and row["changes"] == [{"rev": rev}]
    office.change("household:gone", village=HERE + "01")
    office.rest()


def test_what_a_departure_names_is_served_with_its_ancestry(office: Office, sok: Wire) -> None:
    doc_id = household(office, "served")
    office.rest()
    since = changes(sok)["last_seq"]
    rev = depart(office, doc_id)
    assert [row["id"] for row in households(changes(sok, since=since))] == [doc_id]
    body = {"docs": [{"id": doc_id, "rev": rev}]}
    got = sok.post(f"/{DATABASE}/_bulk_get", params={"revs": "true"}, json=body).json()
    tombstone = got["results"][0]["docs"][0]["ok"]
    leaf = office.whole.state(doc_id).winner.rev
    assert tombstone["_deleted"] is True
    assert tombstone["_revisions"]["ids"][1] == leaf.partition("-")[2]
    assert set(tombstone) == {"_id", "_rev", "_deleted", "_revisions"}
    single = sok.get(f"/{DATABASE}/{doc_id}", params={"rev": rev}).json()
    assert single == {"_id": doc_id, "_rev": rev, "_deleted": True}
    assert sok.get(f"/{DATABASE}/{doc_id}").status_code == 404
    assert sok.get(f"/{DATABASE}/{doc_id}", params={"rev": leaf}).status_code == 404


@contextmanager
def listening(wire: Wire, **params: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """The lines of a continuous feed that tell something, as they come."""
    given = {"feed": "continuous", "heartbeat": "200", **params}
    with wire.get(f"/{DATABASE}/_changes", params=given, stream=True, timeout=30) as response:
        yield (json.loads(line) for line in response.iter_lines(chunk_size=1) if line.strip())


def test_a_continuous_feed_goes_on_with_what_grants_show(office: Office, sok: Wire) -> None:
    here, there = household(office, "feed-here"), household(office, "feed-there", THERE)
    office.rest()
    since = changes(sok)["last_seq"]
    with listening(sok, since=since) as lines:
        office.grant(name_of(sok), THERE)
        told = {}
        while not {here, there} <= told.keys():
            line = next(lines)
            told[line["id"]] = line.get("deleted", False)
        assert told[here] is True and told[there] is False
        household(office, "feed-late", HERE)
        last = household(office, "feed-last", THERE)
        seen = []
        while last not in seen:
            seen.append(next(lines)["id"])
        assert "household:feed-late" not in seen


def test_a_longpoll_ends_with_departures_once_a_grant_has_ended(office: Office, sok: Wire) -> None:
    doc_id = household(office, "longpoll")
    office.rest()
    since = changes(sok)["last_seq"]
    office.grant(name_of(sok))
    found = changes(sok, since=since, feed="longpoll", timeout="20000")
    assert {doc_id} <= {row["id"] for row in found["results"] if row["deleted"]}


def test_a_waiting_longpoll_notices_the_end_of_a_grant_by_itself(office: Office, sok: Wire) -> None:
    doc_id = household(office, "by-itself")
    account = office.worker(name="timed")
    office.parts.grants.give(account, "cew", DATABASE, HERE, ends_at=now_ms() + 3_000)
    timed = Wire(sok.root, (account, PASSWORD))
    office.rest()
    since = changes(timed)["last_seq"]
    found = changes(timed, since=since, feed="longpoll", timeout="20000")
    assert {doc_id} <= {row["id"] for row in found["results"] if row["deleted"]}
    assert all(row["deleted"] for row in found["results"])


@pytest.mark.parametrize("feed", ["longpoll", "continuous", "eventsource"])
def test_a_feed_ends_where_its_account_is_disabled(office: Office, sok: Wire, feed: str) -> None:
    since = changes(sok)["last_seq"]
    params = {"feed": feed, "since": since, "heartbeat": "200"}
    with sok.get(f"/{DATABASE}/_changes", params=params, stream=True, timeout=30) as response:
        lines = response.iter_lines(chunk_size=1)
        next(lines)
        office.parts.accounts.set_disabled(name_of(sok), True)
        household(office, f"unseen-{feed}")
        rest = b"\n".join(lines)
    assert b"unseen" not in rest
    assert sok.get(f"/{DATABASE}/_changes").status_code == 401


def test_a_client_may_stop_at_any_row_and_go_on(office: Office, sok: Wire) -> None:
    ids = {household(office, f"row-{number}") for number in range(6)}
    office.rest()
    since, told = "0", set[str]()
    while True:
        page = changes(sok, since=since, limit=1)
        told.update(row["id"] for row in page["results"])
        if not page["results"]:
            break
        since = page["results"][-1]["seq"]
    assert ids <= told
