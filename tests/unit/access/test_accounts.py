"""Accounts: made, changed, disabled; their secrets are never kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.access.accounts import Account
from sync_server.errors import BadRequest, Conflict, NotFound
from sync_server.parts import Parts


def test_an_account_has_the_roles_and_databases_it_was_given(parts: Parts) -> None:
    parts.accounts.create("sok", "password1", roles=["replicator"], databases=["rushit", "rushit"])
    record = parts.accounts.find("sok")
    assert record is not None
    assert record.account == Account("sok", "", frozenset({"replicator"}), frozenset({"rushit"}))
    assert not record.account.is_admin


def test_a_name_is_taken_once(parts: Parts) -> None:
    parts.accounts.create("sok", "password1")
    with pytest.raises(Conflict):
        parts.accounts.create("sok", "password2")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b", "a\x00", "x" * 101])
def test_a_name_that_basic_authentication_cannot_carry_is_refused(parts: Parts, name: str) -> None:
    with pytest.raises(BadRequest):
        parts.accounts.create(name, "password1")


@pytest.mark.parametrize("password", ["", "short", "sst_looks_like_a_token"])
def test_a_short_password_or_one_like_a_token_is_refused(parts: Parts, password: str) -> None:
    with pytest.raises(BadRequest):
        parts.accounts.create("sok", password)


def test_an_unknown_role_is_refused(parts: Parts) -> None:
    with pytest.raises(BadRequest, match="emperor"):
        parts.accounts.create("sok", "password1", roles=["emperor"])


def test_khmer_names_and_passwords_are_welcome(parts: Parts) -> None:
    parts.accounts.create("សុខ", "ពាក្យសម្ងាត់")
    assert parts.accounts.find("សុខ") is not None


def test_no_secret_stands_in_the_database(parts: Parts, tmp_path: Path) -> None:
    parts.accounts.create("sok", "password1-to-look-for")
    token = parts.accounts.issue_token("sok", "tablet-7")
    parts.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert b"password1-to-look-for" not in stored
    assert token.encode() not in stored


def test_a_new_token_replaces_the_tablets_former_one(parts: Parts) -> None:
    from sync_server.access.passwords import token_digest

    parts.accounts.create("sok", "password1")
    first = parts.accounts.issue_token("sok", "tablet-7")
    other = parts.accounts.issue_token("sok", "tablet-8")
    second = parts.accounts.issue_token("sok", "tablet-7")
    assert parts.accounts.find_by_token(token_digest(first)) is None
    for token, device in ((second, "tablet-7"), (other, "tablet-8")):
        record = parts.accounts.find_by_token(token_digest(token))
        assert record is not None
        assert record.account.device == device


def test_membership_may_be_given_twice_and_taken_once(parts: Parts) -> None:
    parts.accounts.create("sok", "password1")
    parts.accounts.add_member("sok", "rushit")
    parts.accounts.add_member("sok", "rushit")
    parts.accounts.remove_member("sok", "rushit")
    record = parts.accounts.find("sok")
    assert record is not None
    assert record.account.databases == frozenset()


def test_a_database_that_is_forgotten_has_no_members(parts: Parts) -> None:
    parts.accounts.create("sok", "password1", databases=["rushit", "trial"])
    parts.accounts.forget_database("rushit")
    record = parts.accounts.find("sok")
    assert record is not None
    assert record.account.databases == {"trial"}


def test_changing_an_account_that_does_not_exist_is_refused(parts: Parts) -> None:
    for change in (
        lambda: parts.accounts.set_password("nobody", "password1"),
        lambda: parts.accounts.set_disabled("nobody", True),
        lambda: parts.accounts.issue_token("nobody", "tablet-7"),
        lambda: parts.accounts.add_member("nobody", "rushit"),
    ):
        with pytest.raises(NotFound, match="nobody"):
            change()
