"""The processes of a running server, to be limited or killed."""

from __future__ import annotations

import signal

import psutil

from tests.serving import RunningServer


def processes(server: RunningServer) -> list[psutil.Process]:
    """The supervisor and everything under it."""
    supervisor = psutil.Process(server.pid)
    return [supervisor, *supervisor.children(recursive=True)]


def web_workers(server: RunningServer) -> list[psutil.Process]:
    """The processes that answer requests: gunicorn's children."""
    above = processes(server)[0].children()
    return [worker for parent in above for worker in parent.children()]


def kill(victims: list[psutil.Process]) -> None:
    for victim in victims:
        try:
            victim.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
