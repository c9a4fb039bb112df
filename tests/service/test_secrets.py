"""No secret that a run has used stands in its log, its metrics or its errors."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterable, Iterator

import pytest
import requests

from tests.service.wire import Wire
from tests.serving import RunningServer

TIMEOUT = 30.0


@pytest.fixture(params=["json", "console"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    with RunningServer(web_workers="1", log_level="debug", log_format=request.param) as running:
        yield running


class Run:
    """Uses secrets in every way there is, and keeps what was used and what was answered."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.secrets: set[str] = set()
        self.errors: list[str] = []

    def use(self, secret: str) -> str:
        self.secrets.add(secret)
        return secret

    def basic(self, name: str, secret: str) -> dict[str, str]:
        pair = self.use(base64.b64encode(f"{name}:{secret}".encode()).decode())
        return {"Authorization": f"Basic {pair}"}

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        url = f"{self.server.url}{path}"
        answer = requests.request(method, url, timeout=TIMEOUT, **options)  # type: ignore[arg-type]
        if not answer.ok:
            self.errors.append(answer.text)
        return answer

    def passwords(self) -> None:
        password = self.use("opening-sesame-1")
        self.server.account("sok", password, ["cew"], databases=["rushit"])
        wrong = self.use("closing-sesame-2")
        pin = self.use(
            self.server.command("account", "reset-pin", "sok").rsplit(": ", 1)[1].strip()
        )
        for secret in (pin, wrong, password):
            self.request("GET", "/db/rushit", headers=self.basic("sok", secret))
            self.request("POST", "/db/_session", json={"name": "sok", "password": secret})
            self.request("POST", "/db/_session", data={"name": "sok", "password": secret})
            self.request("POST", "/db/_session", json={"name": secret, "password": secret})
            self.request("GET", f"/db/_session?name=sok&password={secret}")
        self.request("POST", "/db/_session", json={"name": "sok", "password": int(pin)})
        self.request("POST", "/db/_session", data=f'{{"name":"sok","password":{pin}{pin * 4}}}')

    def cookies(self) -> None:
        sign_in = {"name": "sok", "password": self.server.admin[1]}
        browser = requests.Session()
        url = f"{self.server.url}/db/_session"
        browser.post(url, json={**sign_in, "name": "admin"}, timeout=TIMEOUT)
        cookie = self.use(browser.cookies["AuthSession"])
        browser.get(f"{self.server.url}/db/rushit", timeout=TIMEOUT)
        self.request("GET", "/db/rushit", cookies={"AuthSession": cookie[:-1]})
        self.use(cookie[:-1])

    def devices(self) -> None:
        self.use(self.server.admin[1])
        wanted = {"account": "sok", "device": "tablet", "database": "rushit"}
        made = self.request(
            "POST", "/api/devices/enrolments", json=wanted, auth=self.server.admin
        ).json()
        code = self.use(made["code"])
        self.request("POST", f"/api/enrol/{code}", json={"code": code})
        self.request("POST", "/api/enrol", data=code, headers={"Content-Type": "application/json"})
        token = self.use(self.request("POST", "/api/enrol", json={"code": code}).json()["token"])
        self.request("POST", "/api/enrol", json={"code": code})
        for header in ({"Authorization": f"Bearer {token}"}, self.basic("sok", token)):
            self.request("GET", "/db/rushit", headers=header)
        self.request("GET", f"/db/rushit/{token}")
        self.request("GET", f"/db/rushit/_changes?token={token}")
        self.server.command("device", "revoke", "sok", "tablet", "--reason", "lost")
        self.request("GET", "/db/rushit", headers={"Authorization": f"Bearer {token}"})

    def broken_requests(self) -> None:
        token = self.use("sst_in-a-broken-request")
        for head in (
            f"GET http://sok:{token}@x/db/rushit HTTP/1.1\r\nHost: x\r\n\r\n",
            f"GET /db/rushit HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {token}\r\n\r\n",
            f"GET /db/rushit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer\x00{token}\r\n\r\n",
            f"GET /db/rushit HTTP/1.1\r\nHost: x\r\nBearer {token}\r\n\r\n",
            f"GET /db/rushit HTTP/1.1\r\nHost: x\r\nA: b\r\n folded {token}\r\n\r\n",
        ):
            with Wire(self.server) as wire:
                wire.send(head.encode())
                self.errors.append(wire.answer().body.decode())

    def failures(self) -> None:
        """Requests that end in a traceback, with secrets in the variables of its frames."""
        path = self.server.data_dir / "service.db"
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE attempts")
            connection.execute("DROP TABLE device_tokens")
        connection.close()
        secret, token = self.use("a-secret-in-a-traceback"), self.use("sst_in-a-traceback")
        for header in (self.basic("sok", secret), {"Authorization": f"Bearer {token}"}):
            assert self.request("GET", "/db/rushit", headers=header).status_code == 500
        sign_in = {"name": "sok", "password": secret}
        assert self.request("POST", "/db/_session", json=sign_in).status_code == 500


def test_no_secret_is_logged_counted_or_told(server: RunningServer) -> None:
    run = Run(server)
    run.passwords()
    run.cookies()
    run.devices()
    run.broken_requests()
    run.failures()
    metrics = run.request("GET", "/metrics").text
    server.stop()
    log = server.log()
    assert log.count("Traceback") >= 3
    assert "/api/enrol" in log and "/db/rushit" in log
    assert len(run.secrets) > 12
    for place, text in (("log", log), ("metrics", metrics), ("errors", "\n".join(run.errors))):
        assert told(run.secrets, text) == [], f"secrets in the {place}"
    assert told(run.secrets, server.output) == []


def told(secrets: Iterable[str], text: str) -> list[str]:
    """Those that stand in the text; six digits may be a part of a time by chance."""
    return [
        secret
        for secret in secrets
        if re.search(rf"(?<![.\d]){secret}(?!\d)" if secret.isdigit() else re.escape(secret), text)
    ]
