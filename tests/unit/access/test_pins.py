"""PINs: for workers alone, and gone with the next password."""

from __future__ import annotations

import re
import time

import pytest

from sync_server.access.authentication import sign_in
from sync_server.errors import BadRequest, NotFound, Unauthorized
from sync_server.parts import Parts


@pytest.fixture
def sok(parts: Parts) -> str:
    parts.accounts.create("sok", "password1")
    parts.grants.give("sok", "cew", "rushit", "020301")
    return "sok"


def test_a_pin_of_six_digits_takes_the_place_of_the_password(parts: Parts, sok: str) -> None:
    pin = parts.accounts.reset_pin(sok)
    assert re.fullmatch(r"[0-9]{6}", pin)
    account, _ = sign_in(parts, sok, pin)
    assert account.name == sok
    with pytest.raises(Unauthorized):
        sign_in(parts, sok, "password1")
    assert parts.accounts.reset_pin(sok) != pin or parts.accounts.reset_pin(sok) != pin


def test_a_new_pin_ends_sessions(parts: Parts, sok: str) -> None:
    before = parts.accounts.find(sok)
    parts.accounts.reset_pin(sok)
    after = parts.accounts.find(sok)
    assert before is not None and after is not None
    assert after.credential_epoch > before.credential_epoch


def test_who_decides_or_sees_all_gets_no_pin(parts: Parts) -> None:
    parts.accounts.create("root", "password1", roles=["admin"])
    parts.accounts.create("mirror", "password1", roles=["replicator"])
    parts.accounts.create("member", "password1", databases=["rushit"])
    parts.accounts.create("chan", "password1")
    parts.grants.give("chan", "coordinator", "rushit", "02", starts_at=_tomorrow())
    for name in ("root", "mirror", "member", "chan"):
        with pytest.raises(BadRequest, match="needs a password"):
            parts.accounts.reset_pin(name)
        sign_in(parts, name, "password1")
    with pytest.raises(NotFound):
        parts.accounts.reset_pin("nobody")


def test_who_was_a_coordinator_may_have_a_pin(parts: Parts, sok: str) -> None:
    parts.grants.end(parts.grants.give(sok, "coordinator", "rushit", "02").number)
    parts.accounts.reset_pin(sok)


def test_who_has_a_pin_gets_no_role_that_needs_a_password(parts: Parts, sok: str) -> None:
    parts.accounts.reset_pin(sok)
    with pytest.raises(BadRequest, match="PIN"):
        parts.grants.give(sok, "coordinator", "rushit", "02")
    with pytest.raises(BadRequest, match="PIN"):
        parts.accounts.add_member(sok, "rushit")
    parts.grants.give(sok, "cew", "rushit", "020302")
    parts.accounts.set_password(sok, "password2")
    parts.grants.give(sok, "coordinator", "rushit", "02")
    parts.accounts.add_member(sok, "rushit")


def test_a_password_of_six_characters_is_still_refused(parts: Parts, sok: str) -> None:
    with pytest.raises(BadRequest):
        parts.accounts.set_password(sok, "123456")


def _tomorrow() -> int:
    return time.time_ns() // 1_000_000 + 86_400_000
