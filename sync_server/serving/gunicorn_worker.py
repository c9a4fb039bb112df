"""gunicorn's gevent worker, in the ways this service needs it different.

- Its errors are JSON, as every other answer.
- It stops quickly: idle connections do not hold it, feeds are told to end, and what is under way
  gets `stop_seconds`.
- A body left unread is drained only so far; then the connection ends, gently, so that the
  answer still arrives.
- A connection whose other end has gone without a word is noticed and ended.
- Each request is logged and counted without gunicorn's own chain.
"""

from __future__ import annotations

import errno
import socket
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import orjson
from gevent.monkey import MonkeyPatchWarning
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import glogging, util
from gunicorn.http import errors, message
from gunicorn.http.parser import RequestParser
from gunicorn.workers.ggevent import GeventWorker

from sync_server.parts import Parts
from sync_server.replication.surroundings import EXTENSION, Runtime
from sync_server.serving.connections import EvenServer, notice_loss
from sync_server.serving.edge import ENDPOINT_KEY
from sync_server.serving.http import Gateway, SyncResponse
from sync_server.serving.lifeline import die_with_parent
from sync_server.serving.logs import RequestLog, shown_path
from sync_server.serving.request_body import AWAITED_KEY, check_body
from sync_server.serving.request_id import request_id

LONGEST_REQUEST_LINE = 65_536
_DRAINED_BYTES = 1024 * 1024
_LINGER_SECONDS = 2.0
_POLL_SECONDS = 0.1

ACCOUNT_KEY = "sync_server.account"
"""Where a surface that has authenticated a request leaves the account's name for the log."""

# gunicorn caps the request line at 8190 bytes, whatever its setting says. Clients name every
# revision they want in `open_revs` or `atts_since`, which takes several times that.
message.MAX_REQUEST_LINE = LONGEST_REQUEST_LINE

_CLIENT_IS_GONE = (
    errno.EPIPE,
    errno.ECONNRESET,
    errno.ENOTCONN,
    errno.EBADF,
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
)

_STATUS_OF = {
    errors.LimitRequestLine: (414, "uri_too_long", "URI Too Long"),
    errors.LimitRequestHeaders: (431, "headers_too_large", "Request Header Fields Too Large"),
    errors.UnsupportedTransferCoding: (501, "not_implemented", "Not Implemented"),
    errors.ExpectationFailed: (417, "expectation_failed", "Expectation Failed"),
}

_HEADER_ERRORS = (errors.InvalidHeader, errors.InvalidHeaderName, errors.ObsoleteFolding)
HEADER_REASON = "A header of the request is malformed."


class _Request(message.Request):  # type: ignore[misc]
    def _peer_is_trusted_proxy(self) -> bool:
        """As gunicorn finds it, once per address: it parses the address for every request."""
        address = self.peer_addr[0] if isinstance(self.peer_addr, tuple) else ""
        trusted = _trusted.get(address)
        if trusted is None:
            if len(_trusted) >= _MOST_ADDRESSES:
                _trusted.clear()
            trusted = _trusted[address] = bool(super()._peer_is_trusted_proxy())
        return trusted


_trusted: dict[str, bool] = {}
_MOST_ADDRESSES = 10_000


class _DrainingParser(RequestParser):  # type: ignore[misc]
    mesg_class = _Request

    def finish_body(self, deadline: float | None = None, max_bytes: int | None = None) -> bool:
        return bool(super().finish_body(deadline, max_bytes or _DRAINED_BYTES))


