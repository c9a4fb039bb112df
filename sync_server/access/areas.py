"""Areas: prefixes of Cambodia's administrative code, kept as strings.

    ""        the nation          "0203"    a district
    "02"      a province          "020301"  a commune
    "@sok"    what only the account `sok` sees: notices about what was refused

A village has eight digits; a document stands at its commune at most. Beside them there is one area
per account, which no code can be mistaken for.
"""

from __future__ import annotations

import re

NATION = ""
COMMUNE_DIGITS = 6
VILLAGE_DIGITS = 8

_AREA = re.compile(r"(?:\d\d){0,3}", re.ASCII)
_VILLAGE = re.compile(r"\d{8}", re.ASCII)


def is_area(code: str) -> bool:
    """Whether the code has the form of an area: it need not exist."""
    return _AREA.fullmatch(code) is not None


def is_village(code: str) -> bool:
    """Whether the code has the form of a village's: it need not exist."""
    return _VILLAGE.fullmatch(code) is not None


def commune_of(village: str) -> str:
    """The area of a village's documents."""
    return village[:COMMUNE_DIGITS]


def ancestors(area: str) -> list[str]:
    """The areas above this one, the nation first: `020301` → `["", "02", "0203"]`."""
    return [area[:digits] for digits in range(0, len(area), 2)]


def covers(grant: str, area: str) -> bool:
    """Whether `area` is the granted one or lies within it; personal areas lie in none."""
    return not is_personal(area) and area.startswith(grant)


def personal(account: str) -> str:
    """The area of what only this account sees."""
    return f"@{account}"


def is_personal(area: str) -> bool:
    return area.startswith("@")


def office_of(area: str) -> str:
    """Where those look for a document who decide on it: the nation's for one that stands in a
    personal area, until it is known where it belongs.
    """
    return NATION if is_personal(area) else area
