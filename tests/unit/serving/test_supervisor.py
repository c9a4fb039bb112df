"""The supervisor starts what died again, slower while it keeps dying, and ends all in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from sync_server.serving.supervisor import Child, address, listen, stop_all

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True)"
    "; time.sleep(600)",
]


def ended(child: Child) -> None:
    assert child.process is not None
    child.process.wait(30)
    child.tend(dict(os.environ))


def test_a_child_that_died_is_started_again_after_a_pause() -> None:
    child = Child("test", [sys.executable, "-c", "raise SystemExit(3)"], pause=0.01)
    child.start(dict(os.environ))
    first = child.process
    ended(child)
    assert child.process is None
    time.sleep(0.02)
    child.tend(dict(os.environ))
    assert child.process is not None
    assert child.process is not first
    child.process.wait(30)


def test_the_pause_grows_while_a_child_keeps_dying() -> None:
    child = Child("test", [sys.executable, "-c", ""], pause=0.01)
    pauses = []
    for _ in range(3):
        child.start(dict(os.environ))
        ended(child)
        pauses.append(child.pause)
    assert pauses == [0.02, 0.04, 0.08]


def test_all_end_when_asked() -> None:
    children = [Child("one", FOREVER), Child("two", FOREVER), Child("never started", FOREVER)]
    for child in children[:2]:
        child.start(dict(os.environ))
    assert stop_all(children, 30) == 0
    assert [child.process and child.process.returncode for child in children] == [
        -signal.SIGTERM,
        -signal.SIGTERM,
        None,
    ]


def test_who_does_not_end_is_killed() -> None:
    child = Child("stubborn", STUBBORN)
    child.process = subprocess.Popen(STUBBORN, stdout=subprocess.PIPE, start_new_session=True)
    assert child.process.stdout is not None
    child.process.stdout.readline()
    assert stop_all([child], 0.1) == 1
    assert child.process.returncode == -signal.SIGKILL
    child.process.stdout.close()


@pytest.mark.parametrize("bind", ["127.0.0.1:0"])
def test_a_free_port_is_found_and_named(bind: str) -> None:
    with listen(bind) as listener:
        assert address(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert address(listener) != "http://127.0.0.1:0"


def test_the_supervisor_stays_light() -> None:
    probe = (
        "import sys, sync_server.cli, sync_server.serving.supervisor;"
        "heavy = {'flask', 'gunicorn', 'gevent', 'sqlalchemy', 'structlog', 'orjson'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
