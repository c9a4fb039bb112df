"""Tablets see their areas and nothing else, whatever is granted, taken away and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync_server.demo.tablet import Remote, Tablet, TabletError, eventually
from tests.clients.cutting import CuttingProxy
from tests.clients.photos import photo
from tests.office import DATABASE, PASSWORD, Office, open_office
from tests.serving import RunningServer

MakeTablet = Callable[..., Tablet]
RELEASES = pytest.mark.parametrize("release", [9, 7])

PROVINCES = [f"{number:02}" for number in range(1, 26)]
COMMUNES = [f"{province}01{commune}" for province in PROVINCES for commune in ("01", "02")]


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """A server of this module's own, in a country of 25 provinces and 50 communes, each with
    three households with photos, a proposal each, and something at every area above.
    """
    with RunningServer() as server, open_office(server) as office:
        office.know(commune + "01" for commune in COMMUNES)
        with TabletWire(server) as admin:
            for commune in COMMUNES:
                admin.push([one for n in range(3) for one in registration(f"{commune}-{n}")])
        for area in {"", *PROVINCES, *(commune[:4] for commune in COMMUNES)}:
            office.write(f"catalogue:{area or 'nation'}", area, type="catalogue")
        office.rest(120)
        yield office


class TabletWire:
    """An admin's pushes, as a replicator makes them."""

    def __init__(self, server: RunningServer) -> None:
        import requests

        self.url = f"{server.db_url(DATABASE)}/_bulk_docs"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = server.admin

    def __enter__(self) -> TabletWire:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def push(self, docs: list[dict[str, Any]]) -> None:
        answer = self.session.post(self.url, json={"docs": docs}, timeout=30)
        assert answer.status_code == 201 and all("ok" in row for row in answer.json()), answer.text


def registration(name: str) -> list[dict[str, Any]]:
    """The proposal comes first: what is pushed together is placed together."""
    import base64

    village = name[:6] + "01"
    picture = base64.b64encode(picture_of(name)).decode()
    return [
        {"_id": f"proposal:{name}", "type": "proposal", "household": f"household:{name}"},
        {
            "_id": f"household:{name}",
            "type": "household",
            "village": village,
            "_attachments": {"house.jpg": {"content_type": "image/jpeg", "data": picture}},
        },
    ]


def picture_of(name: str) -> bytes:
    return photo(300, int("".join(filter(str.isdigit, name))))


def remote(office: Office, account: str) -> Remote:
    return Remote(office.server.db_url(DATABASE), account, PASSWORD)


def expected(*areas: str) -> set[str]:
    """What stands exactly in these areas, before the service wrote anything."""
    ids = {f"catalogue:{area or 'nation'}" for area in areas if len(area) < 6}
    for area in areas:
        if len(area) == 6:
            names = [f"{area}-{n}" for n in range(3)]
            ids.update(f"{kind}:{name}" for name in names for kind in ("household", "proposal"))
    return ids


def captured(tablet: Tablet) -> set[str]:
    """What the tablet shows, but for what the service itself wrote about it."""
    return {doc_id for doc_id in tablet.ids() if not doc_id.startswith(("notice:", "review:"))}


def holds_its_scope(office: Office, tablet: Tablet, account: str) -> bool:
    return tablet.ids() == office.visible(account)


