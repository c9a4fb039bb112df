"""What the service asks of the gazetteer: which codes there are, and what places are called.

Each process keeps the codes in memory (some 16,000 strings, 2 MB) and reads them again when the
stamp says that a new gazetteer was imported. Names are read when they are shown.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from sync_server.access.areas import COMMUNE_DIGITS, NATION
from sync_server.access.stamp import ChangeStamp, Mark
from sync_server.access.tables import gazetteer_imports, gazetteer_units
from sync_server.errors import BadRequest, NotFound

RECHECK_SECONDS = 10.0
"""An import on another host, which the stamp does not tell, is noticed within this time."""

_AFTER_DIGITS = ":"
"""The character after `9`: everything that starts with a code comes before code + this."""
_QUERY_CODES = 500


class Place(NamedTuple):
    """A province, district, commune or village; the names are NFC and never empty."""

    code: str
    name_km: str
    name_latin: str


CAMBODIA = Place(NATION, "កម្ពុជា", "Cambodia")


@dataclass(frozen=True, slots=True)
class Edition:
    """One import. All places of a gazetteer come from the same one."""

    number: int
    at: int
    """Milliseconds since 1970."""
    actor: str
    source: str
    """The package with its version, or the file's name."""
    edition: str
    """What documents carry as `gazetteer`."""
    rejected: int
    """Rows of the source that were left out."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What one import left, and the stamp's mark from before it was read."""

    mark: Mark
    number: int | None
    codes: frozenset[str]
    areas: Sequence[str]

    def knows(self, code: str) -> bool:
        """Whether there is a place of that code."""
        return code in self.codes


class Gazetteer:
    """What places there are. Threads may share it; a look costs one `stat`."""

    def __init__(
        self, engine: Engine, stamp: ChangeStamp, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reading = engine.execution_options(read_only=True)
        self.stamp = stamp
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Codes | None = None
        self._recheck_at = 0.0

    # -- codes: on the path of requests ------------------------------------------

    def knows(self, code: str) -> bool:
        """Whether there is a place of that code."""
        return self._codes().knows(code)

    def snapshot(self) -> Codes:
        """All codes there are now, for who asks of many: one `stat` for all of them."""
        return self._codes()

    def areas_within(self, area: str) -> Sequence[str]:
        """The area itself and all areas in it, down to communes; in order."""
        areas = self._codes().areas
        start, end = bisect_left(areas, area), bisect_left(areas, area + _AFTER_DIGITS)
        found = areas[start:end]
        return found if found and found[0] == area else [area, *found]

    def require(self, area: str) -> None:
        """The area is the nation or one that the gazetteer has. Raises BadRequest."""
        known = self._codes()
        if area == NATION or area in known.codes:
            return
        if not known.codes:
            raise BadRequest("There is no gazetteer yet: sync-server gazetteer import --bundled.")
        raise BadRequest(f"The gazetteer knows no area {area}.")

    # -- names ---------------------------------------------------------------------

    def place(self, code: str) -> Place:
        """The empty code is the nation. Raises NotFound."""
        return CAMBODIA if code == NATION else self.path(code)[-1]

    def path(self, code: str) -> tuple[Place, ...]:
        """From the province down to the place: a village's name alone says little, for names
        repeat. Empty for the nation. Raises NotFound.
        """
        if code == NATION:
            return ()
        found = self.paths([code]).get(code)
        if found is None:
            raise NotFound(f"The gazetteer knows no place {code}.")
        return found

    def paths(self, codes: Iterable[str]) -> Mapping[str, tuple[Place, ...]]:
        """`path` of many at once; those that are unknown are left out."""
        lines = {code: [code[:end] for end in range(2, len(code) + 1, 2)] for code in codes}
        places = self._places({step for line in lines.values() for step in line})
        return {
            code: tuple(places[step] for step in line if step in places)
            for code, line in lines.items()
            if code in places
        }

    def directly_within(self, code: str) -> list[Place]:
        """The next level down: districts of a province, and so on; provinces of the nation."""
        units = gazetteer_units.c
        query = (
            select(gazetteer_units)
            .where(units.code.startswith(code), func.length(units.code) == len(code) + 2)
            .order_by(units.code)
        )
        with self._reading.begin() as connection:
            return [Place(*row) for row in connection.execute(query)]

    # -- where it comes from ---------------------------------------------------------

    def edition(self) -> Edition | None:
        """The latest import; None where there was none."""
        with self._reading.begin() as connection:
            return latest_import(connection)

    def counts(self) -> dict[int, int]:
        """Places by the number of digits of their codes."""
        digits = func.length(gazetteer_units.c.code)
        with self._reading.begin() as connection:
            rows = connection.execute(select(digits, func.count()).group_by(digits))
            return {row[0]: row[1] for row in rows}

    # -- inside ------------------------------------------------------------------------

    def _codes(self) -> Codes:
        kept, mark = self._kept, self.stamp.mark()
        if kept is not None and kept.mark == mark and self._clock() < self._recheck_at:
            return kept
        with self._lock:
            return self._refreshed(mark)

    def _refreshed(self, mark: Mark) -> Codes:
        kept, now = self._kept, self._clock()
        if kept is not None and kept.mark == mark and now < self._recheck_at:
            return kept  # Another thread was first.
        with self._reading.begin() as connection:
            number = connection.execute(select(func.max(gazetteer_imports.c.number))).scalar()
            if kept is None or kept.mark != mark or kept.number != number:
                kept = _read(connection, mark, number)
        self._kept, self._recheck_at = kept, now + RECHECK_SECONDS
        return kept

    def _places(self, codes: set[str]) -> dict[str, Place]:
        wanted, found = sorted(codes), dict[str, Place]()
        with self._reading.begin() as connection:
            for start in range(0, len(wanted), _QUERY_CODES):
                chunk = wanted[start : start + _QUERY_CODES]
                query = select(gazetteer_units).where(gazetteer_units.c.code.in_(chunk))
                found.update((row.code, Place(*row)) for row in connection.execute(query))
        return found


def latest_import(connection: Connection) -> Edition | None:
    query = select(gazetteer_imports).order_by(gazetteer_imports.c.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else Edition(**row)


def _read(connection: Connection, mark: Mark, number: int | None) -> Codes:
    codes = connection.execute(select(gazetteer_units.c.code)).scalars().all()
    areas = tuple(sorted(code for code in codes if len(code) <= COMMUNE_DIGITS))
    return Codes(mark, number, frozenset(codes), areas)
