"""Household documents as tablets write them: some 700 bytes of JSON, made from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

SURNAMES = (
    ("ចាន់", "Chan"), ("សុខ", "Sok"), ("ហេង", "Heng"), ("លី", "Ly"), ("កែវ", "Keo"),
    ("នួន", "Nuon"), ("ពៅ", "Pov"), ("មាស", "Meas"), ("ស៊ុន", "Sun"), ("ទេព", "Tep"),
    ("ឈុន", "Chhun"), ("យឹម", "Yim"), ("ប៉ែន", "Pen"), ("រស់", "Ros"), ("សេង", "Seng"),
)  # fmt: skip
GIVEN_NAMES = (
    ("សុភា", "Sophea"), ("ដារ៉ា", "Dara"), ("ស្រីមុំ", "Sreymom"), ("វិចិត្រ", "Vichet"),
    ("ចាន់ធូ", "Chanthou"), ("រតនា", "Ratana"), ("បុប្ផា", "Bopha"), ("សំណាង", "Samnang"),
    ("ពិសី", "Pisey"), ("រដ្ឋា", "Rotha"), ("សុវណ្ណ", "Sovann"), ("គឹមហេង", "Kimheng"),
    ("លក្ខិណា", "Leakhena"), ("វណ្ណា", "Vanna"), ("ម៉ាលី", "Maly"), ("ធារី", "Theary"),
)  # fmt: skip
EDITED_SHARE = 0.25
"""Households that were edited once before they were first synced."""


@dataclass(frozen=True, slots=True)
class Outing:
    """One worker's day in one village: its households follow each other in a first sync."""

    worker: int
    village: str
    day: str
    households: int


@dataclass(frozen=True, slots=True)
class Household:
    """A household at one revision."""

    doc_id: str
    generation: int
    revision_ids: list[str]
    """Newest first, as in `_revisions`."""
    body: dict[str, Any]

    @property
    def rev(self) -> str:
        return f"{self.generation}-{self.revision_ids[0]}"

    def replicated(self) -> dict[str, Any]:
        """The document as a replicator pushes it."""
        revisions = {"start": self.generation, "ids": self.revision_ids}
        return {"_id": self.doc_id, "_rev": self.rev, "_revisions": revisions, **self.body}

    @property
    def commune(self) -> str:
        village: str = self.body["village"]
        return village[:6]

    def body_json(self) -> bytes:
        return orjson.dumps(self.body)


def households(count: int, seed: int) -> Iterator[Household]:
    """The same `count` households for the same seed; other seeds give other ids."""
    source = random.Random(seed)
    number = 0
    while number < count:
        outing = _outing(source)
        for _ in range(min(outing.households, count - number)):
            number += 1
            yield _household(source, outing, number)


def households_of(visits: Iterable[tuple[str, int]], seed: int) -> Iterator[Household]:
    """Households of outings to these communes, so many in each outing."""
    source = random.Random(seed)
    number = 0
    for commune, count in visits:
        outing = _outing(source, commune)
        for _ in range(count):
            number += 1
            yield _household(source, outing, number)


def _outing(source: random.Random, commune: str | None = None) -> Outing:
    village = f"{source.randint(1, 25):02}{source.randint(1, 12):02}{source.randint(1, 10):02}"
    village = commune or village
    return Outing(
        worker=source.randint(1, 263),
        village=f"{village}{source.randint(1, 14):02}",
        day=f"2024-{source.randint(1, 12):02}-{source.randint(1, 28):02}",
        households=source.randint(4, 14),
    )


def _household(source: random.Random, outing: Outing, number: int) -> Household:
    generation = 2 if source.random() < EDITED_SHARE else 1
    return Household(
        doc_id=f"household:{_uuid(source)}",
        generation=generation,
        revision_ids=[f"{source.getrandbits(128):032x}" for _ in range(generation)],
        body=_body(source, outing, number),
    )


def _body(source: random.Random, outing: Outing, number: int) -> dict[str, Any]:
    surname, given = source.choice(SURNAMES), source.choice(GIVEN_NAMES)
    clock = f"{source.randint(7, 17):02}:{source.randint(0, 59):02}:{source.randint(0, 59):02}"
    members = source.randint(1, 9)
    poor = source.choice(("1", "2", "none"))
    return {
        "type": "household",
        "schema_version": 1,
        "author": f"cew{outing.worker:03}",
        "device": f"tablet-{outing.worker:03}",
        "device_seq": number,
        "captured_at": f"{outing.day}T{clock}+07:00",
        "server_offset_ms": source.randint(-4000, 4000),
        "gazetteer": "2024-1",
        "village": outing.village,
        "head": {
            "surname_km": surname[0],
            "given_name_km": given[0],
            "surname_latin": surname[1],
            "given_name_latin": given[1],
            "sex": source.choice(("female", "male")),
            "birth_year": source.randint(1940, 2004),
            "birth_year_estimated": source.random() < 0.3,
        },
        "phone": f"+855{source.randint(10_000_000, 99_999_999)}",
        "national_id": f"{source.randint(0, 999_999_999):09}",
        "members_total": members,
        "members_women": source.randint(0, members),
        "id_poor": [_id_poor(source, poor, outing)],
        "disability": False,
        "gps": {
            "latitude": round(source.uniform(10.4, 14.6), 6),
            "longitude": round(source.uniform(102.4, 107.5), 6),
            "accuracy_m": source.randint(3, 40),
        },
        "consent": {"date": outing.day, "method": "signature"},
    }


def _id_poor(source: random.Random, level: str, outing: Outing) -> dict[str, Any]:
    if level == "none":
        return {"level": level, "observed_on": outing.day}
    card = f"{outing.village}-{source.randint(0, 9999):04}"
    observed = {"level": level, "observed_on": outing.day}
    return observed | {"card": card, "expires": "2026-12-31"}


def _uuid(source: random.Random) -> str:
    digits = f"{source.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
