"""The gazetteer: provinces, districts, communes and villages, by their codes.

Each process keeps the codes in memory (some 16,000 strings) and reads them again when the stamp
says that a new gazetteer was imported.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from sqlalchemy import Engine, select

from sync_server.access.areas import COMMUNE_DIGITS
from sync_server.access.stamp import ChangeStamp, Mark
from sync_server.access.tables import gazetteer_units


class Gazetteer:
    """What places there are."""

    def __init__(self, engine: Engine, stamp: ChangeStamp) -> None:
        self._reading = engine.execution_options(read_only=True)
        self.stamp = stamp
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._codes: frozenset[str] = frozenset()
        self._areas: Sequence[str] = ()

    def knows(self, code: str) -> bool:
        """Whether there is a place of that code."""
        self._refresh()
        return code in self._codes

    def areas_within(self, area: str) -> Sequence[str]:
        """The area itself and all areas in it, down to communes; in order."""
        self._refresh()
        start = bisect_left(self._areas, area)
        end = bisect_right(self._areas, area + "\x7f")
        found = self._areas[start:end]
        return found if found and found[0] == area else [area, *found]

    def _refresh(self) -> None:
        mark = self.stamp.mark()
        if mark == self._mark:
            return
        with self._lock:
            with self._reading.begin() as connection:
                codes = connection.execute(select(gazetteer_units.c.code)).scalars().all()
            self._codes = frozenset(codes)
            self._areas = sorted(code for code in codes if len(code) <= COMMUNE_DIGITS)
            self._mark = mark
