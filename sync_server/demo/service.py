"""The service under demonstration: the real command, on a free port and a folder of its own."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sync_server.demo.tablet import Remote

DATABASE = "rushit"
_LISTENING = re.compile(r"Listening on (http://\S+)")
_STOP_SECONDS = 30


class ServiceFailed(Exception):
    """The service, or one of its commands, did not do what was asked."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and the secret that was just made up for it."""

    name: str
    password: str


class Service:
    """`sync-server serve` on `folder`, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "service.log"
        self.admin = Person("admin", secrets.token_urlsafe(12))
        self._environment = {
            **os.environ,
            "SYNC_SERVER_DATA_DIR": str(folder / "data"),
            "SYNC_SERVER_BIND": "127.0.0.1:0",
            "SYNC_SERVER_PROGRAMME_DATABASES": DATABASE,
            "SYNC_SERVER_ADMIN_SECRET": self.admin.password,
        }

    def __enter__(self) -> Service:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("serve"),
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.url = self._announced()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if error is not None:
            print("\n".join(self._troubles()), file=sys.stderr)

    def person(self, name: str, role: str, area: str) -> Person:
        """Make an account with a role in an area."""
        made = Person(name, secrets.token_urlsafe(12))
        options = ["--role", role, "--database", DATABASE, "--area", area, "--password-stdin"]
        self.command("account", "add", name, *options, stdin=made.password)
        return made

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run `sync-server …` beside the service; answers what it printed."""
        done = subprocess.run(
            self._command(*arguments),
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServiceFailed(done.stderr or done.stdout)
        return done.stdout

    def remote(self, person: Person) -> Remote:
        """The programme's database as this person's tablet reaches it."""
        return Remote(f"{self.url}/db/{DATABASE}", person.name, person.password)

    def api(self, person: Person, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask the JSON API; answers the status and what came back."""
        secret = base64.b64encode(f"{person.name}:{person.password}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/{DATABASE}{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def _announced(self) -> str:
        """The URL that the service prints once it listens."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = _LISTENING.match(line)
            if found:
                return found[1]
        raise ServiceFailed(f"The service did not start:\n{self.log.read_text()[-3000:]}")

    def _troubles(self) -> list[str]:
        """The end of the service's log, without the lines that only tell of requests."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return [line for line in lines if '"event":"request"' not in line][-20:]

    @staticmethod
    def _command(*arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "sync_server", *arguments]


def reason(answer: Mapping[str, Any]) -> str:
    return str(answer.get("reason", answer))
