"""Guessing: how soon it is stopped, how much is left of it, and who is never locked out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sync_server.access.remote_address import Peer, networks
from sync_server.access.throttle import ADDRESS, CODES_AT_ADDRESS, NAME, NAME_AT_ADDRESS, Throttle
from sync_server.errors import EnrolmentRefused, TooManyAttempts, Unauthorized
from sync_server.parts import Parts, open_parts
from sync_server.settings import Settings

OFFICE, CAFE = Peer("203.0.113.7"), Peer("198.51.100.9")
HOUR, DAY = 3600.0, 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(parts: Parts, clock: Clock) -> Throttle:
    return Throttle(parts.sql, clock=clock)


def fail(throttle: Throttle, name: str = "sok", peer: Peer = OFFICE) -> int | None:
    """A wrong password: None where it was looked at, else the seconds to wait."""
    try:
        with throttle.sign_in(name, peer):
            raise Unauthorized
    except TooManyAttempts as refused:
        return refused.retry_after
    except Unauthorized:
        return None


def succeed(throttle: Throttle, name: str = "sok", peer: Peer = OFFICE) -> None:
    with throttle.sign_in(name, peer):
        pass


def strangers() -> Iterator[Peer]:
    """Addresses without end, none of them twice."""
    number = 0
    while True:
        number += 1
        yield Peer(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")


def test_a_few_mistakes_are_free_and_the_next_attempt_waits(throttle: Throttle) -> None:
    assert [fail(throttle) for _ in range(NAME_AT_ADDRESS.free + 1)] == [None] * 6
    assert fail(throttle) == 30
    with pytest.raises(TooManyAttempts, match="wait 1 min.*សូមរង់ចាំ 1 នាទី"):
        succeed(throttle)


def test_the_wait_doubles_with_every_further_failure_up_to_its_longest(
    throttle: Throttle, clock: Clock
) -> None:
    for _ in range(NAME_AT_ADDRESS.free):
        fail(throttle)
    waits = []
    for _ in range(12):
        assert fail(throttle) is None
        waits.append(fail(throttle) or 0)
        clock.now += waits[-1]
    assert waits[:5] == [30, 60, 120, 240, 480]
    assert waits == sorted(waits)
    assert waits[-1] == 3 * HOUR


def test_what_is_refused_does_not_lengthen_the_wait(throttle: Throttle, clock: Clock) -> None:
    for _ in range(NAME_AT_ADDRESS.free + 1):
        fail(throttle)
    for _ in range(50):
        assert fail(throttle) == 30
    clock.now += 30
    succeed(throttle)


def test_failures_are_forgotten_with_time(throttle: Throttle, clock: Clock) -> None:
    for _ in range(NAME_AT_ADDRESS.free + 1):
        fail(throttle)
    clock.now += 6 * 3 * HOUR
    assert [fail(throttle) for _ in range(6)] == [None] * 6
    assert fail(throttle) == 30


def test_a_right_password_takes_back_its_own_attempt_alone(throttle: Throttle) -> None:
    """Else whoever shares the address would get new guesses with each sign-in of the owner."""
    for _ in range(NAME_AT_ADDRESS.free - 1):
        fail(throttle)
    for _ in range(20):
        succeed(throttle)
    assert [fail(throttle), fail(throttle), fail(throttle)] == [None, None, 30]


def test_one_account_is_not_guessed_from_many_addresses(throttle: Throttle) -> None:
    addresses = strangers()
    tried = [fail(throttle, "sok", next(addresses)) for _ in range(NAME.free + 5)]
    assert tried == [None] * (NAME.free + 1) + [30] * 4


def test_many_accounts_are_not_guessed_from_one_address(throttle: Throttle) -> None:
    tried = [fail(throttle, f"cew-{n}", CAFE) for n in range(ADDRESS.free + 5)]
    assert tried == [None] * (ADDRESS.free + 1) + [30] * 4
    assert fail(throttle, "cew-0", OFFICE) is None


def test_whoever_is_attacked_from_elsewhere_signs_in_where_they_work(
    throttle: Throttle, clock: Clock
) -> None:
    succeed(throttle, "sok", OFFICE)
    addresses = strangers()
    for _ in range(60):
        fail(throttle, "sok", next(addresses))
        succeed(throttle, "sok", OFFICE)
        clock.now += 600
    with pytest.raises(TooManyAttempts):
        succeed(throttle, "sok", CAFE)


def test_a_neighbour_who_guesses_keeps_nobody_from_signing_in(throttle: Throttle) -> None:
    succeed(throttle, "sok", OFFICE)
    for n in range(100):
        fail(throttle, f"cew-{n}", OFFICE)
    succeed(throttle, "sok", OFFICE)
    assert fail(throttle, "dara", OFFICE) is not None


def test_an_address_is_not_known_for_ever(throttle: Throttle, clock: Clock) -> None:
    succeed(throttle, "sok", OFFICE)
    clock.now += 91 * DAY
    for n in range(100):
        fail(throttle, f"cew-{n}", OFFICE)
    assert fail(throttle, "sok", OFFICE) is not None


@pytest.mark.parametrize("pause", [1.0, 30.0, HOUR, 3 * HOUR, DAY])
def test_a_patient_botnet_gets_eight_guesses_a_day_at_one_account(
    throttle: Throttle, clock: Clock, pause: float
) -> None:
    """Whatever its rhythm: bursts and then a rest of `pause`, for weeks, never an address twice.

    Against a PIN of six digits that is 1 in 120,000 a day: see docs/security.md.
    """
    addresses, guesses, begun = strangers(), 0, clock.now
    days = 15
    while clock.now < begun + days * DAY:
        wait = fail(throttle, "sok", next(addresses))
        if wait is None:
            guesses += 1
            continue
        clock.now += max(wait, pause)
    first_burst = NAME.free + 12
    assert days * 8 * 0.7 < guesses <= days * 8 + first_burst


def test_attempts_that_come_all_at_once_are_counted_before_they_are_looked_at(
    throttle: Throttle,
) -> None:
    looked_at, refused = [], []
    everybody_in = threading.Barrier(40)

    def guess() -> None:
        everybody_in.wait()
        try:
            with throttle.sign_in("sok", OFFICE):
                looked_at.append(1)
                raise Unauthorized
        except TooManyAttempts:
            refused.append(1)
        except Unauthorized:
            pass

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked_at) == NAME_AT_ADDRESS.free + 1
    assert len(looked_at) + len(refused) == 40


def test_other_processes_and_restarts_give_no_new_guesses(
    throttle: Throttle, tmp_path: Path, clock: Clock
) -> None:
    for _ in range(NAME_AT_ADDRESS.free + 1):
        fail(throttle)
    elsewhere = open_parts(Settings(data_dir=tmp_path))
    assert fail(Throttle(elsewhere.sql, clock=clock)) == 30
    elsewhere.close()


def test_a_new_password_is_not_throttled_for_guesses_at_the_old_one(
    parts: Parts, throttle: Throttle
) -> None:
    parts.accounts.create("sok", "password1")
    for _ in range(NAME_AT_ADDRESS.free + 1):
        fail(throttle)
    parts.accounts.set_password("sok", "password2")
    succeed(throttle)


def test_codes_are_throttled_by_address_alone(throttle: Throttle) -> None:
    def redeem(peer: Peer) -> None:
        with throttle.code(peer):
            raise EnrolmentRefused

    for _ in range(CODES_AT_ADDRESS.free + 1):
        with pytest.raises(EnrolmentRefused):
            redeem(CAFE)
    with pytest.raises(TooManyAttempts):
        redeem(CAFE)
    with throttle.code(OFFICE):
        pass
    succeed(throttle, "sok", CAFE)


def test_nothing_is_kept_that_was_typed(throttle: Throttle, parts: Parts, tmp_path: Path) -> None:
    fail(throttle, "my-password-in-the-wrong-field")
    parts.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert b"my-password" not in stored


def test_what_says_nothing_any_more_is_dropped(
    throttle: Throttle, clock: Clock, rows: Callable[[], int]
) -> None:
    for n in range(20):
        fail(throttle, f"cew-{n}")
    assert rows() > 20
    clock.now += 8 * DAY
    fail(throttle)
    assert rows() == 3


@pytest.fixture
def rows(parts: Parts) -> Callable[[], int]:
    from sqlalchemy import func, select

    from sync_server.access.device_tables import attempts

    def count() -> int:
        with parts.sql.begin() as connection:
            return int(connection.execute(select(func.count()).select_from(attempts)).scalar_one())

    return count


def test_a_proxy_that_is_not_trusted_cannot_give_an_address_of_its_choice(
    parts: Parts, clock: Clock
) -> None:
    throttle = Throttle(parts.sql, networks(["10.0.0.0/8"]), clock)
    for n in range(ADDRESS.free + 1):
        fail(throttle, f"cew-{n}", Peer("198.51.100.9", forwarded=f"192.0.2.{n}"))
    assert fail(throttle, "dara", Peer("198.51.100.9", forwarded="192.0.2.200")) == 30
    with suppress(Unauthorized):
        assert fail(throttle, "dara", Peer("10.0.0.1", forwarded="192.0.2.200")) is None
