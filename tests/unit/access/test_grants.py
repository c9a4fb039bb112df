"""Grants, and the scope that follows from them."""

from __future__ import annotations

import pytest

from sync_server.access.accounts import Account
from sync_server.access.areas import ancestors, covers
from sync_server.access.grants import Grant
from sync_server.access.memory import Memory
from sync_server.access.scope import scope_of
from sync_server.errors import BadRequest, NotFound
from sync_server.parts import Parts

PLACES = ("02", "0203", "020301", "020302", "0204", "020401", "03")


class Places:
    def areas_within(self, area: str) -> list[str]:
        return [place for place in PLACES if place.startswith(area)]


def areas(*grants: Grant, now: int = 100) -> tuple[str, ...] | None:
    return scope_of(Account("sok", grants=grants), "rushit", Places(), now).areas


def test_a_worker_reads_the_commune_and_exactly_what_is_above_it() -> None:
    commune = Grant("cew", "rushit", "020301", 0)
    assert areas(commune) == ("", "02", "0203", "020301", "@sok")


def test_a_district_brings_its_communes() -> None:
    district = Grant("cew", "rushit", "0203", 0)
    assert areas(district) == ("", "02", "0203", "020301", "020302", "@sok")


def test_a_grant_counts_in_its_time_and_database_alone() -> None:
    assert areas(Grant("cew", "rushit", "02", 0, ends_at=100)) == ("@sok",)
    assert areas(Grant("cew", "rushit", "02", 101)) == ()
    assert areas(Grant("cew", "trial", "02", 0)) == ()


def test_the_nation_and_replicators_and_admins_are_everything() -> None:
    assert areas(Grant("coordinator", "rushit", "", 0)) is None
    for account in (
        Account("mirror", databases=frozenset({"rushit"})),
        Account("root", roles=frozenset({"admin"})),
    ):
        assert scope_of(account, "rushit", Places(), 0).is_everything


def memory(*grants: Grant, given_at: int = 0, now: int = 100) -> Memory:
    account = Account("sok", grants=grants)
    return Memory("sok", scope_of(account, "rushit", Places(), now), Places(), given_at, now)


def test_grants_that_ended_say_what_may_have_been_seen() -> None:
    found = memory(Grant("cew", "rushit", "0203", 0, ends_at=50), Grant("cew", "rushit", "05", 500))
    for area in ("", "02", "0203", "020301", "020399", "@sok"):
        assert found.saw(area, 10, None), area
    for area in ("03", "0204", "05", "@dara"):
        assert not found.saw(area, 10, None), area
    assert not any(memory().saw(area, 0, None) for area in ("", "02", "@sok"))


@pytest.mark.parametrize(
    "since, until, seen",
    [(10, 19, False), (10, 20, True), (29, None, True), (30, None, False), (0, None, True)],
)
def test_a_stay_is_seen_if_the_grant_held_during_it(
    since: int, until: int | None, seen: bool
) -> None:
    grant = Grant("cew", "rushit", "020301", 20, ends_at=30)
    assert memory(grant).saw("020301", since, until) is seen


def test_what_was_seen_before_the_sequence_was_given_is_in_the_sequence() -> None:
    ended = Grant("cew", "rushit", "020301", 20, ends_at=30)
    before, after = memory(ended, given_at=29), memory(ended, given_at=30)
    assert before.lately() == ("", "02", "0203", "020301", "@sok")
    assert before.saw_lately("020301", 0, None) and before.saw_lately("020301", 0, 29)
    assert not before.saw_lately("020301", 0, 28), "it had gone by then"
    assert after.lately() == () and not after.saw_lately("020301", 0, None)
    assert after.saw("020301", 0, None)
    assert memory(Grant("cew", "rushit", "", 20, ends_at=30), given_at=29).lately() is None
    assert memory(Grant("cew", "rushit", "020301", 20)).lately() == (), "that is in sight"


def test_areas_are_prefixes() -> None:
    assert ancestors("020301") == ["", "02", "0203"]
    assert covers("02", "020301") and covers("", "02") and covers("02", "02")
    assert not covers("020301", "02") and not covers("", "@sok")


def test_a_grant_is_given_and_ended(parts: Parts) -> None:
    parts.accounts.create("sok", "password1")
    given = parts.grants.give("sok", "cew", "rushit", "020301")
    found = parts.accounts.find("sok")
    assert found is not None and found.account.grants == (given,)
    parts.grants.end(given.number)
    (ended,) = parts.grants.of("sok")
    assert ended.ends_at is not None and not ended.holds(ended.ends_at)
    with pytest.raises(NotFound):
        parts.grants.end(given.number)


@pytest.mark.parametrize("role, area", [("admin", "02"), ("cew", "2"), ("cew", "@sok")])
def test_what_cannot_be_granted_is_refused(parts: Parts, role: str, area: str) -> None:
    parts.accounts.create("sok", "password1")
    with pytest.raises(BadRequest):
        parts.grants.give("sok", role, "rushit", area)
