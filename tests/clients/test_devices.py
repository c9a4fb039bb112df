"""A tablet's life: enrolled, synced, lost, revoked, found, enrolled again, and on it goes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests

from sync_server.demo.tablet import Remote, Tablet, TabletError, eventually
from tests.clients.peer import Peer
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]

RELEASES = pytest.mark.parametrize("release", [9, 7])
DEVICE = "tablet-7"


@dataclass
class Office:
    """Whoever makes codes for one account, and revokes its tablets."""

    server: RunningServer
    database: str
    account: str

    def enrol(self) -> Remote:
        """What a tablet has once it has traded a code."""
        wanted = {"account": self.account, "device": DEVICE, "database": self.database}
        code = self._post("devices/enrolments", wanted)["code"]
        enrolled = self._post("enrol", {"code": code})
        assert enrolled["account"] == self.account
        return Remote(enrolled["url"], token=enrolled["token"])

    def revoke(self) -> None:
        self._post(f"devices/{self.account}/{DEVICE}/revoke", {"reason": "lost"})

    def acknowledged(self) -> list[str]:
        """Sequences that the tablet has acknowledged, as the list of devices shows them."""
        url = f"{self.server.url}/api/devices"
        rows = requests.get(url, auth=self.server.admin, timeout=30).json()["devices"]
        (row,) = [row for row in rows if row["account"] == self.account]
        return [replica["acknowledged"] for replica in row["replicas"]]

    def _post(self, path: str, body: dict[str, str]) -> dict[str, str]:
        answer = requests.post(
            f"{self.server.url}/api/{path}", json=body, auth=self.server.admin, timeout=30
        )
        assert answer.ok, answer.text
        made: dict[str, str] = answer.json()
        return made


@pytest.fixture
def office(server: RunningServer) -> Office:
    remote = Peer(f"{server.url}/db", *server.admin).new_database()
    database, account = remote.url.rsplit("/", 1)[-1], f"sok-{uuid.uuid4().hex[:8]}"
    server.account(account, "password-1", roles=("cew",), databases=(database,))
    return Office(server, database, account)


@RELEASES
def test_a_tablet_is_enrolled_revoked_and_enrolled_again(
    tablet: MakeTablet, office: Office, release: int
) -> None:
    one = tablet(release)
    one.put({"_id": "household:1", "type": "household"})
    first = office.enrol()
    one.sync(first)
    office.revoke()
    one.put({"_id": "household:2", "type": "household"})
    with pytest.raises(TabletError) as caught:
        one.sync(first)
    assert caught.value.status == 401
    assert "signed out by the office" in caught.value.reason
    assert "អ្នកសម្របសម្រួល" in caught.value.reason
    again = office.enrol()
    one.requests()
    assert one.sync(again)["push"]["docs_written"] == 1
    assert one.state() == one.remote_state(again)
    with pytest.raises(TabletError):
        one.sync(first)


@RELEASES
def test_a_live_sync_ends_with_the_revocation_and_goes_on_after_the_next_enrolment(
    tablet: MakeTablet, office: Office, release: int
) -> None:
    one = tablet(release)
    one.live_start(office.enrol())
    eventually(lambda: one.live_status()["state"] == "paused", what="a tablet that is up to date")
    office.revoke()
    # Well below the ten seconds after which a feed asks in any case.
    eventually(lambda: one.live_status()["state"] == "failed", seconds=6, what="the end")
    assert one.live_status()["error"]["status"] == 401
    one.put({"_id": "household:meanwhile", "type": "household"})
    again = office.enrol()
    one.live_start(again)
    eventually(lambda: one.live_status()["pushed"] == 1, what="what was written meanwhile")
    one.live_stop()
    assert one.state() == one.remote_state(again)


@RELEASES
def test_the_office_sees_how_far_a_tablet_has_come(
    tablet: MakeTablet, office: Office, release: int
) -> None:
    one, remote = tablet(release), office.enrol()
    one.bulk([{"_id": f"household:{n}", "type": "household"} for n in range(3)])
    one.sync(remote)
    sequence = requests.get(
        office.server.db_url(office.database), auth=office.server.admin, timeout=30
    ).json()["update_seq"]
    eventually(lambda: bool(office.acknowledged()), what="the acknowledgement")
    (acknowledged,) = office.acknowledged()
    assert acknowledged.partition("~")[0].split("-")[1] == sequence.split("-")[1]
