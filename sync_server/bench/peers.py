"""The servers that are measured, each started as its users start it and stopped afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from subprocess import CalledProcessError
from urllib.parse import unquote, urlsplit

from sync_server.bench.http import Connection, Endpoint, HttpError
from sync_server.demo.node import NodeMissing, ensure_modules, program

START_SECONDS = 60.0
STOP_SECONDS = 20.0
WEB_WORKERS = 2
PEER_FOLDER = Path(__file__).with_name("peer")
REPOSITORY = Path(__file__).parents[2]


class PeerError(Exception):
    """A peer could not be set up, started or reached."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server."""

    name: str
    endpoint: Endpoint
    root: str
    """Path before a database's name, without the last slash: `/db` here, `` elsewhere."""
    pid: int | None = None
    """Its first process; None where it was not started here."""
    data: Path | None = None

    def database(self, name: str) -> str:
        return f"{self.root}/{name}"

    def accepting(self, encoding: str) -> Peer:
        """The same peer, asked for responses in this content encoding."""
        return replace(self, endpoint=replace(self.endpoint, accept_encoding=encoding))

    def create(self, name: str) -> None:
        self._administer("PUT", name, {201, 202})

    def delete(self, name: str) -> None:
        self._administer("DELETE", name, {200, 202})

    def _administer(self, method: str, name: str, statuses: set[int]) -> None:
        with Connection(self.endpoint) as connection:
            response = connection.ask(method, self.database(name))
        if response.status not in statuses:
            raise PeerError(f"{self.name}: {method} {name} answered {response.content()!r}")


@contextmanager
def sync_server(folder: Path) -> Iterator[Peer]:
    """This server as `serve` runs it, over `folder` (which may hold databases already)."""
    secret = secrets.token_urlsafe(18)
    port = free_port()
    environment = {
        "SYNC_SERVER_DATA_DIR": str(folder),
        "SYNC_SERVER_BIND": f"127.0.0.1:{port}",
        "SYNC_SERVER_WEB_WORKERS": str(WEB_WORKERS),
        "SYNC_SERVER_ADMIN_SECRET": secret,
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-m", "sync_server", "serve"]
    endpoint = Endpoint("127.0.0.1", port, basic("admin", secret))
    with running(command, folder, environment) as process:
        peer = Peer("sync-server", endpoint, "/db", process.pid, folder)
        wait_until_ready(peer, process)
        yield peer


@contextmanager
def pouchdb_server(folder: Path) -> Iterator[Peer]:
    """PouchDB Server over LevelDB in `folder`, with an administrator who signs in."""
    try:
        modules = ensure_modules(PEER_FOLDER) / "node_modules"
        node = program("node")
    except (NodeMissing, CalledProcessError) as problem:
        raise PeerError(f"PouchDB Server could not be installed: {problem}") from problem
    folder.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(18)
    port = free_port()
    config = {
        "admins": {"admin": _couch_password(secret)},
        "couch_httpd_auth": {"require_valid_user": True},
        "log": {"file": str(folder / "log.txt")},
    }
    (folder / "config.json").write_text(json.dumps(config))
    arguments = {
        "--port": str(port),
        "--host": "127.0.0.1",
        "--dir": str(folder),
        "--config": str(folder / "config.json"),
    }
    script = modules / "pouchdb-server" / "bin" / "pouchdb-server"
    command = [node, str(script), *chain(*arguments.items()), "--no-stdout-logs"]
    endpoint = Endpoint("127.0.0.1", port, basic("admin", secret))
    with running(command, folder, {}) as process:
        peer = Peer("pouchdb-server", endpoint, "", process.pid, folder)
        wait_until_ready(peer, process)
        yield peer


def couchdb(url: str) -> Peer:
    """An Apache CouchDB that runs already: `http://name:password@host:5984`."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.username is None:
        raise PeerError("COUCHDB_URL must look like http://name:password@host:5984")
    authorization = basic(unquote(parts.username), unquote(parts.password or ""))
    endpoint = Endpoint(parts.hostname, parts.port or 5984, authorization)
    return Peer("couchdb", endpoint, parts.path.rstrip("/"))


@contextmanager
def running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process with all it starts, in a process group of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def wait_until_ready(peer: Peer, process: subprocess.Popen[bytes]) -> None:
    """Until the peer answers a signed-in request. Raises PeerError when it does not start."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError, HttpError), Connection(peer.endpoint, 5.0) as connection:
            if connection.ask("GET", f"{peer.root}/_all_dbs").status == 200:
                return
        time.sleep(0.1)
    log = b"" if peer.data is None else (peer.data / "output.log").read_bytes()
    tail = log[-1500:].decode(errors="replace")
    raise PeerError(f"{peer.name} did not start within {START_SECONDS:g} s:\n{tail}")


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _couch_password(password: str, iterations: int = 10) -> str:
    """As in CouchDB's `[admins]`: PBKDF2 with SHA-1; ten rounds are PouchDB Server's default."""
    salt = secrets.token_hex(16)
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), iterations, 20)
    return f"-pbkdf2-{key.hex()},{salt},{iterations}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
