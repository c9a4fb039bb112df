"""A connection that breaks at a chosen moment: a proxy that passes requests on, up to a number."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

import requests

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "accept-encoding"}


class CuttingProxy:
    """Passes requests on to `target`, as a context manager."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._named = ""
        self._left = -1
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, requests.RequestException):
                    self.close_connection = True

            def pass_on(self) -> None:
                if not proxy.passes(self.path):
                    self.close_connection = True
                    return
                length = int(self.headers.get("Content-Length") or 0)
                kept = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
                kept["Accept-Encoding"] = "identity"
                answer = requests.request(
                    self.command,
                    proxy.target + self.path,
                    data=self.rfile.read(length) if length else None,
                    headers=kept,
                    timeout=60,
                )
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_PUT = do_POST = pass_on

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"{urlsplit(target).scheme}://127.0.0.1:{self._server.server_port}"

    def cut_after(self, named: str, requests: int) -> None:
        """Break every connection once so many requests with `named` in their path have passed."""
        with self._lock:
            self._named, self._left = named, requests

    def let_through(self) -> None:
        with self._lock:
            self._left = -1

    def passes(self, path: str) -> bool:
        with self._lock:
            if self._left < 0:
                return True
            if self._left == 0:
                return False
            if self._named in path:
                self._left -= 1
            return True

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
