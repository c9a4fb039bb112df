"""What is kept of scopes, and what makes it be worked out again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from sqlalchemy import insert

from sync_server.access import scopes as module
from sync_server.access.accounts import Account
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.grants import Grant
from sync_server.access.scopes import RECHECK_MS, Scopes
from sync_server.access.tables import gazetteer_units
from sync_server.parts import Parts

SOK = Account("sok", grants=(Grant("coordinator", "rushit", "02", 0),))


@dataclass
class Clock:
    now: int = 1000

    def __call__(self) -> int:
        return self.now


def add_places(parts: Parts, *codes: str) -> None:
    rows = [{"code": code, "name_km": code, "name_latin": code} for code in codes]
    with parts.sql.begin() as connection:
        connection.execute(insert(gazetteer_units), rows)
    parts.gazetteer.stamp.touch()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scopes(parts: Parts, clock: Clock) -> Scopes:
    return Scopes(parts.gazetteer, clock)


def test_a_scope_is_worked_out_once(scopes: Scopes) -> None:
    assert scopes.of(SOK, "rushit") is scopes.of(SOK, "rushit")
    assert scopes.of(SOK, "trial").areas == ()


def test_a_new_gazetteer_brings_its_communes(parts: Parts, scopes: Scopes) -> None:
    assert scopes.of(SOK, "rushit").areas == ("", "02", "@sok")
    add_places(parts, "02", "0203", "020301", "03")
    assert scopes.of(SOK, "rushit").areas == ("", "02", "0203", "020301", "@sok")


def test_other_grants_are_seen_at_once(scopes: Scopes) -> None:
    scopes.of(SOK, "rushit")
    other = replace(SOK, grants=(Grant("cew", "rushit", "0304", 0),))
    assert scopes.of(other, "rushit").areas == ("", "03", "0304", "@sok")


def test_a_grant_begins_and_ends_in_its_time(scopes: Scopes, clock: Clock) -> None:
    later = replace(SOK, grants=(Grant("cew", "rushit", "03", 1500, ends_at=1700),))
    assert scopes.of(later, "rushit").areas == ()
    clock.now = 1500
    assert scopes.of(later, "rushit").areas == ("", "03", "@sok")
    clock.now = 1700
    assert scopes.of(later, "rushit").areas == ("@sok",)
    clock.now = 1600
    assert scopes.of(later, "rushit").areas == ("", "03", "@sok"), "a clock may be set back"


def test_whoever_replicates_all_costs_no_look(
    scopes: Scopes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gazetteer, "areas_within", lambda *_: pytest.fail("a look"))
    for account in (replace(SOK, roles=frozenset({"admin"})), Account("m", databases=DATABASES)):
        assert scopes.of(account, "rushit").is_everything


DATABASES = frozenset({"rushit"})


def test_scopes_are_worked_out_again_now_and_then(scopes: Scopes, clock: Clock) -> None:
    first = scopes.of(SOK, "rushit")
    clock.now += RECHECK_MS
    assert scopes.of(SOK, "rushit") is not first


def test_not_more_than_so_many_are_kept(scopes: Scopes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_SCOPES", 3)
    for number in range(10):
        scopes.of(replace(SOK, name=f"sok{number}"), "rushit")
        assert len(scopes._kept) <= 3
