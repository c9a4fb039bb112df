"""Who makes a request: Basic, Bearer and the session cookie, and how long a proof holds."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sync_server.access import passwords
from sync_server.access.accounts import Account
from sync_server.access.authentication import CredentialCache, authenticate, sign_in
from sync_server.access.grants import Grant
from sync_server.access.permissions import (
    require_admin,
    require_area,
    require_member,
    require_role,
)
from sync_server.errors import Forbidden, Unauthorized
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def sok(parts: Parts) -> str:
    parts.accounts.create("sok", "password1", roles=["replicator"], databases=["rushit"])
    return "sok"


def test_no_credentials_are_nobody(parts: Parts) -> None:
    assert authenticate(parts, None, None) is None
    assert authenticate(parts, "", "") is None


def test_a_password_opens_the_account_again_and_again(parts: Parts, sok: str) -> None:
    for _ in range(3):
        account = authenticate(parts, basic(sok, "password1"), None)
        assert account == Account(sok, "", frozenset({"replicator"}), frozenset({"rushit"}))


def test_a_password_may_hold_colons(parts: Parts) -> None:
    parts.accounts.create("sok", "pass:word:1")
    assert authenticate(parts, basic("sok", "pass:word:1"), None) is not None


def test_a_token_works_as_bearer_and_as_the_password(parts: Parts, sok: str) -> None:
    token = parts.accounts.issue_token(sok, "tablet-7")
    for header in (f"Bearer {token}", f"bearer {token}", basic(sok, token)):
        account = authenticate(parts, header, None)
        assert account is not None
        assert (account.name, account.device) == (sok, "tablet-7")


def test_a_token_is_no_password_of_another_account(parts: Parts, sok: str) -> None:
    parts.accounts.create("chan", "password1")
    token = parts.accounts.issue_token(sok, "tablet-7")
    with pytest.raises(Unauthorized):
        authenticate(parts, basic("chan", token), None)


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Bearer",
        "Bearer sst_unknown",
        "Digest username=sok",
        basic("sok", "password2"),
        basic("nobody", "password1"),
        basic("", ""),
        "Bearer \ud800",
    ],
)
def test_wrong_and_broken_credentials_are_unauthorized(parts: Parts, sok: str, header: str) -> None:
    with pytest.raises(Unauthorized):
        authenticate(parts, header, None)


def test_an_unknown_name_costs_a_password_check_too(
    parts: Parts, sok: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[bool] = []
    real = passwords._matches

    def counted(password_hash: str, raw: bytes) -> bool:
        checks.append(True)
        return real(password_hash, raw)

    monkeypatch.setattr(passwords, "_matches", counted)
    for name in (sok, "nobody"):
        with pytest.raises(Unauthorized):
            authenticate(parts, basic(name, "password2"), None)
    assert len(checks) == 2


def test_a_verified_password_is_not_hashed_again(
    parts: Parts, sok: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticate(parts, basic(sok, "password1"), None)
    monkeypatch.setattr(passwords, "_matches", lambda *_: pytest.fail("hashed again"))
    assert authenticate(parts, basic(sok, "password1"), None) is not None
    parts.accounts.add_member(sok, "trial")
    account = authenticate(parts, basic(sok, "password1"), None)
    assert account is not None
    assert account.databases == {"rushit", "trial"}


def test_a_change_in_another_process_holds_for_the_next_request(
    parts: Parts, sok: str, tmp_path: Path
) -> None:
    token = parts.accounts.issue_token(sok, "tablet-7")
    headers = (basic(sok, "password1"), f"Bearer {token}")
    for header in headers:
        assert authenticate(parts, header, None) is not None
    elsewhere = open_parts(Settings(data_dir=tmp_path))
    elsewhere.accounts.set_disabled(sok, True)
    elsewhere.close()
    for header in headers:
        with pytest.raises(Unauthorized, match="disabled"):
            authenticate(parts, header, None)


def test_a_change_without_the_stamp_holds_within_a_second(parts: Parts, sok: str) -> None:
    now = [1000.0]
    cache = CredentialCache(parts.accounts, clock=lambda: now[0])
    record = parts.accounts.find(sok)
    assert record is not None
    cache.remember("credential", record, lambda: parts.accounts.find(sok))
    assert cache.lookup("credential") is not None
    mark = parts.accounts.stamp.mark()
    parts.accounts.stamp.touch = lambda: None  # type: ignore[method-assign]
    parts.accounts.set_password(sok, "password2")
    assert parts.accounts.stamp.mark() == mark
    assert cache.lookup("credential") is not None
    now[0] += 1.1
    assert cache.lookup("credential") is None


def test_a_revoked_token_is_refused_at_once(parts: Parts, sok: str) -> None:
    token = parts.accounts.issue_token(sok, "tablet-7")
    assert authenticate(parts, f"Bearer {token}", None) is not None
    assert parts.accounts.revoke_tokens(sok, "tablet-7") == 1
    with pytest.raises(Unauthorized):
        authenticate(parts, f"Bearer {token}", None)


def test_a_session_cookie_stands_for_the_account(parts: Parts, sok: str) -> None:
    account, cookie = sign_in(parts, sok, "password1")
    assert account.name == sok
    for _ in range(2):
        assert authenticate(parts, None, cookie) == account


def test_the_header_wins_over_the_cookie(parts: Parts, sok: str) -> None:
    parts.accounts.create("chan", "password1")
    _, cookie = sign_in(parts, sok, "password1")
    account = authenticate(parts, basic("chan", "password1"), cookie)
    assert account is not None
    assert account.name == "chan"


def test_a_forged_or_damaged_cookie_is_refused(parts: Parts, sok: str) -> None:
    _, cookie = sign_in(parts, sok, "password1")
    claims, signature = cookie.split(".", 1)
    for damaged in (f"{claims}A.{signature}", f"{claims}.A{signature}", "x", "a.b.c", ".."):
        with pytest.raises(Unauthorized):
            authenticate(parts, None, damaged)


def test_a_new_password_ends_sessions(parts: Parts, sok: str) -> None:
    _, cookie = sign_in(parts, sok, "password1")
    assert authenticate(parts, None, cookie) is not None
    parts.accounts.set_password(sok, "password2")
    with pytest.raises(Unauthorized):
        authenticate(parts, None, cookie)
    with pytest.raises(Unauthorized):
        authenticate(parts, basic(sok, "password1"), None)
    assert authenticate(parts, basic(sok, "password2"), None) is not None


def test_sessions_outlive_a_restart(parts: Parts, sok: str, tmp_path: Path) -> None:
    _, cookie = sign_in(parts, sok, "password1")
    again = open_parts(Settings(data_dir=tmp_path))
    assert authenticate(again, None, cookie) is not None
    again.close()


def test_a_session_ends_with_its_time(parts: Parts, sok: str, tmp_path: Path) -> None:
    _, cookie = sign_in(parts, sok, "password1")
    short = open_parts(Settings(data_dir=tmp_path, session_seconds=-1))
    with pytest.raises(Unauthorized, match="ended"):
        authenticate(short, None, cookie)
    short.close()


def test_members_may_use_their_databases_and_admins_all() -> None:
    sok = Account("sok", databases=frozenset({"rushit"}))
    admin = Account("root", roles=frozenset({"admin"}))
    assert require_member(sok, "rushit") is sok
    assert require_member(admin, "rushit") is admin
    assert require_admin(admin) is admin
    with pytest.raises(Forbidden):
        require_member(sok, "trial")
    with pytest.raises(Forbidden):
        require_admin(sok)
    with pytest.raises(Unauthorized):
        require_member(None, "rushit")


def test_a_role_is_asked_for_in_its_database_and_time() -> None:
    grant = Grant("coordinator", "rushit", "02", starts_at=100, ends_at=200)
    chan = Account("chan", grants=(grant,))
    assert require_role(chan, "rushit", "coordinator", 100) is chan
    for database, role, now in (
        ("trial", "coordinator", 100),
        ("rushit", "cew", 100),
        ("rushit", "coordinator", 99),
        ("rushit", "coordinator", 200),
    ):
        with pytest.raises(Forbidden, match=role):
            require_role(chan, database, role, now)
    assert require_member(chan, "rushit") is chan


def test_a_role_reaches_what_lies_in_its_area() -> None:
    chan = Account("chan", grants=(Grant("coordinator", "rushit", "02", 0),))
    for area in ("02", "0203", "020301"):
        require_area(chan, "rushit", "coordinator", area, 1)
    for area in ("", "03", "@sok"):
        with pytest.raises(Forbidden, match="no coordinator"):
            require_area(chan, "rushit", "coordinator", area, 1)
