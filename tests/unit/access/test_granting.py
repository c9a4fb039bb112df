"""Giving, ending, listing and transferring grants; what each leaves in the audit log."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.access import audit, granting
from sync_server.access.gazetteer import importing, sources
from sync_server.access.grants import Grant
from sync_server.errors import BadRequest, Conflict, NotFound
from sync_server.parts import Parts

COMMUNES = ("020301", "020302", "020401")
DAY = 86_400_000


@pytest.fixture
def base(parts: Parts, tmp_path: Path) -> Parts:
    """A database, a small gazetteer, and the accounts `sok` and `dara`."""
    file = tmp_path / "own.csv"
    rows = [f"{code},ក,{code}" for code in ("02", "0203", "0204", *COMMUNES)]
    file.write_text("\n".join(["code,name_km,name_latin", *rows]))
    importing.import_source(parts, sources.from_csv(file), actor=audit.CLI)
    parts.store.create("rushit")
    for name in ("sok", "dara"):
        parts.accounts.create(name, "password1")
    return parts


def give(parts: Parts, account: str, area: str, role: str = "cew", **times: int) -> Grant:
    return granting.give(parts, account, role, "rushit", area, actor="root", **times)


def log(parts: Parts, subject: str) -> list[tuple[str, str, str]]:
    with parts.sql.begin() as connection:
        found = audit.entries(connection, subject=subject)
    return [(entry.actor, entry.action, entry.details.get("area", "")) for entry in found]


# -- giving ------------------------------------------------------------------------


def test_a_grant_is_given_in_an_area_that_is_known_or_in_all(base: Parts) -> None:
    assert give(base, "sok", "020301").area == "020301"
    assert give(base, "sok", "", "coordinator").area == ""
    for area, reason in (("020399", "knows no area"), ("2", "is no area"), ("@sok", "is no area")):
        with pytest.raises(BadRequest, match=reason):
            give(base, "sok", area)


def test_accounts_and_databases_must_exist(base: Parts) -> None:
    with pytest.raises(NotFound, match="nobody"):
        give(base, "nobody", "02")
    with pytest.raises(NotFound, match="Database"):
        granting.give(base, "sok", "cew", "nowhere", "02", actor="root")


def test_times_that_contradict_each_other_are_refused(base: Parts) -> None:
    for times in ({"starts_at": 200, "ends_at": 100}, {"starts_at": 200, "ends_at": 200}):
        with pytest.raises(BadRequest, match="ends after it starts"):
            give(base, "sok", "02", **times)
    with pytest.raises(BadRequest, match="ends after it starts"):
        give(base, "sok", "02", ends_at=1)
    one = give(base, "sok", "02", starts_at=200)
    with pytest.raises(BadRequest, match="ends after it starts"):
        base.grants.end(one.number, 100)


def test_the_same_grant_twice_at_a_time_is_refused(base: Parts) -> None:
    first = give(base, "sok", "020301", starts_at=100, ends_at=200)
    for times in ({"starts_at": 150}, {"starts_at": 50, "ends_at": 101}, {"starts_at": 199}):
        with pytest.raises(Conflict, match=f"number {first.number}"):
            give(base, "sok", "020301", **times)
    give(base, "sok", "020301", starts_at=200)
    give(base, "sok", "020301", starts_at=50, ends_at=100)
    give(base, "sok", "020301", "coordinator", starts_at=150)
    give(base, "dara", "020301", starts_at=150)


def test_a_grant_that_has_not_begun_may_be_ended_and_never_holds(base: Parts) -> None:
    far = 4_000_000_000_000
    later = give(base, "sok", "020301", starts_at=far)
    base.grants.end(later.number)
    (ended,) = base.grants.of("sok")
    assert not any(ended.holds(at) for at in (far - 1, far, far + DAY))
    assert base.grants.find(now=far - DAY) == []


def test_an_end_in_the_future_may_be_moved(base: Parts) -> None:
    far = 4_000_000_000_000
    one = give(base, "sok", "020301", ends_at=far)
    base.grants.end(one.number, far - DAY)
    base.grants.end(one.number)
    with pytest.raises(NotFound):
        base.grants.end(one.number)


def test_grants_are_found_by_who_and_where_they_reach(base: Parts) -> None:
    commune = give(base, "sok", "020301")
    other = give(base, "sok", "020302")
    district = give(base, "dara", "0203", "coordinator")
    ended = give(base, "dara", "020301", starts_at=1, ends_at=2)

    def numbers(**which: object) -> list[int]:
        return [held.grant.number for held in base.grants.find(now=1000, **which)]  # type: ignore[arg-type]

    assert numbers() == [commune.number, other.number, district.number]
    assert numbers(account="sok") == [commune.number, other.number]
    assert numbers(area="020301") == [commune.number, district.number]
    assert numbers(area="0203") == [commune.number, other.number, district.number]
    assert numbers(area="0204") == [] == numbers(database="trial")
    assert [held.grant.number for held in base.grants.find(account="dara")] == [
        district.number,
        ended.number,
    ]
    with pytest.raises(NotFound):
        numbers(account="nobody")


# -- transferring ------------------------------------------------------------------


def test_a_transfer_ends_one_grant_and_begins_the_other_at_the_same_moment(base: Parts) -> None:
    first, second = give(base, "sok", "020301"), give(base, "sok", "020302")
    done = granting.transfer(base, "sok", "dara", "rushit", actor="root")
    old, new = base.grants.of("sok"), base.grants.of("dara")
    assert [grant.number for grant in old] == [first.number, second.number]
    assert [(grant.role, grant.area) for grant in new] == [("cew", "020301"), ("cew", "020302")]
    assert {grant.ends_at for grant in old} == {grant.starts_at for grant in new} == {done.at}
    assert not any(grant.holds(done.at) for grant in old)
    assert all(grant.holds(done.at) for grant in new)


def test_a_transfer_may_be_of_one_area_and_what_lies_in_it(base: Parts) -> None:
    for area in COMMUNES:
        give(base, "sok", area)
    granting.transfer(base, "sok", "dara", "rushit", area="0203", actor="root")
    assert [grant.area for grant in base.grants.of("dara")] == ["020301", "020302"]
    with pytest.raises(NotFound, match="in 0203"):
        granting.transfer(base, "sok", "dara", "rushit", area="0203", actor="root")


def test_ends_and_later_starts_are_taken_over(base: Parts) -> None:
    far = 4_000_000_000_000
    give(base, "sok", "020301", ends_at=far)
    give(base, "sok", "020302", starts_at=far, ends_at=far + DAY)
    give(base, "sok", "020401", starts_at=1, ends_at=2)
    done = granting.transfer(base, "sok", "dara", "rushit", actor="root")
    times = {grant.area: (grant.starts_at, grant.ends_at) for grant in base.grants.of("dara")}
    assert times == {"020301": (done.at, far), "020302": (far, far + DAY)}


def test_what_the_taker_has_already_is_not_given_twice(base: Parts) -> None:
    give(base, "sok", "020301")
    give(base, "sok", "020302")
    give(base, "dara", "020301")
    give(base, "dara", "020302", ends_at=4_000_000_000_000)
    done = granting.transfer(base, "sok", "dara", "rushit", actor="root")
    assert [grant.area for grant in done.given] == ["020302"]
    assert [grant.area for grant in done.ended] == ["020301", "020302"]


def test_a_transfer_that_cannot_be_changes_nothing(base: Parts) -> None:
    give(base, "sok", "020301")
    give(base, "sok", "02", "coordinator")
    base.accounts.reset_pin("dara")
    before = base.grants.find()
    with pytest.raises(BadRequest, match="PIN"):
        granting.transfer(base, "sok", "dara", "rushit", actor="root")
    base.accounts.set_disabled("dara", True)
    for giver, taker, database, error in (
        ("sok", "dara", "rushit", BadRequest),
        ("sok", "sok", "rushit", BadRequest),
        ("sok", "nobody", "rushit", NotFound),
        ("nobody", "sok", "rushit", NotFound),
        ("sok", "admin", "trial", NotFound),
    ):
        with pytest.raises(error):
            granting.transfer(base, giver, taker, database, actor="root")
    assert base.grants.find() == before


# -- the audit log -----------------------------------------------------------------


def test_every_change_of_a_grant_is_logged_with_who_made_it(base: Parts) -> None:
    one = give(base, "sok", "020301")
    base.grants.end(one.number, actor="chan")
    give(base, "sok", "020302")
    granting.transfer(base, "sok", "dara", "rushit", actor="root")
    assert log(base, "sok")[:-1] == [
        ("root", "grant.end", "020302"),
        ("root", "grant.give", "020302"),
        ("chan", "grant.end", "020301"),
        ("root", "grant.give", "020301"),
    ]
    assert log(base, "dara")[:-1] == [("root", "grant.give", "020302")]
    with base.sql.begin() as connection:
        given, ended = audit.entries(connection, limit=2)
    assert given.details["transferred_from"] == "sok"
    assert ended.details["transferred_to"] == "dara"


def test_what_was_refused_is_not_logged_as_done(base: Parts) -> None:
    before = log(base, "sok")
    for area in ("020399", "2"):
        with pytest.raises(BadRequest):
            give(base, "sok", area)
    assert log(base, "sok") == before


def test_every_change_of_an_account_is_logged_and_no_secret_is(base: Parts) -> None:
    accounts = base.accounts
    accounts.create("chan", "password1", roles=["replicator"], databases=["rushit"], actor="root")
    accounts.set_password("chan", "password2", actor="root")
    accounts.remove_member("chan", "rushit", actor="root")
    accounts.add_member("chan", "rushit", actor="root")
    token = accounts.issue_token("chan", "tablet-7", actor="root")
    accounts.revoke_tokens("chan", "tablet-7", actor="root")
    accounts.set_disabled("chan", True, actor="root")
    accounts.set_disabled("chan", False, actor="root")
    assert [entry[:2] for entry in reversed(log(base, "chan"))] == [
        ("root", "account.add"),
        ("root", "account.set_password"),
        ("root", "member.remove"),
        ("root", "member.add"),
        ("root", "account.disable"),
        ("root", "account.enable"),
    ]
    assert [entry[:2] for entry in reversed(log(base, "chan/tablet-7"))] == [
        ("root", "device.enrol"),
        ("root", "device.revoke"),
    ]
    pin = accounts.reset_pin("dara", actor="root")
    assert log(base, "dara")[0] == ("root", "account.reset_pin", "")
    with base.sql.begin() as connection:
        written = repr(audit.entries(connection))
    assert all(secret not in written for secret in ("password1", "password2", token, f"'{pin}'"))
