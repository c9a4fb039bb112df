"""The web processes: gunicorn's master, which loads the application once and forks workers.

Run by the supervisor as `python -m sync_server.serving.web <fd>`, with the number of the
listening socket it inherits.
"""

from __future__ import annotations

# What the application imports must find gevent's sockets and locks, so patching comes first. The
# master itself forks, waits for children and takes signals the ordinary way.
from gevent import monkey

monkey.patch_all(queue=False, os=False, signal=False, subprocess=False)

import gc  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

from flask import Flask, has_request_context, request  # noqa: E402
from gunicorn.app.base import BaseApplication  # noqa: E402

from sync_server.app import create_app  # noqa: E402
from sync_server.serving import logs  # noqa: E402
from sync_server.serving.gunicorn_worker import (  # noqa: E402
    LONGEST_REQUEST_LINE,
    SyncLogger,
    SyncWorker,
)
from sync_server.serving.lifeline import die_with_parent, is_orphan  # noqa: E402
from sync_server.serving.request_id import request_id  # noqa: E402
from sync_server.settings import Settings  # noqa: E402

CONNECTIONS_PER_WORKER = 12_000
KEEPALIVE_SECONDS = 75
STUCK_SECONDS = 300
"""A web process that has not turned its loop for so long is replaced."""


class WebApplication(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, descriptor: int) -> None:
        self.settings = settings
        self.descriptor = descriptor
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options().items():
            self.cfg.set(name, value)

    def options(self) -> dict[str, Any]:
        return {
            "bind": [f"fd://{self.descriptor}"],
            "workers": self.settings.web_workers,
            "worker_class": SyncWorker,
            "worker_connections": CONNECTIONS_PER_WORKER,
            "preload_app": True,
            "keepalive": KEEPALIVE_SECONDS,
            "timeout": STUCK_SECONDS,
            "graceful_timeout": int(self.settings.stop_seconds) + 2,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "limit_request_field_size": 16_384,
            "logger_class": SyncLogger,
            "loglevel": "info" if self.settings.log_level == "debug" else "warning",
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,
        }

    def load(self) -> Flask:
        app = create_app(self.settings, migrate=False)
        # Open files must not be shared across the fork: each process opens its own.
        app.extensions["sync_server"].close()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        return app


_GARBAGE = (10_000, 10, 10)
"""A batch of documents makes some thousand objects, none of which are garbage that only a
collection finds: looking for it several times per batch cost a twentieth of a push.
"""


def _current_request_id() -> str | None:
    return request_id(request.environ) if has_request_context() else None


def main(descriptor: int) -> None:
    parent = os.getppid()
    die_with_parent()
    if is_orphan(parent):
        return
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level, _current_request_id)
    WebApplication(settings, descriptor).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
