"""What tablets do is gathered in memory, and written seldom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from sync_server.access.accounts import Account
from sync_server.access.activity import WRITE_SECONDS, DeviceActivity
from sync_server.access.devices import Device
from sync_server.access.sightings import client_name
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings

SOK = Account("sok", "tablet-7")


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    @property
    def ms(self) -> int:
        return int(self.now * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def activity(parts: Parts, clock: Clock) -> Iterator[DeviceActivity]:
    parts.accounts.create("sok", "password1")
    parts.accounts.issue_token("sok", "tablet-7")
    activity = DeviceActivity(parts.sql, clock)
    yield activity
    activity.close()


def device(parts: Parts) -> Device:
    return parts.devices.find("sok", "tablet-7")


def push(activity: DeviceActivity, captured_at: int | None = None) -> None:
    activity.pushed(SOK, documents=10, refused=2, conflicting=1, captured_at=captured_at)


def test_what_a_tablet_did_is_added_to_what_is_known_of_it(
    parts: Parts, activity: DeviceActivity, clock: Clock
) -> None:
    activity.seen(SOK, "CouchDB-Replicator/3.3.3", "2.4.0")
    push(activity, captured_at=clock.ms + 90_000)
    activity.acknowledged(SOK, "rushit", "42-abc", "")
    assert activity.write() == 1
    found = device(parts)
    assert (found.last_seen_at, found.client, found.app_version) == (clock.ms, "CouchDB", "2.4.0")
    assert (found.pushed, found.refused, found.conflicting) == (10, 2, 1)
    assert found.clock_skew_ms == 90_000
    assert found.acknowledged["rushit"].sequence == "42-abc"
    push(activity)
    clock.now += 100
    activity.write()
    again = device(parts)
    assert (again.pushed, again.refused, again.conflicting) == (20, 4, 2)
    assert (again.clock_skew_ms, again.client) == (90_000, "CouchDB")


def test_a_device_is_written_once_a_minute_however_much_it_does(
    parts: Parts, activity: DeviceActivity, clock: Clock
) -> None:
    commits: list[object] = []
    event.listen(parts.sql, "commit", commits.append)
    for _ in range(600):
        activity.seen(SOK, "PouchDB", "")
        activity.write()
        clock.now += 0.5
    assert len(commits) == 600 * 0.5 / WRITE_SECONDS


def test_requests_write_nothing_themselves(parts: Parts, activity: DeviceActivity) -> None:
    begun: list[object] = []
    event.listen(parts.sql, "begin", begun.append)
    activity.seen(SOK, "PouchDB", "1")
    push(activity, captured_at=1)
    activity.acknowledged(SOK, "rushit", "1-a", "pouchdb")
    assert begun == []


def test_all_is_written_at_the_end(parts: Parts, activity: DeviceActivity, clock: Clock) -> None:
    push(activity)
    activity.write()
    push(activity)
    assert activity.write() == 0
    activity.close()
    assert device(parts).pushed == 20


def test_a_process_that_writes_late_takes_nothing_back(
    parts: Parts, activity: DeviceActivity, clock: Clock, tmp_path: Path
) -> None:
    elsewhere = open_parts(Settings(data_dir=tmp_path))
    late = DeviceActivity(elsewhere.sql, clock)
    late.acknowledged(SOK, "rushit", "41-abc", "")
    clock.now += 10
    activity.acknowledged(SOK, "rushit", "42-abc", "")
    activity.write()
    late.close()
    elsewhere.close()
    assert device(parts).acknowledged["rushit"].sequence == "42-abc"
    assert device(parts).last_seen_at == clock.ms


def test_a_tablet_that_starts_over_is_where_it_says(
    parts: Parts, activity: DeviceActivity, clock: Clock
) -> None:
    for sequence in ("42-abc", "3-abc"):
        activity.acknowledged(SOK, "rushit", sequence, "")
        clock.now += 100
        activity.write()
    assert device(parts).acknowledged["rushit"].sequence == "3-abc"


def test_people_without_a_tablet_leave_nothing(parts: Parts, activity: DeviceActivity) -> None:
    activity.seen(Account("sok"), "curl/8", "")
    activity.acknowledged(Account("sok"), "rushit", "1-a", "")
    assert activity.write(everything=True) == 0


def test_a_disk_that_is_full_stops_no_tablet(
    parts: Parts, activity: DeviceActivity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("sync_server.access.activity.save", broken)
    push(activity)
    activity.close()


@pytest.mark.parametrize(
    ("user_agent", "replicator", "name"),
    [
        ("CouchDB-Replicator/3.3.3", "", "CouchDB"),
        ("CouchbaseLite/1.4.1 (Android 5.0)", "", "Couchbase Lite"),
        ("cloudant-sync-android/2.4.0", "", "Cloudant Sync"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/140", "pouchdb", "PouchDB"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/140", "", ""),
    ],
)
def test_clients_are_known_by_what_they_say(user_agent: str, replicator: str, name: str) -> None:
    assert client_name(user_agent, replicator) == name


def test_a_browser_stays_pouchdb_once_its_checkpoint_said_so(
    parts: Parts, activity: DeviceActivity, clock: Clock
) -> None:
    browser = "Mozilla/5.0\u2028 (Linux)"
    names = []
    for with_checkpoint in (False, True, False):
        activity.seen(SOK, browser, "9" * 100)
        if with_checkpoint:
            activity.acknowledged(SOK, "rushit", "1-a", "pouchdb")
        clock.now += 100
        activity.write()
        names.append(device(parts).client)
    assert names == ["Mozilla/5.0", "PouchDB", "PouchDB"]
    assert device(parts).app_version == "9" * 60
