"""How often each device asks this process: so many requests in a minute, all at once if it likes.

Turns (see `turns.py`) share out the work there is. This stops what is no work: an app that syncs in
a loop, without a pause, all day long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sync_server.errors import Unavailable
from sync_server.replication.turns import Device

MINUTE = 60.0
COME_BACK = 10
REMEMBERED = 10_000
"""Devices above which those are forgotten that may ask as often again as one that is new."""

TOO_OFTEN = (
    "This tablet asks too often: it goes on by itself in a moment. If it happens again, update the "
    "app. / ថេប្លេតនេះស្នើសុំញឹកញាប់ពេក៖ វានឹងបន្តដោយខ្លួនឯងក្នុងពេលបន្តិចទៀត។ បើកើតឡើងម្តងទៀត "
    "សូមធ្វើបច្ចុប្បន្នភាពកម្មវិធី។"
)


class Rates:
    """Several threads or greenlets may use it at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[Device, tuple[float, float]] = {}
        """Requests that a device had left, and when."""

    def spend(self, device: Device) -> None:
        """Count a request. Raises Unavailable where the device has none left."""
        now = self._clock()
        with self._lock:
            left = self._now_left(device, now)
            if left < 1:
                raise Unavailable(TOO_OFTEN, retry_after=COME_BACK)
            if device not in self._left and len(self._left) >= REMEMBERED:
                self._forget_idle(now)
            self._left[device] = (left - 1, now)

    def _now_left(self, device: Device, now: float) -> float:
        left, at = self._left.get(device, (self._most, now))
        return min(self._most, left + (now - at) * self._most / MINUTE)

    def _forget_idle(self, now: float) -> None:
        known = list(self._left)
        self._left = {
            one: self._left[one] for one in known if self._now_left(one, now) < self._most
        }
