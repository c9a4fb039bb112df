"""Real tablets for the demonstration and the tests: PouchDB in Node, driven from Python.

`TabletHost` is one Node process with any number of tablets; a `Tablet` is one PouchDB database
in it. The process speaks lines of JSON (see `tablet.mjs`).
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

DRIVER = Path(__file__).with_name("tablet.mjs")
DEFAULT_PATIENCE = 60.0
"""Seconds that one command may take before the host counts as stuck."""


class TabletError(Exception):
    """What PouchDB said: `name`, `status` (an HTTP status, or None) and its message."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.name: str = error.get("name") or "error"
        self.status: int | None = error.get("status")
        self.reason: str = error.get("reason") or error.get("message") or ""
        super().__init__(f"{self.name} ({self.status}): {self.reason}")


@dataclass(frozen=True, slots=True)
class Remote:
    """A database of a server, and who asks for it. `url` has no credentials in it."""

    url: str
    account: str | None = None
    password: str | None = None
    token: str | None = None

    def as_json(self) -> dict[str, str]:
        members = {
            "url": self.url,
            "account": self.account,
            "password": self.password,
            "token": self.token,
        }
        return {key: value for key, value in members.items() if value is not None}


class TabletHost:
    """One Node process. `modules` is the folder whose `node_modules` holds PouchDB."""

    def __init__(self, modules: Path, node: str = "node") -> None:
        self._process = subprocess.Popen(
            [node, str(DRIVER), str(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._answers: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._last_id = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> TabletHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process; what is in memory only is gone."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5)

    def tablet(self, name: str, *, release: int = 9, path: Path | None = None) -> Tablet:
        """A tablet with an empty database in memory, or the one kept at `path`."""
        place = None if path is None else str(path)
        self.call("open", tablet=name, release=release, path=place)
        return Tablet(self, name)

    def begin(self, command: str, **arguments: Any) -> Future[Any]:
        """Send a command; the future has its answer, or raises TabletError."""
        answer: Future[Any] = Future()
        with self._lock:
            self._last_id += 1
            self._answers[self._last_id] = answer
            line = json.dumps({"id": self._last_id, "do": command, **arguments})
            assert self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return answer

    def call(self, command: str, **arguments: Any) -> Any:
        """Send a command and wait for its answer. Raises TabletError."""
        return self.begin(command, **arguments).result(DEFAULT_PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            answer = self._answers.pop(message["id"])
            if "error" in message:
                answer.set_exception(TabletError(message["error"]))
            else:
                answer.set_result(message["ok"])
        for answer in self._answers.values():
            answer.set_exception(TabletError({"name": "gone", "message": "Node has ended."}))


class Tablet:
    """One PouchDB database. Its methods raise TabletError with what PouchDB said."""

    def __init__(self, host: TabletHost, name: str) -> None:
        self._host = host
        self.name = name

    def _call(self, command: str, **arguments: Any) -> Any:
        return self._host.call(command, tablet=self.name, **arguments)

    # -- work without a network ------------------------------------------------

    def put(self, doc: Mapping[str, Any]) -> str:
        """Store a document, `_rev` as PouchDB wants it; answers the new revision."""
        rev: str = self._call("put", doc=doc)["rev"]
        return rev

    def edit(self, doc_id: str, **changes: Any) -> str:
        """Change members of the winning revision, or begin a new document."""
        rev: str = self._call("edit", doc_id=doc_id, changes=changes)["rev"]
        return rev

    def remove(self, doc_id: str, rev: str | None = None) -> str:
        removed: str = self._call("remove", doc_id=doc_id, rev=rev)["rev"]
        return removed

    def bulk(self, docs: Sequence[Mapping[str, Any]], *, new_edits: bool = True) -> Any:
        return self._call("bulk", docs=docs, options={"new_edits": new_edits})

    def attach(self, doc_id: str, files: Mapping[str, tuple[str, bytes]]) -> str:
        """Add attachments, name → (content type, content), in one new revision."""
        attachments = {
            name: {"type": kind, "data": base64.b64encode(data).decode()}
            for name, (kind, data) in files.items()
        }
        rev: str = self._call("attach", doc_id=doc_id, attachments=attachments)["rev"]
        return rev

    def detach(self, doc_id: str, name: str) -> str:
        rev: str = self._call("detach", doc_id=doc_id, attachment=name)["rev"]
        return rev

    def get(self, doc_id: str, **options: Any) -> dict[str, Any]:
        doc: dict[str, Any] = self._call("get", doc_id=doc_id, options=options)
        return doc

    def find(self, doc_id: str) -> dict[str, Any] | None:
        """`get`, or None where there is no such document or it is deleted."""
        try:
            return self.get(doc_id)
        except TabletError as error:
            if error.status == 404:
                return None
            raise

    def attachment(self, doc_id: str, name: str) -> bytes:
        return base64.b64decode(self._call("attachment", doc_id=doc_id, attachment=name))

    def ids(self) -> list[str]:
        """Documents that are not deleted, in order."""
        return [row["id"] for row in self._call("all_docs")["rows"]]

    def docs(self) -> list[dict[str, Any]]:
        rows = self._call("all_docs", options={"include_docs": True})["rows"]
        return [row["doc"] for row in rows]

    def state(self) -> dict[str, Any]:
        """Every document: its winner and each leaf's body and attachment digests."""
        state: dict[str, Any] = self._call("state")
        return state

    def compact(self) -> None:
        self._call("compact")

    def close(self) -> None:
        """Switch the tablet off; one with a path can be opened again."""
        self._call("close")

    def destroy(self) -> None:
        self._call("destroy")

    # -- with a network --------------------------------------------------------

    def remote_state(self, remote: Remote) -> dict[str, Any]:
        """`state` of the server's database, as this tablet reads it over HTTP."""
        state: dict[str, Any] = self._call("remote_state", remote=remote.as_json())
        return state

    def remote_call(self, remote: Remote, method: str, *arguments: Any) -> Any:
        """A method of PouchDB (`get`, `putAttachment`, …) on the server's database itself;
        contents of attachments are given and answered as base64.
        """
        return self._call(
            "remote_call", remote=remote.as_json(), method=method, arguments=arguments
        )

    def push(self, remote: Remote, **options: Any) -> dict[str, Any]:
        return self.begin("push", remote, **options).result(DEFAULT_PATIENCE)

    def pull(self, remote: Remote, **options: Any) -> dict[str, Any]:
        return self.begin("pull", remote, **options).result(DEFAULT_PATIENCE)

    def sync(self, remote: Remote, **options: Any) -> dict[str, Any]:
        """Both directions once; answers {"push": …, "pull": …}."""
        return self.begin("sync", remote, **options).result(DEFAULT_PATIENCE)

    def begin(self, direction: str, remote: Remote, **options: Any) -> Future[dict[str, Any]]:
        """Start a `push`, `pull` or `sync` and go on; the future has the result."""
        return self._host.begin(
            "replicate",
            tablet=self.name,
            direction=direction,
            remote=remote.as_json(),
            options=options,
        )

    def replicate_between(self, source: Remote, target: Remote, **options: Any) -> dict[str, Any]:
        """Drive a replication from server to server; nothing is kept on the tablet."""
        result: dict[str, Any] = self._call(
            "replicate_between",
            source=source.as_json(),
            target=target.as_json(),
            options=options,
        )
        return result

    def live_start(self, remote: Remote, direction: str = "sync", **options: Any) -> None:
        self._call("live_start", remote=remote.as_json(), direction=direction, options=options)

    def live_status(self) -> dict[str, Any]:
        """`state` (active, paused, waiting, complete, failed), counts, the last error."""
        status: dict[str, Any] = self._call("live_status")
        return status

    def live_stop(self) -> dict[str, Any]:
        status: dict[str, Any] = self._call("live_stop")
        return status

    def requests(self) -> list[dict[str, Any]]:
        """The requests since the last time this was asked: `method`, `path`, and `status` (None
        while there is none) or `failure`, where the connection broke.
        """
        requests: list[dict[str, Any]] = self._call("requests")
        return requests


def eventually(holds: Callable[[], bool], *, seconds: float = 30.0, what: str = "it") -> None:
    """Wait until `holds()`; TimeoutError says `what` did not come about."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:.0f} s, but {what} did not come about.")
        time.sleep(0.02)