class SyncWorker(GeventWorker):  # type: ignore[misc]
    """One web process."""

    wsgi: Any

    def init_process(self) -> None:
        die_with_parent()
        self.busy = 0
        self._gateways: dict[Any, Gateway] = {}
        super().init_process()

    def patch(self) -> None:
        with warnings.catch_warnings():  # The master has patched a part already, on purpose.
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application: Any = self.wsgi
        self.parts: Parts = application.extensions["sync_server"]
        self.log.attach(self.parts)
        runtime: Runtime = application.extensions[EXTENSION]
        runtime.turns.round_of_loop = self._count_rounds()

        stalled_seconds = self.parts.settings.stalled_body_seconds

        def with_checked_body(environ: dict[str, Any], start_response: Any) -> Any:
            check_body(environ, stalled_seconds)
            return application(environ, start_response)

        self.wsgi = with_checked_body

    def _count_rounds(self) -> Callable[[], int]:
        """What answers how often the event loop has gone round."""
        rounds = 0

        def another() -> None:
            nonlocal rounds
            rounds += 1

        self._each_round = gevent.get_hub().loop.check(ref=False)
        self._each_round.start(another)
        return lambda: rounds

    def run(self) -> None:
        servers = [self._listen(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            gevent.sleep(_POLL_SECONDS)
        self.parts.stopping.set()
        for server in servers:
            server.close()
        deadline = time.monotonic() + self.parts.settings.stop_seconds
        while self.busy and time.monotonic() < deadline:
            self.notify()
            gevent.sleep(_POLL_SECONDS)
        for server in servers:
            server.stop(timeout=0.5)
        self.parts.activity.close()

    def _listen(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        serve = EvenServer if self.cfg.workers > 1 else StreamServer
        server = serve(
            listener, handle=partial(self.handle, listener), spawn=Pool(self.worker_connections)
        )
        server.start()
        return server

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection, request after request."""
        request = None
        try:
            client.setblocking(1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            notice_loss(client, self.parts.settings.lost_connection_seconds)
            parser = _DrainingParser(self.cfg, client, addr)
            gateway = self._gateway(listener)
            while True:
                request = None
                with self.timeout_ctx():
                    request = next(parser)
                if request is None:
                    break
                self.busy += 1
                try:
                    self.handle_request(gateway, request, client, addr)
                finally:
                    self.busy -= 1
        except (StopIteration, errors.NoMoreData, gevent.GreenletExit):
            pass
        except OSError as error:
            if error.errno not in _CLIENT_IS_GONE:
                self.log.exception("socket error")
        except Exception as error:
            self.handle_error(request, client, addr, error)
        finally:
            _close(client, request)

    def handle_request(self, gateway: Gateway, request: Any, client: Any, addr: Any) -> None:
        """Let the application answer one request. Ends the connection by StopIteration."""
        started = time.perf_counter()
        response = SyncResponse(request, client, self.cfg)
        if not self.alive:
            response.force_close()
        environ = gateway.environ(request, client, addr)
        if request._expected_100_continue:
            environ[AWAITED_KEY] = True
        try:
            body = self.wsgi(environ, response.start_response)
            if AWAITED_KEY in environ:  # Whether its body still comes, nobody knows.
                response.force_close()
            try:
                for part in body:
                    response.write(part)
                response.close()
            finally:
                self.log.access(response, request, environ, time.perf_counter() - started)
                if hasattr(body, "close"):
                    body.close()
        except Exception as error:
            if not response.headers_sent:
                raise
            # Whoever reads must notice that the answer is not whole: no end of it is sent.
            if not isinstance(error, OSError) or error.errno not in _CLIENT_IS_GONE:
                self.log.exception("error while an answer was sent")
            raise StopIteration from None
        if response.should_close():
            raise StopIteration

    def _gateway(self, listener: Any) -> Gateway:
        gateway = self._gateways.get(listener)
        if gateway is None:
            gateway = self._gateways[listener] = Gateway(self.cfg, listener.getsockname())
        return gateway

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn could not read, or what broke outside of the application."""
        if isinstance(exc, errors.ParseException):
            fallback = (400, "bad_request", "Bad Request")
            status, error, phrase = _STATUS_OF.get(type(exc), fallback)
            # What gunicorn says of a header shows the header: it may hold a secret.
            reason = HEADER_REASON if isinstance(exc, _HEADER_ERRORS) else str(exc) or phrase
        else:
            self.log.exception("error outside of the application")
            status, error, phrase = 500, "internal_server_error", "Internal Server Error"
            reason = "The server could not finish this request."
        try:
            client.sendall(_error_answer(status, error, phrase, reason))
        except OSError:
            return


def _error_answer(status: int, error: str, phrase: str, reason: str) -> bytes:
    body = orjson.dumps({"error": error, "reason": reason}) + b"\n"
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _close(client: Any, request: Any) -> None:
    unread = request is None or getattr(request.body, "failed", False)
    length = getattr(getattr(getattr(request, "body", None), "reader", None), "length", 0)
    if unread or length:
        util.close_graceful(client, timeout=_LINGER_SECONDS, max_drain=_DRAINED_BYTES)
    else:
        util.close(client)


class SyncLogger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's own messages go through the service's logging; requests to `RequestLog`."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.error_log.propagate = True
        self._requests: RequestLog | None = None

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.setLevel(self.LOG_LEVELS[cfg.loglevel])

    def attach(self, parts: Parts) -> None:
        """From now on, log and count requests; in each web process after its fork."""
        self._metrics = parts.metrics
        self._requests = RequestLog(parts.settings.log_format, parts.settings.log_level)
        self._count = _Counters(parts)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], seconds: float) -> None:
        """Called by gunicorn at the end of every request."""
        if self._requests is None:
            return
        endpoint = environ.get(ENDPOINT_KEY)
        method = environ["REQUEST_METHOD"]
        self._count.request(endpoint or "none", method, resp.status_code, seconds, resp.sent)
        self._requests.write(
            request_id=request_id(environ),
            method=method,
            path=shown_path(environ["RAW_URI"]),
            status=resp.status_code,
            sent=resp.sent,
            seconds=seconds,
            endpoint=endpoint,
            account=environ.get(ACCOUNT_KEY),
        )


class _Counters:
    """The labelled metrics, resolved once per label set instead of once per request."""

    def __init__(self, parts: Parts) -> None:
        self._metrics = parts.metrics
        self._requests: dict[tuple[str, str, int], Any] = {}
        self._seconds: dict[str, Any] = {}

    def request(self, endpoint: str, method: str, status: int, seconds: float, sent: int) -> None:
        key = (endpoint, method, status)
        counter = self._requests.get(key)
        if counter is None:
            known = method if method in _METHODS else "other"
            counter = self._metrics.requests.labels(endpoint, known, str(status))
            self._requests[(endpoint, known, status)] = counter
        counter.inc()
        histogram = self._seconds.get(endpoint)
        if histogram is None:
            histogram = self._seconds[endpoint] = self._metrics.request_seconds.labels(endpoint)
        histogram.observe(seconds)
        self._metrics.response_bytes.inc(sent or 0)


_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "COPY", "OPTIONS", "PATCH"}
