"""The worker process: intake, and the scheduler of the jobs. Only one runs per data folder.

Run by the supervisor as `python -m sync_server.serving.worker`.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from sync_server import jobs
from sync_server.intake.pipeline import Pipeline
from sync_server.intake.regrant import Regrants
from sync_server.parts import Parts, open_parts
from sync_server.serving import logs
from sync_server.serving.health import HEARTBEAT_SECONDS, heartbeat_path
from sync_server.serving.lifeline import die_with_parent, is_orphan
from sync_server.settings import Settings

_log = structlog.get_logger(__name__)


@contextmanager
def exclusive(path: Path, stop: threading.Event) -> Iterator[bool]:
    """Hold the lock file, waiting for it; False where `stop` came first."""
    with open(path, "a") as file:
        while not stop.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stop.wait(0.5)
            else:
                yield True
                return
        yield False


def run(parts: Parts, stop: threading.Event, parent: int) -> int:
    """Work until `stop` is set or the parent is gone; answers the exit status.

    A pipeline that ended by itself has failed: the process ends, and is started anew.
    """
    follower = Pipeline(
        parts.store,
        parts.sql,
        parts.settings.programme_databases,
        places=parts.gazetteer,
        metrics=parts.metrics,
    )
    pipeline = threading.Thread(
        target=follower.run_forever,
        args=(stop,),
        name="intake",
        daemon=True,
    )
    regrants = threading.Thread(
        target=Regrants(parts).run_forever, args=(stop,), name="regrants", daemon=True
    )
    scheduler = jobs.start_scheduler(parts)
    pipeline.start()
    regrants.start()
    heartbeat = heartbeat_path(parts.settings.data_dir)
    try:
        while not stop.is_set() and pipeline.is_alive() and not is_orphan(parent):
            heartbeat.touch()
            stop.wait(HEARTBEAT_SECONDS)
        failed = not stop.is_set() and not is_orphan(parent)
        stop.set()
        pipeline.join(parts.settings.stop_seconds)
        regrants.join(parts.settings.stop_seconds)
    finally:
        scheduler.shutdown(wait=False)
    if failed:
        _log.error("intake ended by itself")
    return int(failed)


def main() -> int:
    parent = os.getppid()
    die_with_parent()
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    parts = open_parts(settings, migrate=False)
    # What was imported stays: without this a tenth of the intake's time goes into looking at it.
    gc.collect()
    gc.freeze()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: parts.stopping.set())
    try:
        with exclusive(settings.data_dir / "worker.lock", parts.stopping) as held:
            return run(parts, parts.stopping, parent) if held else 0
    finally:
        parts.close()


if __name__ == "__main__":
    raise SystemExit(main())
