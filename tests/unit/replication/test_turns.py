"""A device's requests are worked on a few at a time, in the order in which they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sync_server.errors import Unavailable
from sync_server.replication import turns as turns_module
from sync_server.replication.turns import SHARE, Device, InTurns, Turns, Visit

HEAVY: Device = ("sok", "tablet-1")
OTHER: Device = ("dara", "tablet-2")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Worker:
    """A request in a thread of its own that works until it is told to end."""

    def __init__(self, turns: Turns, device: Device, started: list[object], name: object) -> None:
        self._turns, self._device, self._started, self._name = turns, device, started, name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._turns.take(self._device)
        self._started.append(self._name)
        self._end.wait()
        self._turns.give_back(self._device)

    def end(self) -> None:
        self._end.set()
        self._thread.join(20)


def waiting(turns: Turns, device: Device) -> int:
    return len(turns._lines[device].waiting)


def test_others_wait_behind_those_at_work_and_follow_in_their_order() -> None:
    turns, started = Turns(2, 32), []
    workers = []
    for number in range(6):
        workers.append(Worker(turns, HEAVY, started, number))
        until(lambda n=number: len(started) + waiting(turns, HEAVY) == n + 1)  # type: ignore[misc]
    assert started == [0, 1]
    for number, worker in enumerate(workers):
        worker.end()
        expected = min(number + 3, 6)
        until(lambda n=expected: len(started) == n)  # type: ignore[misc]
    assert started == list(range(6))
    assert turns._lines == {}


def test_another_device_does_not_wait() -> None:
    turns, started = Turns(1, 32), []
    workers = [Worker(turns, HEAVY, started, number) for number in range(5)]
    until(lambda: bool(started) and waiting(turns, HEAVY) == 4)
    turns.take(OTHER)
    turns.give_back(OTHER)
    assert len(started) == 1
    for worker in workers:
        worker.end()


def test_a_request_beyond_those_let_in_is_told_when_to_come_again() -> None:
    turns = Turns(1, 3)
    visits = [Visit(turns, HEAVY, works=False) for _ in range(3)]
    with pytest.raises(Unavailable) as refused:
        Visit(turns, HEAVY, works=False)
    assert refused.value.retry_after
    Visit(turns, OTHER, works=True).end()
    visits.pop().end()
    visits.append(Visit(turns, HEAVY, works=False))
    for visit in visits:
        visit.end()
    assert turns._lines == {}


def test_some_are_let_in_however_many_there_are() -> None:
    turns = Turns(1, 1)
    visits = [Visit(turns, HEAVY, works=False, always=True) for _ in range(5)]
    for visit in visits:
        visit.end()
    assert turns._lines == {}


def test_a_visit_takes_one_turn_however_often_it_begins_to_work() -> None:
    turns = Turns(1, 3)
    visit = Visit(turns, HEAVY, works=False)
    visit.work()
    visit.work()
    assert turns._lines[HEAVY].at_work == 1
    visit.end()
    assert turns._lines == {}


def test_who_has_waited_too_long_is_sent_away_and_loses_nobody_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "PATIENCE", 0.02)
    turns = Turns(1, 32)
    turns.take(HEAVY)
    with pytest.raises(Unavailable):
        turns.take(HEAVY)
    turns.give_back(HEAVY)
    turns.take(HEAVY)
    turns.give_back(HEAVY)
    assert turns._lines == {}


def test_who_has_waited_too_long_to_begin_is_let_out_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "PATIENCE", 0.02)
    turns = Turns(1, 32)
    visit = Visit(turns, HEAVY, works=True)
    with pytest.raises(Unavailable):
        Visit(turns, HEAVY, works=True)
    visit.end()
    assert turns._lines == {}


def test_a_device_that_has_had_its_share_of_a_round_waits_for_the_next() -> None:
    slept: list[float] = []
    now, current = 0.0, 1
    turns = Turns(1, 32, clock=lambda: now, sleep=slept.append)
    turns.round_of_loop = lambda: current

    def work(device: Device, seconds: float) -> int:
        """How often it waited before it began."""
        nonlocal now
        before = len(slept)
        visit = Visit(turns, device, works=True)
        now += seconds
        visit.end()
        return len(slept) - before

    assert work(HEAVY, SHARE / 2) == 0
    assert work(HEAVY, SHARE) == 0
    assert work(HEAVY, SHARE) == 1
    assert work(OTHER, SHARE) == 0
    current = 2
    assert work(HEAVY, SHARE) == 0
    assert min(slept) > 0


def test_a_chunk_is_made_in_a_turn_and_sent_outside_of_it() -> None:
    turns = Turns(1, 32)
    at_work: list[int] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a", b"b"):
            at_work.append(turns._lines[HEAVY].at_work)
            yield chunk

    for _ in InTurns(chunks(), turns, HEAVY):
        assert turns._lines == {}
    assert at_work == [1, 1]


def test_a_chunk_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, 32)

    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise LookupError

    answer = InTurns(chunks(), turns, HEAVY)
    assert next(answer) == b"a"
    with pytest.raises(LookupError):
        next(answer)
    assert turns._lines == {}


def test_closing_an_answer_closes_what_makes_its_chunks() -> None:
    closed = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    answer = InTurns(chunks(), Turns(1, 32), HEAVY)
    next(answer)
    answer.close()
    assert closed == [True]
