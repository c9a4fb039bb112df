"""Several workers on one database, in an order that the test chooses.

Each operation on the database is one turn: it runs to its end, and then the test says whose is
next. So every order of transactions can come about, and the same choices give the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, cast

from sync_server.storage.base import Database

PATIENCE = 60.0


class Turns:
    """`order`: numbers that pick the next of those who wait; the first, once they are used up."""

    def __init__(self, order: Iterable[int]) -> None:
        self._order = iter(order)
        self._workers: dict[str, threading.Thread] = {}
        self._waiting: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._errors: list[BaseException] = []

    def add(self, name: str, work: Callable[[], object]) -> None:
        self._workers[name] = threading.Thread(target=self._run, args=(work,), name=name)

    def watched(self, database: Database) -> Database:
        """The database, with a turn for each of its operations."""
        return cast(Database, _Watched(database, self))

    def run(self) -> None:
        """Until all are done; raises what a worker raised."""
        for worker in list(self._workers.values()):
            worker.start()
        while (names := self._wait_for_all()) and not self._errors:
            self._let(names[next(self._order, 0) % len(names)])
        if self._errors:
            raise self._errors[0]

    def take(self) -> None:
        """Wait for the calling worker's turn."""
        turn = threading.Event()
        with self._changed:
            self._waiting[threading.current_thread().name] = turn
            self._changed.notify_all()
        assert turn.wait(PATIENCE)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self._errors.append(error)
        finally:
            with self._changed:
                del self._workers[threading.current_thread().name]
                self._changed.notify_all()

    def _wait_for_all(self) -> list[str]:
        """Those who wait, once nobody is at work."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._waiting.keys() == self._workers.keys(), PATIENCE
            )
            return sorted(self._waiting)

    def _let(self, name: str) -> None:
        with self._changed:
            self._waiting.pop(name).set()


class _Watched:
    def __init__(self, database: Database, turns: Turns) -> None:
        self._database = database
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._database, name)
        if not callable(found):
            return found

        def operation(*arguments: Any, **options: Any) -> Any:
            self._turns.take()
            return found(*arguments, **options)

        return operation
