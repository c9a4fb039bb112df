"""Histories of one document as several tablets may have made them, drawn by hypothesis.

A history is a tree of up to six branches, each of one or more edits, some ending in a deletion,
with photos. Not every inner revision's content is kept, and ancestries may be short: as after
compaction, stemming, and edits that were never sent one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, permutations, product
from typing import Any, NamedTuple

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from conflict.canonical import MISSING
from sync_server.storage.base import AttachmentInfo, Origin, Revision, Revisions

thorough = settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

POLICIES = {
    "name": "manual",
    "phone": "latest",
    "tags": "union",
    "visits": "counter",
    "card": "keyed:on",
    "author": "immutable",
    "captured_at": "latest",
    "device": "latest",
}
VALUES: Mapping[str, Sequence[Any]] = {
    "name": ["Sok", "Sokha", None],
    "phone": ["+85512", "+85513", "+85514"],
    "tags": [list(tags) for size in range(4) for tags in permutations("abcd", size)],
    "visits": [0, 1, 2, 3],
    "card": [
        [{"on": on, "level": level} for on, level in zip(cards, levels, strict=False)]
        for cards in ("", "1", "2", "12", "21")
        for levels in product((1, 2), repeat=2)
    ],
    "author": ["sok", "dara"],
    "device": ["tablet-1", "tablet-2", "tablet-3"],
    "captured_at": [
        "1970-01-01T00:00:10+07:00",
        "2026-11-20T08:00:00+07:00",
        "2026-11-20T09:00:00+07:00",
        "2031-01-01T00:00:00+07:00",
        "yesterday",
        None,
    ],
}


class Change(NamedTuple):
    """A field, or the photo of a name, gets this value, or goes where that is MISSING."""

    name: str
    value: Any


PHOTOS = ("face", "house")
_LIKELY = {"phone": 5, "captured_at": 3}
"""How many times as often as the others a field is changed."""
_ALIKE = 48
"""Each field stands as often among the changes, however many values it has."""
_CHANGES = [
    *(
        Change(name, value)
        for name, values in VALUES.items()
        for value in islice(cycle(values), _ALIKE * _LIKELY.get(name, 1))
    ),
    *(Change(name, MISSING) for name in VALUES for _ in range(_ALIKE // 6)),
    *(Change(name, data) for name in PHOTOS for data in (b"one", b"other") for _ in range(_ALIKE)),
]
EDITS = st.lists(st.sampled_from(_CHANGES), max_size=3)
"""What an edit changes: little, as an edit does, or there would be nothing but cases. One choice
for each change, since choices are what takes time here.
"""
FIRST = st.tuples(
    *(
        st.sampled_from([*(Change(name, value) for value in values), *[None] * (len(values) // 2)])
        for name, values in VALUES.items()
    )
)
"""What the first revision says: most fields."""
MOST_BRANCHES = 6


class Stored(NamedTuple):
    """One revision."""

    history: Sequence[str]
    """The revision, then its ancestors."""
    deleted: bool
    body: dict[str, Any]
    photos: Mapping[str, bytes]

    @property
    def rev(self) -> str:
        return self.history[0]


@dataclass(frozen=True)
class World:
    """All revisions of a document, ancestors first, and what is known of them."""

    revisions: Mapping[str, Stored]
    kept: frozenset[str]
    """Inner revisions whose content is kept."""
    short: Mapping[str, int]
    """Leaf → how many of its ancestry are sent."""

    @property
    def leaves(self) -> list[Stored]:
        inner = {above for stored in self.revisions.values() for above in stored.history[1:2]}
        return [stored for rev, stored in self.revisions.items() if rev not in inner]

    def sent(self) -> Iterator[Stored]:
        """The leaves as they are pushed."""
        for leaf in self.leaves:
            yield leaf._replace(history=leaf.history[: self.short[leaf.rev]])


@st.composite
def worlds(draw: st.DrawFn, most: int = MOST_BRANCHES) -> World:
    revisions: dict[str, Stored] = {}
    above: list[Stored] = []
    deletes, stems, forgets = (draw(st.integers(0, 4)) == 3 for _ in range(3))
    for number in range(draw(st.integers(2, most))):
        start = _start(draw, above)
        for step in range(draw(st.integers(1, 2))):
            start = _edit(draw, start, f"{draw(st.sampled_from('abcdef'))}{number}{step}")
            revisions[start.rev] = start
            above.append(start)
        if deletes and start is not None and draw(st.booleans()):
            gone = Stored(_history(start, f"d{number}"), True, {}, {})
            revisions[gone.rev] = gone
    inner = sorted({above for stored in revisions.values() for above in stored.history[1:2]})
    kept = draw(st.sets(st.sampled_from(inner))) if forgets and inner else inner
    lengths = st.sampled_from([1, 2, 100, 100]) if stems else st.just(100)
    return World(revisions, frozenset(kept), {rev: draw(lengths) for rev in revisions})


def _start(draw: st.DrawFn, above: Sequence[Stored]) -> Stored | None:
    """What a branch begins at: mostly one of the first revisions, which all tablets had; seldom
    at nothing, as where two tablets made the document independently.
    """
    if not above or draw(st.integers(0, 30)) == 17:
        return None
    return draw(st.sampled_from(above[: draw(st.sampled_from([1, 1, 2, 100]))]))


def _edit(draw: st.DrawFn, parent: Stored | None, name: str) -> Stored:
    changes = draw(EDITS) if parent else [one for one in draw(FIRST) if one is not None]
    return edited(parent, changes, _history(parent, name))


def edited(parent: Stored | None, changes: Sequence[Change], history: Sequence[str]) -> Stored:
    """The revision that these changes make of the one above it, if there is one."""
    body: dict[str, Any] = dict(parent.body) if parent else {}
    photos: dict[str, Any] = dict(parent.photos) if parent else {}
    for name, value in changes:
        target = photos if name in PHOTOS else body
        target[name] = value
        if value is MISSING:
            del target[name]
    return Stored(history, False, body, photos)


def _history(parent: Stored | None, name: str) -> list[str]:
    above = list(parent.history) if parent else []
    return [f"{len(above) + 1}-{name}", *above]


def revision_of(stored: Stored, doc_id: str = "household:1") -> Revision:
    """As storage answers it."""
    start = int(stored.rev.partition("-")[0])
    return Revision(
        doc_id,
        stored.rev,
        stored.deleted,
        orjson.dumps(stored.body),
        Revisions(start, [rev.partition("-")[2] for rev in stored.history]),
        {
            name: AttachmentInfo("image/jpeg", f"md5-{content.decode()}", len(content), start)
            for name, content in stored.photos.items()
        },
        Origin("sok", "tablet", 0),
    )
