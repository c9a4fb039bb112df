"""Tablets sign in: each with its own account, and a wrong password is called that."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from sync_server.demo.tablet import Remote, Tablet, TabletError
from tests.clients.peer import Peer
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]

PASSWORD = "a password ក្រ១ with : in it"


@pytest.fixture
def database(server: RunningServer) -> str:
    remote = Peer(f"{server.url}/db", *server.admin).new_database()
    return remote.url.rsplit("/", 1)[-1]


@pytest.fixture
def member(server: RunningServer, database: str) -> Callable[[str], Remote]:
    """Make an account that is a member of the database; answers how it reaches it."""

    def make(name: str) -> Remote:
        account = f"{name}-{uuid.uuid4().hex[:8]}"
        server.account(account, PASSWORD, roles=("cew",), databases=(database,))
        return Remote(server.db_url(database), account, PASSWORD)

    return make


def test_two_accounts_share_a_database(tablet: MakeTablet, member: Callable[[str], Remote]) -> None:
    sokha, dara = member("sokha"), member("dara")
    ours, theirs = tablet(), tablet(release=7)
    ours.put({"_id": "household:1", "type": "household", "author": sokha.account})
    theirs.put({"_id": "household:2", "type": "household", "author": dara.account})
    ours.sync(sokha)
    theirs.sync(dara)
    ours.sync(sokha)
    assert ours.ids() == theirs.ids() == ["household:1", "household:2"]
    assert ours.state() == theirs.state()


@pytest.mark.parametrize("release", [9, 7])
def test_a_wrong_password_is_told_as_that(
    tablet: MakeTablet, member: Callable[[str], Remote], release: int
) -> None:
    right = member("sokha")
    one = tablet(release)
    one.put({"_id": "household:1", "type": "household"})
    with pytest.raises(TabletError) as caught:
        one.push(Remote(right.url, right.account, "not the password"))
    assert caught.value.status == 401
    assert "password" in caught.value.reason.lower()
    assert one.push(right)["docs_written"] == 1


def test_without_an_account_a_tablet_reads_nothing(
    tablet: MakeTablet, member: Callable[[str], Remote]
) -> None:
    url = member("sokha").url
    with pytest.raises(TabletError) as caught:
        tablet().pull(Remote(url))
    assert caught.value.status == 401


def test_an_account_of_another_database_is_forbidden(
    tablet: MakeTablet, member: Callable[[str], Remote], server: RunningServer
) -> None:
    stranger = f"stranger-{uuid.uuid4().hex[:8]}"
    server.account(stranger, PASSWORD)
    one = tablet()
    one.put({"_id": "household:1", "type": "household"})
    with pytest.raises(TabletError) as caught:
        one.push(Remote(member("sokha").url, stranger, PASSWORD))
    assert caught.value.status == 403


def test_a_tablet_signs_in_with_its_token(
    tablet: MakeTablet, member: Callable[[str], Remote], server: RunningServer
) -> None:
    account = member("sokha")
    assert account.account is not None
    token = server.command("account", "token", account.account, "tablet-7").strip()
    one = tablet()
    one.put({"_id": "household:1", "type": "household"})
    assert one.push(Remote(account.url, token=token))["docs_written"] == 1
    server.command("account", "token", account.account, "tablet-7", "--revoke")
    one.put({"_id": "household:2", "type": "household"})
    with pytest.raises(TabletError) as caught:
        one.push(Remote(account.url, token=token))
    assert caught.value.status == 401
