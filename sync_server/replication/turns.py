"""Turns: one heavy tablet must not starve the others.

A web process works on one request after the other. Where a tablet sends fifty large pushes at
once, whoever comes behind them would wait for all fifty. So each device has a line of its own:

    device A   at work  ▓ ▓    waiting  ▒ ▒ ▒ ▒ … ▒     further ones: 503
    device B   at work  ▓                               served after A's ▓ ▓ at the latest

A turn lasts while there is work to do, never while the network is waited for: a tablet that has
lost its connection in the middle of a push or a pull holds up nothing. A feed that waits takes no
turn.

Greenlets are not interrupted. Fifty requests that arrive together would be worked off one after
the other in one round of the event loop, and never stand in line. So a device that has had its
share of a round waits for the next, in which others' requests are read first.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count

from sync_server.errors import Unavailable

Device = tuple[str, str]
"""Account and device."""

PATIENCE = 60.0
"""Seconds that a request waits for its turn: a server this busy rather sees it come again."""

SHARE = 0.005
"""Seconds of one round of the event loop after which a device waits for the next one."""

NEXT_ROUND = 0.000_001
"""Seconds to sleep: any time above none lasts until the loop has gone round."""

COME_BACK = 10
"""Seconds after which a client that was sent away may ask again."""

TOO_MANY = (
    "This tablet has too many requests open: it goes on by itself in a moment; if not, sync again. "
    "/ ថេប្លេតនេះមានសំណើច្រើនពេកក្នុងពេលតែមួយ៖ វានឹងបន្តដោយខ្លួនឯងក្នុងពេលបន្តិចទៀត បើមិនបន្តទេ "
    "សូមធ្វើសមកាលកម្មម្តងទៀត។"
)


class _Line:
    __slots__ = ("at_work", "open", "waiting")

    def __init__(self) -> None:
        self.open = 0
        self.at_work = 0
        self.waiting: deque[threading.Lock] = deque()
        """A lock each, held until it is that one's turn."""


class Turns:
    """The lines of one process. Several threads or greenlets may use them at once."""

    def __init__(
        self,
        at_once: int,
        most_open: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """At most `most_open` requests of a device are let in, and `at_once` worked on."""
        self.round_of_loop: Callable[[], int] = count().__next__
        """Which round of its event loop the process is in. Where threads take turns by themselves,
        each look is a new one.
        """
        self._round = -1
        self._began: dict[Device, float] = {}
        """When each device's first turn of this round began."""
        self._clock = clock
        self._sleep = sleep
        self._at_once = at_once
        self._most_open = most_open
        self._lock = threading.Lock()
        self._lines: dict[Device, _Line] = {}

    def enter(self, device: Device, *, works: bool, always: bool = False) -> None:
        """Let a request in (`always`: however many there are), at once with a turn if it `works`.

        Raises Unavailable.
        """
        with self._lock:
            line = self._line(device)
            if line.open >= self._most_open and not always:
                raise Unavailable(TOO_MANY, retry_after=COME_BACK)
            line.open += 1
            place = self._stand(line) if works else None
        if not works:
            return
        try:
            self._begin(device, line, place)
        except BaseException:
            self.leave(device, worked=False)
            raise

    def leave(self, device: Device, *, worked: bool) -> None:
        """The request, which has its turn if it `worked`, is done."""
        with self._lock:
            line = self._lines[device]
            line.open -= 1
            if worked:
                self._next(line)
            self._forget_idle(device, line)

    def take(self, device: Device) -> None:
        """Wait for a turn, which must be given back. Raises Unavailable."""
        with self._lock:
            line = self._line(device)
            place = self._stand(line)
        self._begin(device, line, place)

    def give_back(self, device: Device) -> None:
        with self._lock:
            line = self._lines[device]
            self._next(line)
            self._forget_idle(device, line)

    def _stand(self, line: _Line) -> threading.Lock | None:
        """Take a turn that is free, else a place in the line."""
        if line.at_work < self._at_once:
            line.at_work += 1
            return None
        place = threading.Lock()
        place.acquire()
        line.waiting.append(place)
        return place

    @staticmethod
    def _next(line: _Line) -> None:
        if line.waiting:
            line.waiting.popleft().release()
        else:
            line.at_work -= 1

    def _begin(self, device: Device, line: _Line, place: threading.Lock | None) -> None:
        if place is not None:
            self._wait(device, line, place)
        elif not self._has_had_its_share(device):
            return
        try:
            self._sleep(NEXT_ROUND)
        except BaseException:
            self.give_back(device)
            raise

    def _has_had_its_share(self, device: Device) -> bool:
        current, now = self.round_of_loop(), self._clock()
        if current != self._round:
            self._round = current
            self._began.clear()
        return now - self._began.setdefault(device, now) > SHARE

    def _wait(self, device: Device, line: _Line, place: threading.Lock) -> None:
        try:
            has_come = place.acquire(timeout=PATIENCE)
        except BaseException:
            if not self._step_out(line, place):
                self.give_back(device)
            raise
        if not has_come and self._step_out(line, place):
            raise Unavailable(retry_after=COME_BACK)

    def _step_out(self, line: _Line, place: threading.Lock) -> bool:
        """Whether it was still waiting, and has not been given its turn meanwhile."""
        with self._lock:
            if place not in line.waiting:
                return False
            line.waiting.remove(place)
            return True

    def _line(self, device: Device) -> _Line:
        line = self._lines.get(device)
        if line is None:
            line = self._lines[device] = _Line()
        return line

    def _forget_idle(self, device: Device, line: _Line) -> None:
        if not (line.open or line.at_work):
            del self._lines[device]


class Visit:
    """One request of a device, from when it is known whose it is until its answer is made."""

    __slots__ = ("_turns", "_works", "device")

    def __init__(self, turns: Turns, device: Device, *, works: bool, always: bool = False) -> None:
        """`works`: at once; else it has still to arrive. `always`: let in even if there are as many
        as may be. Raises Unavailable.
        """
        turns.enter(device, works=works, always=always)
        self.device = device
        self._turns = turns
        self._works = works

    def work(self) -> None:
        """It has arrived: from now on it is this request's turn. Raises Unavailable."""
        if not self._works:
            self._turns.take(self.device)
            self._works = True

    def end(self) -> None:
        self._turns.leave(self.device, worked=self._works)


class InTurns:
    """Chunks of an answer, each made in a turn and sent outside of it."""

    def __init__(self, chunks: Iterator[bytes], turns: Turns, device: Device) -> None:
        self._chunks = chunks
        self._turns = turns
        self._device = device

    def __iter__(self) -> InTurns:
        return self

    def __next__(self) -> bytes:
        self._turns.take(self._device)
        try:
            return next(self._chunks)
        finally:
            self._turns.give_back(self._device)

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
