"""Devices: enrolled with a code, revoked, enrolled again, and what tokens are good for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from sync_server.access import audit
from sync_server.access.authentication import authenticate, sign_in
from sync_server.access.device_tables import enrolments
from sync_server.access.enrolment import ALPHABET, Enrolments, new_code
from sync_server.access.passwords import token_digest
from sync_server.errors import BadRequest, DeviceRevoked, EnrolmentRefused, NotFound, Unauthorized
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings
from sync_server.sql import open_engine

TABLET = "tablet-7"


@pytest.fixture
def sok(parts: Parts) -> str:
    parts.accounts.create("sok", "password1", roles=["replicator"], databases=["rushit"])
    return "sok"


def offer(parts: Parts, account: str = "sok", device: str = TABLET) -> str:
    return parts.enrolments.offer(account, device, "rushit", "admin").code


def refused(parts: Parts, code: str) -> bool:
    try:
        parts.enrolments.redeem(code)
    except EnrolmentRefused:
        return True
    return False


# -- codes -------------------------------------------------------------------------


def test_a_code_becomes_a_token_once(parts: Parts, sok: str) -> None:
    code = offer(parts)
    enrolled = parts.enrolments.redeem(code)
    assert (enrolled.account, enrolled.device, enrolled.database) == (sok, TABLET, "rushit")
    account = authenticate(parts, f"Bearer {enrolled.token}", None)
    assert account is not None and account.device == TABLET
    assert refused(parts, code)


def test_a_code_is_short_enough_to_type_and_read_as_it_was_meant(parts: Parts, sok: str) -> None:
    code = offer(parts)
    assert len(code) == 14 and set(code) <= {*ALPHABET, "-"}
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert parts.enrolments.redeem(f" {typed} ").device == TABLET


def test_codes_differ() -> None:
    assert len({new_code() for _ in range(1000)}) == 1000


def test_an_unknown_code_and_one_that_is_used_are_told_alike(parts: Parts, sok: str) -> None:
    used = offer(parts)
    parts.enrolments.redeem(used)
    reasons = set()
    for code in (used, "0000-0000-0000", "", "\ud800", "x" * 60):
        with pytest.raises(EnrolmentRefused) as caught:
            parts.enrolments.redeem(code)
        reasons.add(caught.value.reason)
    assert len(reasons) == 1
    assert "សុំលេខកូដថ្មី" in reasons.pop()


def test_a_code_is_too_old_after_its_time(parts: Parts, sok: str) -> None:
    now = [1_700_000_000.0]
    codes = Enrolments(parts.sql, parts.accounts.stamp, clock=lambda: now[0])
    code = codes.offer(sok, TABLET, "rushit", "admin", minutes=10).code
    now[0] += 600
    with pytest.raises(EnrolmentRefused):
        codes.redeem(code)


def test_a_new_code_replaces_the_one_that_was_open(parts: Parts, sok: str) -> None:
    first, other, second = offer(parts), offer(parts, device="tablet-8"), offer(parts)
    assert refused(parts, first)
    assert not refused(parts, second)
    assert not refused(parts, other)


def test_of_two_that_redeem_a_code_at_once_one_gets_a_token(parts: Parts, sok: str) -> None:
    code = offer(parts)
    outcomes: list[bool] = []
    together = threading.Barrier(8)

    def redeem() -> None:
        together.wait()
        outcomes.append(refused(parts, code))

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] + [True] * 7


def test_what_a_device_has_works_until_its_new_code_is_redeemed(parts: Parts, sok: str) -> None:
    token = parts.accounts.issue_token(sok, TABLET)
    code = offer(parts)
    assert parts.accounts.find_by_token(token_digest(token)) is not None
    parts.enrolments.redeem(code)
    assert parts.accounts.find_by_token(token_digest(token)) is None


def test_a_code_of_a_disabled_account_or_a_revoked_device_is_refused(
    parts: Parts, sok: str
) -> None:
    parts.accounts.issue_token(sok, TABLET)
    code = offer(parts)
    parts.devices.revoke(sok, TABLET, "lost", "admin")
    assert refused(parts, code)
    code = offer(parts)
    parts.accounts.set_disabled(sok, True)
    assert refused(parts, code)
    with pytest.raises(BadRequest, match="disabled"):
        offer(parts)


def test_a_code_that_fell_into_wrong_hands_is_taken_back(parts: Parts, sok: str) -> None:
    code = offer(parts)
    assert parts.devices.revoke(sok, TABLET, "the paper was lost", "admin") == [sok]
    assert refused(parts, code)
    assert parts.devices.all() == []


def test_a_code_is_offered_only_where_it_is_of_use(parts: Parts, sok: str) -> None:
    parts.accounts.create("chan", "password1")
    with pytest.raises(BadRequest, match="no role in rushit"):
        offer(parts, "chan")
    with pytest.raises(NotFound, match="nobody"):
        offer(parts, "nobody")
    with pytest.raises(BadRequest, match="device name"):
        offer(parts, device="a b")
    for minutes in (0, 7 * 24 * 60 + 1):
        with pytest.raises(BadRequest, match="minutes"):
            parts.enrolments.offer(sok, TABLET, "rushit", "admin", minutes)


def test_neither_codes_nor_tokens_stand_in_the_database(
    parts: Parts, sok: str, tmp_path: Path
) -> None:
    first, code = offer(parts), offer(parts, device="tablet-8")
    token = parts.enrolments.redeem(first).token
    parts.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    for secret in (first, code, code.replace("-", ""), token):
        assert secret.encode() not in stored
    assert "token" not in repr(parts.enrolments) and code not in repr(parts)


def test_codes_of_a_database_that_is_gone_go_with_it(parts: Parts, sok: str) -> None:
    offer(parts)
    parts.accounts.forget_database("rushit")
    with parts.sql.begin() as connection:
        assert connection.execute(select(enrolments)).all() == []


# -- revoking ----------------------------------------------------------------------


def test_a_revoked_token_is_told_in_both_languages_what_to_do(parts: Parts, sok: str) -> None:
    token = parts.accounts.issue_token(sok, TABLET)
    assert authenticate(parts, f"Bearer {token}", None) is not None
    assert parts.devices.revoke(sok, TABLET, "left in a tuk-tuk", "admin") == [sok]
    with pytest.raises(DeviceRevoked) as caught:
        authenticate(parts, f"Bearer {token}", None)
    assert "bring it to your coordinator" in caught.value.reason
    assert "សូមយកវាទៅជួបអ្នកសម្របសម្រួល" in caught.value.reason
    assert "tuk-tuk" not in caught.value.reason
    assert (caught.value.status, caught.value.error) == (401, "unauthorized")


def test_a_token_that_never_was_is_simply_wrong(parts: Parts, sok: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        authenticate(parts, "Bearer sst_made-up", None)
    assert not isinstance(caught.value, DeviceRevoked)


def test_a_session_that_a_token_opened_ends_with_the_device(parts: Parts, sok: str) -> None:
    token = parts.accounts.issue_token(sok, TABLET)
    account, cookie = sign_in(parts, sok, token)
    assert account.device == TABLET
    for _ in range(2):
        again = authenticate(parts, None, cookie)
        assert again is not None and again.device == TABLET
    _, own = sign_in(parts, sok, "password1")
    parts.devices.revoke(sok, TABLET, "lost", "admin")
    with pytest.raises(DeviceRevoked):
        authenticate(parts, None, cookie)
    assert authenticate(parts, None, own) is not None


def test_a_shared_tablet_has_a_token_per_account_and_is_revoked_for_one_or_for_all(
    parts: Parts, sok: str
) -> None:
    for name in ("chan", "dara"):
        parts.accounts.create(name, "password1")
    tokens = {name: parts.accounts.issue_token(name, TABLET) for name in (sok, "chan", "dara")}
    other = parts.accounts.issue_token(sok, "tablet-8")
    parts.devices.revoke("chan", TABLET, "has left", "admin")
    assert works(parts, tokens[sok]) and not works(parts, tokens["chan"])
    assert parts.devices.revoke(sok, TABLET, "lost", "admin", shared=True) == ["dara", sok]
    assert not any(works(parts, token) for token in tokens.values())
    assert works(parts, other)


def works(parts: Parts, token: str) -> bool:
    return parts.accounts.find_by_token(token_digest(token)) is not None


def test_revoking_needs_a_reason_and_something_to_revoke(parts: Parts, sok: str) -> None:
    parts.accounts.issue_token(sok, TABLET)
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(BadRequest):
            parts.devices.revoke(sok, TABLET, reason, "admin")
    for account, device in (("nobody", TABLET), (sok, "tablet-9")):
        with pytest.raises(NotFound):
            parts.devices.revoke(account, device, "lost", "admin")
    parts.devices.revoke(sok, TABLET, "lost", "admin")
    with pytest.raises(NotFound):
        parts.devices.revoke(sok, TABLET, "lost", "admin")


def test_a_device_that_was_revoked_says_since_when_it_is_trusted_again(
    parts: Parts, sok: str
) -> None:
    fresh = authenticate(parts, f"Bearer {parts.accounts.issue_token(sok, TABLET)}", None)
    assert fresh is not None and fresh.device_readmitted_at is None
    assert fresh.device_enrolled_at > 0
    parts.devices.revoke(sok, TABLET, "lost", "admin")
    revoked = parts.devices.find(sok, TABLET)
    assert revoked.revoked_at is not None and revoked.revoke_reason == "lost"
    again = authenticate(parts, f"Bearer {parts.enrolments.redeem(offer(parts)).token}", None)
    assert again is not None and again.device_readmitted_at is not None
    assert again.device_readmitted_at >= revoked.revoked_at
    # Another token for the same tablet, without a revocation between, changes nothing of that.
    newer = authenticate(parts, f"Bearer {parts.accounts.issue_token(sok, TABLET)}", None)
    assert newer is not None and newer.device_readmitted_at == again.device_readmitted_at
    assert parts.devices.find(sok, TABLET).revoked_at is None


def test_every_step_is_in_the_audit_log_without_a_secret(parts: Parts, sok: str) -> None:
    code = offer(parts)
    token = parts.enrolments.redeem(code).token
    parts.devices.revoke(sok, TABLET, "lost", "bopha")
    with parts.sql.begin() as connection:
        steps = audit.entries(connection, subject=f"{sok}/{TABLET}")
    assert [(step.action, step.actor) for step in steps] == [
        ("device.revoke", "bopha"),
        ("device.enrol", sok),
        ("device.offer", "admin"),
    ]
    assert steps[0].details == {"reason": "lost"}
    assert code not in str(steps) and token not in str(steps)


# -- what there was before ---------------------------------------------------------


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Path]:
    """A service's database as it was when devices were only the name on a token."""
    from alembic import command
    from alembic.config import Config

    import sync_server.sql

    engine = open_engine(f"sqlite:///{tmp_path / 'service.db'}")
    config = Config()
    folder = Path(sync_server.sql.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "access_0003")
        connection.execute(
            text(
                "INSERT INTO accounts (id, name, password_hash, credential_epoch, created_at)"
                " VALUES (1, 'sok', 'x', 1, 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO device_tokens"
                " (account_id, device, secret_sha256, created_at, revoked_at) VALUES"
                " (1, 'tablet-7', 'a', 100, 150), (1, 'tablet-7', :kept, 150, NULL),"
                " (1, 'tablet-8', 'b', 200, 250), (1, 'tablet-8', 'c', 210, 260)"
            ),
            {"kept": token_digest("sst_kept")},
        )
    engine.dispose()
    yield tmp_path


def test_tokens_of_before_become_devices(older: Path) -> None:
    parts = open_parts(Settings(data_dir=older))
    seven, eight = parts.devices.all()
    assert (seven.name, seven.enrolled_at, seven.revoked_at) == ("tablet-7", 150, None)
    assert (eight.name, eight.enrolled_at, eight.revoked_at) == ("tablet-8", 210, 260)
    account = authenticate(parts, "Bearer sst_kept", None)
    assert account is not None and account.device_enrolled_at == 150
    parts.close()
