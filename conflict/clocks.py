"""Which clocks to believe when "the later edit stands".

Tablets lie about the time: batteries die and a clock starts at 1970, or somebody sets it to 2031.
When an edit was received would tell, but every server received it at another time, and servers
that merge the same leaves must come to the same bytes. So only the documents themselves count:

- A capture time is corrected by the difference between the two clocks that the tablet noted when
  it last met the server. That alone puts most wrong clocks right.
- Each device that has a say in a conflict (its leaves, and the base where another device captured
  it) is a witness. Times lie within `APART_MS` of each other, since no tablet is away for longer.
  What most witnesses agree on is believed; a time outside of it is not.
- A time that is not believed is no time. Where that leaves none, the revisions themselves decide,
  so a lying clock wins no more often than an honest one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

APART_MS = 400 * 86_400_000
"""A tablet may be away for a year and must still sync; clocks further apart contradict."""


class Claim(NamedTuple):
    """What one document says about when it was captured."""

    device: str
    """Whose clock it was; claims of one clock are one witness."""
    at: int | None
    """Milliseconds since 1970, None where nothing usable is said."""


class Window(NamedTuple):
    """Times that are believed."""

    start: int
    end: int

    def holds(self, at: int | None) -> bool:
        return at is not None and self.start <= at <= self.end


NONE = Window(0, -1)
"""No clock is believed."""


def believed(claims: Iterable[Claim]) -> Window:
    """The times that more than half of the clocks agree on; the earliest such, if there are
    several.
    """
    known = [(claim.device, claim.at) for claim in claims if claim.at is not None]
    best, most = NONE, len({device for device, _ in known}) / 2
    for start in sorted(at for _, at in known):
        window = Window(start, start + APART_MS)
        agreeing = {device for device, at in known if window.holds(at)}
        if len(agreeing) > most:
            best, most = window, len(agreeing)
    return best
