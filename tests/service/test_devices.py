"""Tablets over real HTTP: enrolled by code, listed, revoked at once; guessing that is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.serving import RunningServer

WAIT_SECONDS = 30.0
SOON_SECONDS = 5.0
"""Well below the ten seconds after which a feed asks in any case."""
SOK, BOPHA = ("sok", "sok-1234"), ("bopha", "bopha-1234")
PUBLIC = "https://sync.example.org"


@pytest.fixture(scope="module")
def service() -> Iterator[RunningServer]:
    with RunningServer(
        web_workers="2",
        public_url=PUBLIC,
        trusted_proxies="127.0.0.1",
        cors_origins="https://tablet.example.org",
    ) as running:
        running.account(*SOK, roles=["cew"], databases=["rushit"], areas=["020301"])
        running.account(*BOPHA, roles=["coordinator"], databases=["rushit"])
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A device of this test's own."""
    return str(request.node.name).replace("[", ".").replace("]", "").removeprefix("test_")[:80]


def api(service: RunningServer, method: str, path: str, **options: Any) -> requests.Response:
    options.setdefault("auth", service.admin)
    url = f"{service.url}/api/{path}"
    return requests.request(method, url, timeout=WAIT_SECONDS, **options)


def offer(service: RunningServer, device: str, **changes: Any) -> dict[str, Any]:
    wanted = {"account": "sok", "device": device, "database": "rushit", **changes}
    answer = api(service, "POST", "devices/enrolments", json=wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def redeem(service: RunningServer, code: str, **headers: str) -> requests.Response:
    return api(service, "POST", "enrol", json={"code": code}, auth=None, headers=headers)


def enrol(service: RunningServer, device: str) -> dict[str, str]:
    """The header with which a tablet of that name signs in."""
    answer = redeem(service, offer(service, device)["code"])
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def revoke(service: RunningServer, device: str, **changes: Any) -> requests.Response:
    path = f"devices/sok/{device}/revoke"
    return api(service, "POST", path, json={"reason": "lost at the market", **changes})


def listed(service: RunningServer, device: str) -> dict[str, Any]:
    rows = api(service, "GET", "devices").json()["devices"]
    (found,) = [row for row in rows if (row["account"], row["name"]) == ("sok", device)]
    shown: dict[str, Any] = found
    return shown


def until(holds: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


# -- enrolling ---------------------------------------------------------------------


def test_a_tablet_trades_a_code_for_all_that_it_needs(service: RunningServer, name: str) -> None:
    made = offer(service, name)
    assert made["link"] == f"{PUBLIC}/api/enrol#code={made['code']}"
    assert made["qr_svg"].startswith("<svg")
    assert made["expires_at"] > time.time() * 1000
    answer = redeem(service, made["code"])
    enrolled = answer.json()
    assert answer.headers["Cache-Control"] == "no-store"
    assert enrolled.pop("token").startswith("sst_")
    assert enrolled == {
        "account": "sok",
        "device": name,
        "database": "rushit",
        "url": f"{PUBLIC}/db/rushit",
    }


def test_the_token_syncs_in_every_process_and_the_code_is_used_up(
    service: RunningServer, name: str
) -> None:
    code = offer(service, name)["code"]
    token = redeem(service, code).json()["token"]
    for _ in range(8):
        fresh = requests.get(service.db_url(), auth=("sok", token), timeout=WAIT_SECONDS)
        assert fresh.status_code == 200
    again = redeem(service, code)
    assert (again.status_code, again.json()["error"]) == (401, "unauthorized")
    assert "ask the office for a new one" in again.json()["reason"]


def test_a_page_of_a_configured_origin_may_enrol(service: RunningServer) -> None:
    origin = "https://tablet.example.org"
    preflight = requests.options(
        f"{service.url}/api/enrol",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        timeout=WAIT_SECONDS,
    )
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "x-app-version" in preflight.headers["Access-Control-Allow-Headers"]
    answer = redeem(service, "0000-0000-0000", Origin=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    elsewhere = api(service, "GET", "devices", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


@pytest.mark.parametrize("auth", [None, SOK, BOPHA])
def test_only_admins_see_enrol_and_revoke(
    service: RunningServer, name: str, auth: tuple[str, str] | None
) -> None:
    wanted = {"account": "sok", "device": name, "database": "rushit"}
    answers = [
        api(service, "GET", "devices", auth=auth),
        api(service, "POST", "devices/enrolments", json=wanted, auth=auth),
        api(service, "POST", "devices/sok/x/revoke", json={"reason": "r"}, auth=auth),
    ]
    assert [answer.status_code for answer in answers] == [403 if auth else 401] * 3


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"account": "nobody"}, 404),
        ({"account": "admin"}, 201),
        ({"database": "nowhere"}, 404),
        ({"device": "a b"}, 400),
        ({"minutes": 0}, 400),
        ({"minutes": "60"}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_an_offer_that_cannot_be_is_refused(
    service: RunningServer, changes: dict[str, Any], status: int
) -> None:
    wanted = {"account": "sok", "device": "x", "database": "rushit", **changes}
    assert api(service, "POST", "devices/enrolments", json=wanted).status_code == status


@pytest.mark.parametrize("body", [{}, {"code": 7}, {"code": ""}, {"code": "x" * 61}, [], "x"])
def test_what_is_no_code_is_400(service: RunningServer, body: Any) -> None:
    assert api(service, "POST", "enrol", json=body, auth=None).status_code == 400


def test_the_command_line_enrols_lists_and_revokes(
    service: RunningServer, name: str, tmp_path: Path
) -> None:
    image = tmp_path / "code.svg"
    printed = service.command("device", "enrol", "sok", name, "--valid", "5", "--qr", str(image))
    code = printed.splitlines()[0].rsplit(": ", 1)[1]
    assert image.read_text().lstrip().startswith("<?xml")
    assert service.command("device", "enrol", "sok", "other", "--qr").count("█") > 20
    token = redeem(service, code).json()["token"]
    assert f"sok\t{name}\tactive" in service.command("device", "list")
    service.command("device", "revoke", "sok", name, "--reason", "broken")
    assert f"sok\t{name}\trevoked: broken" in service.command("device", "list")
    assert requests.get(service.db_url(), auth=("sok", token), timeout=30).status_code == 401
    with pytest.raises(AssertionError, match=r"\.svg or \.png"):
        service.command("device", "enrol", "sok", name, "--qr", str(tmp_path / "code.txt"))


# -- revoking ----------------------------------------------------------------------


def test_a_revoked_tablet_is_refused_at_once_and_told_what_to_do(
    service: RunningServer, name: str
) -> None:
    header = enrol(service, name)
    for _ in range(8):  # so that each web process remembers the token
        assert requests.get(service.db_url(), headers=header, timeout=30).ok
    assert revoke(service, name).json() == {"accounts": ["sok"]}
    for _ in range(8):
        answer = requests.get(service.db_url(), headers=header, timeout=WAIT_SECONDS)
        assert answer.status_code == 401
    reason = answer.json()["reason"]
    assert "signed out by the office" in reason and "អ្នកសម្របសម្រួល" in reason
    assert "market" not in reason
    assert listed(service, name)["revoke_reason"] == "lost at the market"


def test_a_cookie_that_the_token_opened_is_refused_too(service: RunningServer, name: str) -> None:
    token = enrol(service, name)["Authorization"].removeprefix("Bearer ")
    browser = requests.Session()
    url = f"{service.url}/db/_session"
    opened = browser.post(url, json={"name": "sok", "password": token}, timeout=WAIT_SECONDS)
    assert opened.status_code == 200
    assert browser.get(service.db_url(), timeout=WAIT_SECONDS).status_code == 200
    revoke(service, name)
    assert browser.get(service.db_url(), timeout=WAIT_SECONDS).status_code == 401


@pytest.mark.parametrize("feed", ["longpoll", "continuous", "eventsource"])
def test_open_feeds_end_when_the_tablet_is_revoked(
    service: RunningServer, name: str, feed: str
) -> None:
    header = enrol(service, name)
    url = f"{service.db_url()}/_changes?feed={feed}&since=now&heartbeat=60000"
    opened = [
        requests.get(url, headers=header, stream=True, timeout=WAIT_SECONDS) for _ in range(4)
    ]
    ended = threading.Semaphore(0)

    def read(answer: requests.Response) -> None:
        for _ in answer.iter_content(None):
            pass
        ended.release()

    for answer in opened:
        threading.Thread(target=read, args=(answer,), daemon=True).start()
    assert not ended.acquire(timeout=1.5)
    revoke(service, name)
    assert all(ended.acquire(timeout=SOON_SECONDS) for _ in opened)


def test_a_feed_that_never_waits_ends_too(service: RunningServer, name: str) -> None:
    header = enrol(service, name)
    url = f"{service.db_url()}/_changes?feed=continuous&since=now&heartbeat=60000"
    answer = requests.get(url, headers=header, stream=True, timeout=WAIT_SECONDS)
    ended, stop = threading.Event(), threading.Event()

    def read() -> None:
        for _ in answer.iter_content(None):
            pass
        ended.set()

    def write() -> None:
        with requests.Session() as session:
            for number in range(100_000):
                if stop.is_set():
                    return
                body = {"docs": [{"_id": f"busy:{number}"}]}
                session.post(f"{service.db_url()}/_bulk_docs", json=body, auth=service.admin)

    for work in (read, write):
        threading.Thread(target=work, daemon=True).start()
    try:
        assert not ended.wait(1.0)
        revoke(service, name)
        assert ended.wait(SOON_SECONDS)
    finally:
        stop.set()


def test_an_unknown_device_is_404_and_a_revocation_needs_a_reason(service: RunningServer) -> None:
    assert revoke(service, "never-was").status_code == 404
    assert api(service, "POST", "devices/sok/x/revoke", json={}).status_code == 400


# -- what is known of a tablet -----------------------------------------------------


def test_the_list_tells_what_a_tablet_did(service: RunningServer, name: str) -> None:
    tablet = requests.Session()
    tablet.headers.update(enrol(service, name))
    tablet.headers.update({"User-Agent": "CouchDB-Replicator/3.3.3", "X-App-Version": "2.4.1"})
    ahead = datetime.now(UTC) + timedelta(hours=3)
    own = {"_id": f"household:{name}", "type": "household"}
    documents = [
        {**own, "_rev": "1-a", "captured_at": ahead.isoformat()},
        {**own, "_rev": "1-b", "captured_at": "2025-01-01T00:00:00+07:00"},
        {"_id": "review:forged", "_rev": "1-a", "captured_at": "never"},
    ]
    push = {"docs": documents, "new_edits": False}
    tablet.post(f"{service.db_url()}/_bulk_docs", json=push, timeout=WAIT_SECONDS)
    sequence = tablet.get(service.db_url(), timeout=WAIT_SECONDS).json()["update_seq"]
    checkpoints = {
        "push": {"last_seq": 17},
        "pull": {"source_last_seq": sequence, "history": []},
        "other": {"last_seq": "99-f0f0f0f0"},
    }
    for key, body in checkpoints.items():
        saved = tablet.put(f"{service.db_url()}/_local/{key}", json=body, timeout=WAIT_SECONDS)
        assert saved.status_code == 201
    row = until(lambda: (found := listed(service, name))["replicas"] and found)
    assert (row["client"], row["app_version"]) == ("CouchDB", "2.4.1")
    assert (row["pushed"], row["refused"], row["conflicting"]) == (3, 1, 1)
    assert 3 * 3600_000 - 60_000 < row["clock_skew_ms"] <= 3 * 3600_000
    assert row["last_seen_at"] > (time.time() - 60) * 1000
    (replica,) = row["replicas"]
    assert (replica["database"], replica["acknowledged"]) == ("rushit", sequence)


def test_what_a_tablet_has_not_seen_yet_is_counted_in_its_own_areas(
    service: RunningServer, name: str
) -> None:
    service.account(f"nation-{name}"[:60], "password-1", roles=["replicator"], databases=["rushit"])
    account = f"nation-{name}"[:60]
    header = {
        "Authorization": "Bearer "
        + redeem(service, offer(service, name, account=account)["code"]).json()["token"]
    }
    sequence = requests.get(service.db_url(), headers=header, timeout=30).json()["update_seq"]
    put = requests.put(
        f"{service.db_url()}/_local/pull",
        json={"last_seq": sequence},
        headers=header,
        timeout=WAIT_SECONDS,
    )
    assert put.status_code == 201
    body = {"docs": [{"_id": f"later:{name}:{n}"} for n in range(7)]}
    requests.post(f"{service.db_url()}/_bulk_docs", json=body, auth=service.admin, timeout=30)

    def behind() -> int | None:
        rows = api(service, "GET", "devices").json()["devices"]
        (row,) = [row for row in rows if row["account"] == account]
        return row["replicas"][0]["behind"] if row["replicas"] else None

    assert until(behind) >= 7


def test_what_was_seen_is_written_when_the_service_stops() -> None:
    with RunningServer(web_workers="1") as running:
        running.account(*SOK, roles=["cew"], databases=["rushit"])
        token = running.command("account", "token", "sok", "tablet").strip()
        requests.get(running.db_url(), auth=("sok", token), timeout=WAIT_SECONDS)
        assert running.stop() == 0
        assert "seen 2" in running.command("device", "list")


# -- guessing ----------------------------------------------------------------------


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


def test_guessing_is_stopped_in_all_processes_and_the_tablet_syncs_on(
    service: RunningServer, name: str
) -> None:
    tablet, victim = enrol(service, name), service.account("victim", "victim-1234")
    elsewhere, at_work = from_address("198.51.100.1"), from_address("203.0.113.1")
    url = f"{service.url}/db/_session"

    def attempt(password: str, address: dict[str, str], *, basic: bool) -> requests.Response:
        if basic:
            auth = (victim[0], password)
            return requests.get(url, auth=auth, headers=address, timeout=WAIT_SECONDS)
        fields = {"name": victim[0], "password": password}
        return requests.post(url, json=fields, headers=address, timeout=WAIT_SECONDS)

    assert attempt(victim[1], at_work, basic=False).status_code == 200
    answers = [attempt(f"guess-{n:04}", elsewhere, basic=n % 2 == 0) for n in range(20)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429] * 14
    refused = answers[-1]
    assert refused.json()["error"] == "too_many_requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 30
    assert "wait 1 min" in refused.json()["reason"] and "សូមរង់ចាំ" in refused.json()["reason"]
    assert attempt(victim[1], elsewhere, basic=False).status_code == 429
    assert attempt(victim[1], at_work, basic=False).status_code == 200
    assert requests.get(service.db_url(), headers={**tablet, **elsewhere}, timeout=30).ok


def test_guessing_codes_is_stopped(service: RunningServer, name: str) -> None:
    address = from_address("198.51.100.2")
    tried = [redeem(service, f"0000-0000-{n:04}", **address).status_code for n in range(20)]
    assert tried == [401] * 11 + [429] * 9
    code = offer(service, name)["code"]
    assert redeem(service, code, **address).status_code == 429
    assert redeem(service, code).status_code == 200


def test_a_restart_gives_no_new_guesses() -> None:
    with RunningServer(web_workers="2") as running:
        url = f"{running.url}/db/_session"

        def attempt() -> int:
            return requests.get(url, auth=("admin", "wrong-guess"), timeout=30).status_code

        assert [attempt() for _ in range(7)] == [401] * 6 + [429]
        running.restart()
        url = f"{running.url}/db/_session"
        assert attempt() == 429


def test_a_worker_who_is_given_a_new_pin_gets_in_again(service: RunningServer) -> None:
    service.account("pov", "password-1", ["cew"], databases=["rushit"], areas=["020301"])
    url, address = f"{service.url}/db/_session", from_address("198.51.100.3")

    def attempt(password: str) -> int:
        auth = ("pov", password)
        return requests.get(url, auth=auth, headers=address, timeout=WAIT_SECONDS).status_code

    assert [attempt(f"guess-{n}") for n in range(7)] == [401] * 6 + [429]
    pin = service.command("account", "reset-pin", "pov").rsplit(": ", 1)[1].strip()
    assert attempt(pin) == 200
