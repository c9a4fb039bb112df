"""Feeds that wait: longpoll, continuous, eventsource."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.conformance.conftest import MEMBERS_DATABASE
from tests.conformance.wire import Wire, WireDatabase


@contextmanager
def feed(db: WireDatabase, **params: Any) -> Iterator[Iterator[str]]:
    """The lines of a feed, as they come."""
    headers = params.pop("headers", {})
    response = db.get("/_changes", params=params, headers=headers, stream=True)
    assert response.status_code == 200, response.text
    with response:
        yield (line.decode() for line in response.iter_lines(chunk_size=1))


def later(action: Any) -> threading.Timer:
    timer = threading.Timer(0.2, action)
    timer.start()
    return timer


def test_longpoll_answers_at_once_what_there_is(db: WireDatabase) -> None:
    db.save("d")
    page = db.changes(feed="longpoll", since=0)
    assert [row["id"] for row in page["results"]] == ["d"]
    assert {"last_seq", "pending"} <= page.keys()


def test_longpoll_waits_for_a_change(db: WireDatabase) -> None:
    since = db.changes()["last_seq"]
    later(lambda: db.save("d"))
    page = db.changes(feed="longpoll", since=since, timeout=20000)
    assert [row["id"] for row in page["results"]] == ["d"]
    assert db.changes(since=page["last_seq"])["results"] == []


def test_longpoll_ends_empty_after_its_timeout(db: WireDatabase) -> None:
    page = db.changes(feed="longpoll", since="now", timeout=150)
    assert (page["results"], page["pending"]) == ([], 0)


def test_longpoll_waits_on_past_changes_that_its_filter_drops(db: WireDatabase) -> None:
    later(lambda: (db.save("other", n=1), db.save("wanted", n=2)))
    response = db.post(
        "/_changes?feed=longpoll&filter=_selector&timeout=20000", json={"selector": {"n": 2}}
    )
    assert [row["id"] for row in response.json()["results"]] == ["wanted"]


@pytest.mark.parametrize("kind", ["longpoll", "continuous", "eventsource"])
def test_headers_go_out_before_anything_happens(db: WireDatabase, kind: str) -> None:
    params: dict[str, Any] = {"feed": kind, "since": "now", "heartbeat": 300}
    with db.get("/_changes", params=params, stream=True) as response:
        assert response.status_code == 200


def test_a_heartbeat_is_a_newline_and_wins_over_the_timeout(db: WireDatabase) -> None:
    with feed(db, feed="continuous", since="now", heartbeat=100, timeout=50) as lines:
        assert [next(lines) for _ in range(4)] == ["", "", "", ""]


def test_continuous_has_a_line_per_change_and_goes_on(db: WireDatabase) -> None:
    db.save("first")
    with feed(db, feed="continuous", heartbeat=10000) as lines:
        assert json.loads(next(line for line in lines if line))["id"] == "first"
        later(lambda: db.save("second"))
        row = json.loads(next(line for line in lines if line))
    assert row["id"] == "second"
    assert row["changes"][0]["rev"].startswith("1-")


def test_live_is_another_word_for_continuous(db: WireDatabase) -> None:
    with feed(db, feed="live", since=0, timeout=100) as lines:
        assert "last_seq" in [line for line in lines if line][-1]


def test_continuous_ends_with_a_last_seq_line(db: WireDatabase) -> None:
    db.save("d")
    with feed(db, feed="continuous", timeout=150) as lines:
        rows = [json.loads(line) for line in lines if line]
    assert rows[0]["id"] == "d"
    assert rows[-1].keys() >= {"last_seq", "pending"}


def test_continuous_ends_at_its_limit(db: WireDatabase) -> None:
    for name in "abc":
        db.save(name)
    with feed(db, feed="continuous", limit=2, heartbeat=10000) as lines:
        rows = [json.loads(line) for line in lines if line]
    assert [row.get("id") for row in rows] == ["a", "b", None]
    assert db.changes(since=rows[-1]["last_seq"])["results"][0]["id"] == "c"


def test_eventsource_has_data_and_id_lines(db: WireDatabase) -> None:
    db.save("d")
    response = db.get("/_changes?feed=eventsource&timeout=150")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n") if line]
    row = json.loads(lines[0].removeprefix("data: "))
    assert row["id"] == "d"
    assert lines[1] in (f"id: {row['seq']}", f'id: "{row["seq"]}"')


def test_eventsource_heartbeats_are_events(db: WireDatabase) -> None:
    with feed(db, feed="eventsource", since="now", heartbeat=100) as lines:
        assert next(line for line in lines if line) == "event: heartbeat"


def test_last_event_id_may_stand_in_the_query(db: WireDatabase) -> None:
    # Stand-ins for a browser's own EventSource cannot send the header to another origin.
    db.save("before")
    last = db.changes()["last_seq"]
    params = {"feed": "eventsource", "last-event-id": last, "timeout": 20000, "limit": 1}
    db.save("d")
    with feed(db, **params) as lines:
        row = next(line for line in lines if line.startswith("data: {"))
    assert json.loads(row.removeprefix("data: "))["id"] == "d"


def test_last_event_id_wins_over_since(db: WireDatabase) -> None:
    db.save("a")
    seq = db.changes()["last_seq"]
    db.save("b")
    response = db.get(
        "/_changes?feed=eventsource&timeout=150&since=0", headers={"Last-Event-ID": seq}
    )
    data = [line for line in response.text.split("\n") if line.startswith("data: {")]
    assert [json.loads(line.removeprefix("data: "))["id"] for line in data] == ["b"]


def test_a_feed_ends_when_its_database_goes(wire: Wire, db: WireDatabase) -> None:
    with feed(db, feed="continuous", since="now", heartbeat=200) as lines:
        next(lines)
        later(lambda: db.delete())
        try:
            rest = [line for line in lines if line]
        except requests.exceptions.ChunkedEncodingError:
            return
    assert all("last_seq" in line for line in rest)


@pytest.mark.extension
def test_many_writes_while_a_feed_follows_are_all_seen(db: WireDatabase) -> None:
    def write() -> None:
        for number in range(30):
            db.save(f"d{number:02}")

    writer = later(write)
    seen: set[str] = set()
    with feed(db, feed="continuous", heartbeat=10000) as lines:
        for line in lines:
            if line:
                seen.add(json.loads(line)["id"])
            if len(seen) == 30:
                break
    writer.join()
    assert seen == {f"d{number:02}" for number in range(30)}


@pytest.mark.extension
def test_a_member_may_listen(wire: Wire, member: Wire) -> None:
    database = WireDatabase(member, MEMBERS_DATABASE)
    assert database.changes(feed="longpoll", since="now", timeout=50)["results"] == []
