"""The process that `serve` runs: it holds the listening socket and keeps the others alive.

    supervisor ── prepare   (once, ends)
               ├─ web       gunicorn's master ── web workers
               └─ worker    intake and jobs

It imports little, so it takes few megabytes. The socket is its own, so clients wait in the
socket's queue, instead of being refused, while web processes start or are replaced. A child
that ends is started again, after a pause that grows while it keeps failing. Where the
supervisor itself is killed, the kernel tells its children (`lifeline`).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

from sync_server.settings import Settings, split_bind

_BACKLOG = 2048
_TICK_SECONDS = 0.2
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0
_KILL_AFTER_SECONDS = 4.0
"""How long past `stop_seconds` a child may take before it is killed."""


class FolderInUse(Exception):
    """A service runs on this data folder already."""


# glibc keeps freed memory for the thread that had it, and raises its own limits as it goes. With
# fixed ones, what a burst of large batches or sign-ins took goes back to the system after it.
_MEMORY = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
}


def listen(bind: str) -> socket.socket:
    """The listening socket; accepted connections inherit its options.

    Tablets vanish without a word when they leave the signal: the kernel's keep-alive ends such
    connections after some minutes, so that they do not pile up.
    """
    host, port = split_bind(bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300_000)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    return listener


def address(listener: socket.socket) -> str:
    """The URL under which the socket is reached."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@dataclass(slots=True)
class Child:
    """A process to keep running."""

    name: str
    command: Sequence[str]
    inherited: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    """No earlier than this, by the monotonic clock, is it started again."""
    pause: float = field(default=_FIRST_PAUSE_SECONDS)

    def tend(self, environment: dict[str, str]) -> None:
        """Start it if it is due; note its end."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.start(environment)
        elif self.process.poll() is not None:
            self._note_end(now)

    def start(self, environment: dict[str, str]) -> None:
        self.started_at = time.monotonic()
        # A session of its own: Ctrl-C in a terminal reaches the supervisor alone, which stops
        # the others in order.
        self.process = subprocess.Popen(
            self.command, env=environment, pass_fds=self.inherited, start_new_session=True
        )

    def _note_end(self, now: float) -> None:
        assert self.process is not None
        if now - self.started_at > _HEALTHY_SECONDS:
            self.pause = _FIRST_PAUSE_SECONDS
        log("warning", "process ended", name=self.name, status=self.process.returncode)
        self.process = None
        self.start_at = now + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = False
        self.environment = {
            **_MEMORY,
            **os.environ,
            **settings.as_environment(),
            "PROMETHEUS_MULTIPROC_DIR": str(settings.data_dir.absolute() / "metrics"),
        }

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; answers the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        listener = listen(self.settings.bind)
        prepared = subprocess.run(_module("prepare"), env=self.environment, check=False)
        if prepared.returncode != 0:
            log("error", "could not prepare the data folder", status=prepared.returncode)
            return prepared.returncode
        # The commands that ask or change a running service must not get these from it.
        self.environment.pop("SYNC_SERVER_ADMIN_SECRET", None)
        descriptor = listener.fileno()
        children = (
            Child("web", _module("web", str(descriptor)), inherited=(descriptor,)),
            Child("worker", _module("worker")),
        )
        for child in children:
            child.start(self.environment)
        announce(address(listener), self.settings)
        self._tend(children)
        return stop_all(children, self.settings.stop_seconds + _KILL_AFTER_SECONDS)

    def _tend(self, children: Sequence[Child]) -> None:
        while not self.stopping:
            for child in children:
                child.tend(self.environment)
            time.sleep(_TICK_SECONDS)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True


def stop_all(children: Sequence[Child], seconds: float) -> int:
    """Ask all to end, then make them; 0 where nobody had to be killed."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    killed = 0
    for child in children:
        if child.process is None:
            continue
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log("error", "process had to be killed", name=child.name)
            os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
            killed = 1
    return killed


def announce(url: str, settings: Settings) -> None:
    """Tell whoever started the service how to reach it, and what to type into a tablet."""
    lines = [f"Listening on {url}"]
    lines += [f"A tablet syncs with {url}/db/{name}" for name in settings.programme_databases]
    print("\n".join(lines), flush=True)


def log(level: str, event: str, **values: object) -> None:
    """A line of the same shape as `logs` writes, without loading it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": now, "level": level, "event": event, **values}
    print(json.dumps(line), file=sys.stderr, flush=True)


def serve(settings: Settings) -> int:
    """Run the whole service; answers the exit status. Raises FolderInUse, OSError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with open(settings.data_dir / "serve.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(f"Another service runs on {settings.data_dir}.") from None
        return Supervisor(settings).run()


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"sync_server.serving.{name}", *arguments]
