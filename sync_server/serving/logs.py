"""Logs: one JSON object per line on standard error, each with its request's id.

What happens once in a while goes through structlog. The line per request is written by
`RequestLog`, without that chain: it has some ten microseconds at most.

No line holds a query, a header or a body, nor the variables of a traceback, so no secret can get
into the logs; what looks like one in an address is left out (`shown_path`).
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

_STDERR = 2
_LONGEST_PATH = 300
_REDEEMING = "/api/enrol/"
_MARK = "sst"
_SECRET = re.compile(r"sst(?:_|%5F)[^/]*", re.IGNORECASE)
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]
RequestIdSource = Callable[[], str | None]


def configure(
    log_format: str, log_level: str, current_request_id: RequestIdSource = lambda: None
) -> None:
    """Send structlog and the standard library's logging to standard error."""

    def add_request_id(_logger: Any, _method: str, event: Event) -> Event:
        known = current_request_id()
        return event if known is None else {**event, "request_id": known}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_request_id,
    ]
    final: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_dumps)]
        if log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                timestamp_key="time",
                # The default prints local variables, passwords among them, where rich is installed.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[log_level])
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(max(_LEVELS[log_level], logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class RequestLog:
    """Writes the line of each request."""

    def __init__(self, log_format: str, log_level: str) -> None:
        self.enabled = _LEVELS[log_level] <= logging.INFO
        self._render = _json_line if log_format == "json" else _console_line

    def write(
        self,
        *,
        request_id: str,
        method: str,
        path: str,
        status: int,
        sent: int,
        seconds: float,
        endpoint: str | None,
        account: str | None,
    ) -> None:
        if not self.enabled:
            return
        line = self._render(
            {
                "time": datetime.fromtimestamp(time.time(), UTC).isoformat(),
                "level": "info",
                "event": "request",
                "request_id": request_id,
                "method": method,
                "path": path[:_LONGEST_PATH],
                "status": status,
                "bytes": sent,
                "ms": round(seconds * 1000, 2),
                "endpoint": endpoint,
                "account": account,
            }
        )
        # One write of less than PIPE_BUF: lines of several processes do not mix.
        os.write(_STDERR, line)


def shown_path(target: str) -> str:
    """The path of a request's target as it may stand in a log: without the query, without the
    name and password of an absolute address, and without what looks like a device's token or was
    put behind the address where codes are redeemed.
    """
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if path.startswith(_REDEEMING):
        return _REDEEMING + "…"
    return _SECRET.sub("…", path) if _MARK in path else path


def _json_line(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)


def _console_line(event: dict[str, Any]) -> bytes:
    text = (
        f"{event['time'][11:23]} {event['status']} {event['method']:7} {event['path']}  "
        f"{event['ms']} ms  {event['bytes']} B  {event['account'] or '-'}\n"
    )
    return text.encode("utf-8", "backslashreplace")


def _dumps(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()
