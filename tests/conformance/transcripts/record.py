"""Record transcripts: real tablets, a real server, and a proxy between them that writes.

    python -m tests.conformance.transcripts.record

writes one `.jsonl` per scene and PouchDB release beside this file.
"""

from __future__ import annotations

import gzip
import http.client
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sync_server.demo.node import ensure_modules, program
from sync_server.demo.tablet import Remote, Tablet, TabletHost
from tests.conformance.transcripts import scenes
from tests.conformance.transcripts.exchange import (
    AUTHORIZATION,
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
    Exchange,
    Names,
    plain_body,
)
from tests.serving import RunningServer

HERE = Path(__file__).parent
DECODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})


@dataclass
class Started:
    """A request that came in; `response` is None until it was answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    after: list[int]
    response: tuple[int, dict[str, str], bytes] | None = None


@dataclass
class Recorder:
    """What passed through the proxy, in the order in which it began."""

    upstream: str
    seen: list[Started] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            after, self.finished = self.finished, []
            self.seen.append(Started(method, path, headers, body, sorted(after)))
            return len(self.seen) - 1

    def finish(self, number: int, response: tuple[int, dict[str, str], bytes]) -> None:
        with self.lock:
            self.seen[number].response = response
            self.finished.append(number)

    def forward(self, number: int) -> tuple[int, list[tuple[str, str]], bytes]:
        request = self.seen[number]
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP}
            connection.request(request.method, request.path, request.body or None, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def lines(self, database: str) -> list[str]:
        """The answered exchanges, with names for what is volatile."""
        names = Names()
        numbers: dict[int, int] = {}
        lines: list[str] = []
        for old, started in enumerate(self.seen):
            if started.response is None:
                continue
            numbers[old] = len(lines)
            after = tuple(numbers[one] for one in started.after if one in numbers)
            lines.append(_exchange(started, after, names, database).as_line())
        return lines


def _exchange(started: Started, after: tuple[int, ...], names: Names, database: str) -> Exchange:
    assert started.response is not None
    status, headers, body = started.response
    kept = {key: started.headers[key] for key in REQUEST_HEADERS if key in started.headers}
    if "authorization" in kept:
        kept["authorization"] = AUTHORIZATION
    path = names.hide_path(started.path, database)
    sent = plain_body(started.headers.get("content-type", ""), started.body)
    answered = plain_body(headers.get("content-type", ""), _decoded(headers, body))
    return Exchange(
        after,
        started.method,
        path,
        kept,
        names.hide(sent, learn=False),
        status,
        {key: headers[key] for key in RESPONSE_HEADERS if key in headers},
        _without_name(names.hide(answered, learn=True), database),
    )


def _decoded(headers: dict[str, str], body: bytes) -> bytes:
    return DECODE.get(headers.get("content-encoding", ""), bytes)(body)


def _without_name(answer: Any, database: str) -> Any:
    if isinstance(answer, dict) and answer.get("db_name") == database:
        return {**answer, "db_name": "{any}"}
    return answer


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            number = recorder.begin(self.command, self.path, headers, body)
            status, answered, content = recorder.forward(number)
            recorder.finish(number, (status, {k.lower(): v for k, v in answered}, content))
            self.send_response_only(status)
            for key, value in answered:
                if key.lower() not in HOP_BY_HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            with suppress(ConnectionError):  # The client may have left: a feed it cancelled.
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """The transcript is the log."""

    return Handler


@contextmanager
def recording(upstream: str) -> Iterator[tuple[str, Recorder]]:
    """A proxy in front of `upstream` (a URL); answers its own URL and what it records."""
    recorder = Recorder(urlsplit(upstream).netloc)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(recorder))
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", recorder
    finally:
        proxy.shutdown()
        proxy.server_close()


def record(server: RunningServer, host: TabletHost, scene: scenes.Scene, release: int) -> None:
    """Play a scene through a proxy and write its transcript."""
    name = f"{scene.__name__.replace('_', '-')}-pouchdb-{release}"
    database = f"recorded-{name}"
    with recording(server.url) as (url, recorder):
        remote = Remote(f"{url}/db/{database}", *server.admin)
        tablets: tuple[Tablet, Tablet] = (
            host.tablet(f"{name}-1", release=release),
            host.tablet(f"{name}-2", release=release),
        )
        scene(*tablets, remote)
    _write(name, recorder, database)


def record_between(
    source: RunningServer, target: RunningServer, host: TabletHost, release: int
) -> None:
    """The transcripts of both servers, between which a PouchDB replicates."""
    name = f"pouchdb-{release}"
    database = f"recorded-between-{name}"
    with recording(source.url) as (first, sent), recording(target.url) as (second, received):
        remotes = [Remote(f"{url}/db/{database}", *source.admin) for url in (first, second)]
        tablets = [host.tablet(f"between-{name}-{n}", release=release) for n in range(2)]
        scenes.between_servers(*tablets, *remotes)
    _write(f"between-servers-from-{name}", sent, database)
    _write(f"between-servers-to-{name}", received, database)


def _write(name: str, recorder: Recorder, database: str) -> None:
    (HERE / f"{name}.jsonl").write_text("\n".join(recorder.lines(database)) + "\n", "utf-8")
    print(f"{name}.jsonl: {len(recorder.seen)} requests")


def main() -> None:
    modules = ensure_modules(HERE.parents[1] / "clients")
    with (
        RunningServer() as server,
        RunningServer() as second,
        TabletHost(modules, program("node")) as host,
    ):
        for release in (9, 7):
            for scene in scenes.ALL:
                record(server, host, scene, release)
            record_between(server, second, host, release)


if __name__ == "__main__":
    main()