@RELEASES
def test_a_worker_pulls_exactly_the_commune_and_what_is_above_it(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    commune = COMMUNES[7]
    account, one = office.worker(commune), tablet(release)
    one.pull(remote(office, account), batch_size=4)
    assert captured(one) == expected("", commune[:2], commune[:4], commune)
    assert one.ids() == office.visible(account)
    for n in range(3):
        name = f"{commune}-{n}"
        assert one.attachment(f"household:{name}", "house.jpg") == picture_of(name)


@RELEASES
def test_a_coordinator_pulls_the_province(office: Office, tablet: MakeTablet, release: int) -> None:
    account, one = office.worker("03", role="coordinator"), tablet(release)
    one.pull(remote(office, account))
    assert captured(one) == expected("", "03", "0301", "030101", "030102")


def test_an_account_without_a_grant_that_holds_pulls_nothing(
    office: Office, tablet: MakeTablet
) -> None:
    account, one = office.worker(), tablet()
    office.parts.grants.give(account, "cew", DATABASE, COMMUNES[0], starts_at=1, ends_at=2)
    assert one.sync(remote(office, account))["pull"]["docs_read"] == 0
    assert one.ids() == []


def test_a_tablet_that_begins_after_its_grant_has_ended_shows_nothing(
    office: Office, tablet: MakeTablet
) -> None:
    account, one = office.worker(COMMUNES[0]), tablet()
    office.grant(account)
    one.sync(remote(office, account))
    assert one.ids() == []


@pytest.mark.parametrize("requests", range(1, 8))
def test_a_later_grant_arrives_even_if_it_is_cut_off_at_any_page(
    office: Office, tablet: MakeTablet, requests: int
) -> None:
    here, there = COMMUNES[10], COMMUNES[20]
    account, one = office.worker(here), tablet(9 if requests % 2 else 7)
    with CuttingProxy(office.server.url) as proxy:
        through = Remote(f"{proxy.url}/db/{DATABASE}", account, PASSWORD)
        one.pull(through)
        office.grant(account, here, there)
        proxy.cut_after("_bulk_get", requests)
        try:
            one.pull(through, batch_size=2)
        except TabletError:
            assert captured(one) <= expected(*above(here, there))
        proxy.let_through()
        one.pull(through, batch_size=2)
        assert captured(one) == expected(*above(here, there))
        assert one.pull(through)["docs_read"] == 0


def above(*communes: str) -> set[str]:
    return {commune[:end] for commune in communes for end in (0, 2, 4, 6)}


@RELEASES
def test_a_removed_grant_disappears_from_the_tablet_and_returns_in_no_push(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    here, there = COMMUNES[12], COMMUNES[22]
    account, one = office.worker(here, there), tablet(release)
    one.sync(remote(office, account))
    before, seq = office.visible(account), office.whole.update_seq()
    office.grant(account, there)
    result = one.sync(remote(office, account), batch_size=3)
    assert captured(one) == expected(*above(there))
    assert len(one.ids()) < len(before)
    for _ in range(2):
        result = one.sync(remote(office, account))
        assert result["push"]["docs_written"] == 0
    assert office.whole.update_seq() == seq, "nothing was written by it"
    with pytest.raises(TabletError):
        one.attachment(f"household:{here}-0", "house.jpg")


@RELEASES
def test_all_that_was_granted_goes_where_no_grant_holds_any_more(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    account, one = office.worker(COMMUNES[13]), tablet(release)
    one.sync(remote(office, account))
    office.grant(account)
    one.sync(remote(office, account))
    assert one.ids() == []


@RELEASES
def test_one_who_saw_the_nation_keeps_a_commune(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    account, one = office.worker(""), tablet(release)
    one.sync(remote(office, account))
    assert captured(one) == expected(*above(*COMMUNES))
    office.grant(account, COMMUNES[3])
    one.sync(remote(office, account), batch_size=100)
    assert captured(one) == expected(*above(COMMUNES[3]))


@RELEASES
def test_an_area_that_is_granted_again_comes_back(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    here, there = COMMUNES[14], COMMUNES[24]
    account, one = office.worker(here), tablet(release)
    for _ in range(2):
        for commune in (here, there):
            office.grant(account, commune)

            def is_there(commune: str = commune) -> bool:
                one.sync(remote(office, account))
                return captured(one) == expected(*above(commune))

            eventually(is_there, what=f"the documents of {commune}")
            name = f"{commune}-1"
            assert one.attachment(f"household:{name}", "house.jpg") == picture_of(name)
    office.rest()
    one.edit(f"household:{there}-1", note="edited")
    one.sync(remote(office, account))
    office.rest()
    winner = office.whole.get(f"household:{there}-1")
    assert b"edited" in winner.body and not office.whole.conflicted()


def test_two_tablets_of_an_account_get_back_what_one_was_told_to_forget(
    office: Office, tablet: MakeTablet
) -> None:
    account = office.worker(COMMUNES[15])
    ours, theirs, fresh = tablet(9), tablet(7), tablet(9)
    for one in (ours, theirs):
        one.sync(remote(office, account))
    office.grant(account)
    ours.sync(remote(office, account))
    office.grant(account, COMMUNES[15])

    def all_have_it() -> bool:
        for one in (ours, theirs, fresh):
            one.sync(remote(office, account))
        return all(captured(one) == expected(*above(COMMUNES[15])) for one in (ours, theirs, fresh))

    eventually(all_have_it, what="the documents on all tablets")


@RELEASES
def test_a_household_that_moves_goes_from_one_tablet_to_the_other_with_all_of_its_own(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    here, there = COMMUNES[16 + release - 7], COMMUNES[30 + release - 7]
    leaves, gets = office.worker(here), office.worker(there)
    ours, theirs = tablet(release), tablet(release)
    for one, account in ((ours, leaves), (theirs, gets)):
        one.sync(remote(office, account))
    ours.edit(f"household:{here}-0", village=there + "01")
    moving = {f"household:{here}-0", f"proposal:{here}-0"}

    def has_moved() -> bool:
        for one, account in ((ours, leaves), (theirs, gets)):
            one.sync(remote(office, account))
        return not moving & set(ours.ids()) and moving < set(theirs.ids())

    eventually(has_moved, what="the household on the other tablet")
    office.rest()
    for one, account in ((ours, leaves), (theirs, gets)):
        result = one.sync(remote(office, account))
        assert result["push"]["docs_written"] == 0
        assert holds_its_scope(office, one, account)
    assert theirs.attachment(f"household:{here}-0", "house.jpg") == picture_of(f"{here}-0")


@RELEASES
def test_a_live_tablet_loses_and_gets_what_its_grants_say_by_itself(
    office: Office, tablet: MakeTablet, release: int
) -> None:
    here, there = COMMUNES[40], COMMUNES[42]
    account, one = office.worker(here), tablet(release)
    one.live_start(remote(office, account), retry=True)
    for communes in ([here], [there], [here, there], [], [here]):
        office.grant(account, *communes)
        wanted = expected(*above(*communes)) if communes else set()
        eventually(
            lambda wanted=wanted: captured(one) == wanted,  # type: ignore[misc]
            what=f"a tablet with {communes}",
        )
    assert one.live_stop()["denied"] == 0


def test_what_is_written_offline_about_a_new_household_stands_in_its_commune(
    office: Office, tablet: MakeTablet
) -> None:
    account, one = office.worker(COMMUNES[44]), tablet()
    one.sync(remote(office, account))
    one.put({"_id": "visit:new", "type": "visit", "proposal": "proposal:new"})
    one.push(remote(office, account))
    one.put({"_id": "proposal:new", "type": "proposal", "household": "household:new"})
    one.push(remote(office, account))
    office.rest()
    assert {office.whole.state(doc_id).area for doc_id in ("visit:new", "proposal:new")} == {
        COMMUNES[44]
    }
    village = COMMUNES[45] + "01"
    office.write("household:new", COMMUNES[45], type="household", village=village)
    office.rest()
    one.sync(remote(office, account))
    assert not {"visit:new", "proposal:new"} & set(one.ids())
    other, theirs = office.worker(COMMUNES[45]), tablet()
    theirs.sync(remote(office, other))
    assert {"visit:new", "proposal:new", "household:new"} < set(theirs.ids())
