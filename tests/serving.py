"""A running service for tests: the real command, on a free port and a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from sync_server.serving.lifeline import die_with_parent

ADMIN_SECRET = "one-secret-for-tests"
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LISTENING = re.compile(r"Listening on (http://\S+:(\d+))")


class RunningServer:
    """`sync-server serve` as a context manager; it may be stopped, killed and started again.

    It keeps its port and its data between runs. `settings` are given as in the environment,
    without the prefix: `RunningServer(web_workers="1")`.
    """

    def __init__(self, data_dir: Path | None = None, **settings: str) -> None:
        self._own_dir = None if data_dir else Path(tempfile.mkdtemp(prefix="sync-server-"))
        self.data_dir = data_dir or self._own_dir or Path()
        self.admin = ("admin", ADMIN_SECRET)
        self.url = ""
        self._settings = settings
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._output: list[str] = []

    # -- life ------------------------------------------------------------------

    def __enter__(self) -> RunningServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._own_dir:
            shutil.rmtree(self._own_dir, ignore_errors=True)
            if error is None:
                self.log_path.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it and wait until `/healthz` is 200."""
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sync_server", "serve"],
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=_die_with_the_tests if _in_main_thread() else None,
            )
        listening = threading.Event()
        threading.Thread(
            target=self._read_output, args=(self._process, listening), daemon=True
        ).start()
        if not listening.wait(_READY_SECONDS):
            raise AssertionError(f"the server did not start: {self.log()[-3000:]}")
        self._wait_until_healthy()

    def stop(self) -> int:
        """SIGTERM, and wait; answers the exit status (0 when it was not running)."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process = process
            self.kill()
            raise AssertionError(f"the server did not stop: {self.log()[-3000:]}") from None

    def kill(self) -> None:
        """SIGKILL every process of it at once, as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        family = [psutil.Process(process.pid), *self.children(process.pid)]
        for member in family:
            _ignore_gone(member.suspend)
        for member in family:
            _ignore_gone(member.kill)
        process.wait()
        _wait_until(lambda: all(has_ended(member) for member in family))

    def restart(self) -> None:
        self.stop()
        self.start()

    # -- what tests ask --------------------------------------------------------

    def db_url(self, name: str = "rushit") -> str:
        return f"{self.url}/db/{name}"

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    def children(self, pid: int | None = None) -> list[psutil.Process]:
        """All processes below the supervisor."""
        return psutil.Process(pid or self.pid).children(recursive=True)

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def log(self) -> str:
        """What all runs have written to standard error."""
        return self.log_path.read_text(errors="replace")

    @property
    def output(self) -> str:
        """What the runs have printed."""
        return "".join(self._output)

    def account(
        self,
        name: str,
        password: str,
        roles: Sequence[str] = (),
        databases: Sequence[str] = (),
        areas: Sequence[str] = ("",),
    ) -> tuple[str, str]:
        """Make an account through the command line; answers (name, password).

        Roles of the field are granted in `areas`, all of the nation where none is named.
        """
        options = [option for role in roles for option in ("--role", role)]
        options += [option for name_ in databases for option in ("--database", name_)]
        options += [option for area in areas for option in ("--area", area)]
        self.command("account", "add", name, "--password-stdin", *options, stdin=password)
        return name, password

    def command(self, *arguments: str, stdin: str | None = None) -> str:
        """Run `sync-server …` on this server's data; answers what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "sync_server", *arguments],
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def environment(self) -> dict[str, str]:
        return {
            **{key: value for key, value in os.environ.items() if "SYNC_SERVER_" not in key},
            "SYNC_SERVER_DATA_DIR": str(self.data_dir),
            "SYNC_SERVER_BIND": f"127.0.0.1:{self._port}",
            "SYNC_SERVER_ADMIN_SECRET": ADMIN_SECRET,
            **{f"SYNC_SERVER_{key.upper()}": value for key, value in self._settings.items()},
        }

    # -- inside ----------------------------------------------------------------

    def _read_output(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._output.append(line)
            found = _LISTENING.match(line)
            if found:
                self.url, self._port = found[1], int(found[2])
                listening.set()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=10) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                assert self._process is None or self._process.poll() is None, self.log()[-3000:]
            time.sleep(0.05)
        raise AssertionError(f"the server is not healthy: {self.log()[-3000:]}")


def _in_main_thread() -> bool:
    # The kernel watches the thread that started a process, and only the main one lives on.
    return threading.current_thread() is threading.main_thread()


def _die_with_the_tests() -> None:
    """A test run that is killed leaves no server behind."""
    die_with_parent(signal.SIGKILL)


def has_ended(member: psutil.Process) -> bool:
    """Gone, or dead and only not yet collected by whoever adopted it: its files are closed."""
    try:
        return bool(member.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "processes outlive SIGKILL"
        time.sleep(0.005)


def _ignore_gone(call: object) -> None:
    try:
        call()  # type: ignore[operator]
    except psutil.NoSuchProcess:
        return
