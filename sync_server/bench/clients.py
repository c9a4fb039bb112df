"""Several tablets at once, each in a process of its own, so that none waits for another's turn
in one interpreter.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import Protocol

from sync_server.bench.traffic import Lap


class Job(Protocol):
    """What one client does. It is sent to another process, so it must pickle."""

    def prepare(self) -> Callable[[], Lap]:
        """All that needs no clock: connecting, making documents."""
        ...


class ClientError(Exception):
    """A client failed in its own process; the message is its traceback."""


class Clients:
    """`count` processes that start their jobs together, once each of them is prepared."""

    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        self._pipes: list[Pipe] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, jobs: Sequence[Job]) -> list[Lap]:
        """One job per process; raises ClientError where one failed."""
        if len(jobs) != len(self._pipes):
            raise ValueError(f"{len(jobs)} jobs for {len(self._pipes)} clients")
        for pipe, job in zip(self._pipes, jobs, strict=True):
            pipe.send(job)
        for pipe in self._pipes:
            _receive(pipe)
        for pipe in self._pipes:
            pipe.send("go")
        return [lap for pipe in self._pipes if (lap := _receive(pipe)) is not None]

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *exc: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def _receive(pipe: Pipe) -> Lap | None:
    answer: Lap | str | None = pipe.recv()
    if isinstance(answer, str):
        raise ClientError(answer)
    return answer


def _serve(pipe: Pipe) -> None:
    while True:
        try:
            job: Job = pipe.recv()
        except EOFError:
            return
        try:
            run = job.prepare()
            pipe.send(None)
            pipe.recv()
            pipe.send(run())
        except EOFError:
            return
        except Exception:  # whatever it is, the parent raises it
            pipe.send(traceback.format_exc())
