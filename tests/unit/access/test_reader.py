"""How an account reads a database: what is sealed, and what is remembered."""

from __future__ import annotations

import time

import pytest

from sync_server import commands
from sync_server.access.accounts import Account
from sync_server.access.grants import Grant
from sync_server.access.reader import database_for
from sync_server.access.scopes import now_ms
from sync_server.access.sealing import Seals
from sync_server.errors import BadRequest
from sync_server.parts import Parts
from sync_server.storage.base import ChangesPage, Database, MissingRevision
from sync_server.storage.departures import departure_of
from tests.contract.drafts import ORIGIN, replicate, write

HERE, THERE = "020301", "020401"


def account(name: str, *areas: str) -> Account:
    return Account(name, grants=tuple(Grant("cew", "rushit", area, 0) for area in areas))


@pytest.fixture
def whole(parts: Parts) -> Database:
    parts.store.create("rushit")
    return parts.store.database("rushit")


def ids(database: Database, since: str = "0") -> list[str]:
    return [row.doc_id for row in database.changes(since).rows]


def test_an_account_sees_its_areas_a_replicator_the_whole(parts: Parts, whole: Database) -> None:
    replicate(whole, write("a", "1-a", area=HERE), write("b", "1-b", area=THERE))
    assert ids(database_for(parts, account("sok", HERE), "rushit")) == ["a"]
    assert ids(database_for(parts, account("sok", ""), "rushit")) == ["a", "b"]
    assert ids(database_for(parts, account("sok"), "rushit")) == []
    mirror = Account("mirror", databases=frozenset({"rushit"}))
    assert database_for(parts, mirror, "rushit") is whole


def test_a_sequence_of_ones_own_goes_on(parts: Parts, whole: Database) -> None:
    for areas in ([HERE], [""]):
        replicate(whole, write(f"a{areas}", "1-a", area=HERE))
        reader = database_for(parts, account("sok", *areas), "rushit")
        for since in (reader.update_seq(), reader.info().update_seq, reader.changes().last_seq):
            assert ids(reader, since) == []
            assert not reader.wait(since, 0)
        last = reader.changes().rows[-1].seq
        assert last.startswith(last.partition("-")[0]) and ids(reader, last) == []


@pytest.mark.parametrize("areas", [[HERE], [""]])
def test_one_who_is_told_nothing_keeps_their_sequence(
    parts: Parts, whole: Database, areas: list[str]
) -> None:
    replicate(whole, write("a", "1-a", area=HERE))
    sok = account("sok", *areas)
    since = database_for(parts, sok, "rushit").changes().last_seq
    if areas == [HERE]:
        replicate(whole, write("b", "1-b", area=THERE))
    assert database_for(parts, sok, "rushit").changes(since) == ChangesPage([], since, 0)
    replicate(whole, write("c", "1-c", area=HERE))
    assert ids(database_for(parts, sok, "rushit"), since) == ["c"]


def test_one_whose_grant_has_ended_gets_a_new_sequence_though_nothing_is_told(
    parts: Parts, whole: Database
) -> None:
    replicate(whole, write("a", "1-a", area=HERE))
    since = database_for(parts, account("sok", HERE), "rushit").changes().last_seq
    ended = Grant("cew", "rushit", THERE, 0, ends_at=now_ms() + 50)
    sok = Account("sok", grants=(*account("sok", HERE).grants, ended))
    while ended.holds(now_ms()):
        time.sleep(0.01)
    page = database_for(parts, sok, "rushit").changes(since)
    assert page.rows == [] and page.last_seq != since


def test_nobody_learns_ids_by_a_sequence_that_is_not_theirs(parts: Parts, whole: Database) -> None:
    replicate(whole, write("a", "1-a", area=HERE), write("b", "1-b", area=THERE))
    sok = database_for(parts, account("sok", HERE), "rushit")
    for other in (
        whole,
        whole.within([THERE]),
        database_for(parts, account("dara", THERE), "rushit"),
        database_for(parts, account("dara", ""), "rushit"),
    ):
        since = other.changes().last_seq
        for forged in (since, since.partition("~")[0], since + "x", since.upper()):
            assert ids(sok, forged) == ["a"], forged


@pytest.mark.parametrize("since", ["x", "-1", "~", "1~~", "\udc80~\udc80"])
def test_what_is_no_sequence_is_refused(parts: Parts, whole: Database, since: str) -> None:
    with pytest.raises(BadRequest):
        database_for(parts, account("sok", HERE), "rushit").changes(since)


def test_a_seal_is_of_one_account_one_database_and_one_service() -> None:
    seal = Seals("secret").of("sok", "rushit")
    given = seal.put("5-e", 1_700_000_000_123)
    assert seal.take(given) == ("5-e", 1_700_000_000_123)
    for other in (
        Seals("secret").of("dara", "rushit"),
        Seals("secret").of("sok", "trial"),
        Seals("other").of("sok", "rushit"),
    ):
        assert other.take(given) == ("5", None)
    earlier = given.replace(f"{1_700_000_000_123:x}", f"{1_600_000_000_123:x}")
    assert seal.take(earlier) == ("5", None)


def test_one_who_becomes_a_replicator_goes_on_from_the_beginning(
    parts: Parts, whole: Database
) -> None:
    replicate(whole, write("a", "1-a", area=HERE), write("b", "1-b", area=THERE))
    since = database_for(parts, account("sok", HERE), "rushit").changes().last_seq
    assert ids(whole, since) == ["a", "b"]


def test_departures_are_remembered_before_they_are_told(parts: Parts, whole: Database) -> None:
    replicate(whole, write("a", "1-a", area=HERE), write("b", "1-b", area=HERE))
    sok = account("sok", HERE)
    since = database_for(parts, sok, "rushit").changes().last_seq
    whole.relocate({"a": THERE}, origin=ORIGIN)
    reader = database_for(parts, sok, "rushit")
    (row,) = reader.changes(since).rows
    assert row.departed and row.leaves == [departure_of("a", whole.get("a").rev)]
    assert parts.departures.told("rushit", "sok", ["a", "b"]) == {"a": set(row.leaves)}
    assert reader.get("a", row.leaves[0]).deleted
    assert reader.revs_diff({"a": row.leaves}) == {}
    reader.changes(since)
    assert len(parts.departures.page("rushit", "sok", 0, 10)) == 1, "once is enough"
    commands.delete_database(parts, "rushit")
    assert parts.departures.readers() == []


def test_who_never_had_a_grant_there_learns_of_no_departure(parts: Parts, whole: Database) -> None:
    replicate(whole, write("a", "1-a", area=HERE))
    gone = departure_of("a", "1-a")
    later = now_ms() + 60_000
    for grant, knows in (
        (Grant("cew", "rushit", HERE, 0, ends_at=later), True),
        (Grant("cew", "rushit", HERE, 0, ends_at=1), False),
        (Grant("cew", "rushit", HERE, later), False),
        (Grant("cew", "rushit", THERE, 0), False),
    ):
        whole.relocate({"a": HERE}, origin=ORIGIN)
        gone = departure_of("a", whole.get("a").rev)
        whole.relocate({"a": "09"}, origin=ORIGIN)
        reader = database_for(parts, Account("sok", grants=(grant,)), "rushit")
        assert (reader.revs_diff({"a": [gone, "1-a"]}) == {}) is knows, grant
        assert (reader.bulk_get([("a", gone)]) != [[MissingRevision("a", gone)]]) is knows
