"""Which rows of a source are places, and what is wrong with the others.

Published lists have flaws: codes given twice, villages listed under a commune that their code does
not belong to, names with characters that nobody sees. A flaw in a name is mended. A row whose code
cannot be trusted is left out and reported: a guessed code would put households where they are not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sync_server.access.gazetteer.places import Place

MAXIMUM_NAME_LENGTH = 200

_CODE = re.compile(r"(?:[0-9]{2}){1,4}")
_KHMER_DIGITS = {0x17E0 + digit: str(digit) for digit in range(10)}
_JOINERS = "\u200c\u200d"
"""Zero-width too, but a letter's shape may hang on them."""
_SPACES = re.compile(r"\s+")


class SourceRow(NamedTuple):
    """A row as it stands in its source."""

    file: str
    line: int
    code: str
    name_km: str
    name_latin: str
    parent: str | None = None
    """The code of what the place lies in, where the source names it beside the code."""
    fault: str = ""
    """What is wrong with the row as a row, e.g. too few cells."""


class Finding(NamedTuple):
    """What was found in a row: it was left out, or mended and kept."""

    row: SourceRow
    reason: str
    is_rejected: bool


@dataclass(slots=True)
class Cleaned:
    """Places in order of their codes, each with all places above it; findings as rows came."""

    places: list[Place] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def rejected(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.is_rejected]

    @property
    def mended(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.is_rejected]


class _Candidate(NamedTuple):
    row: SourceRow
    place: Place
    mended: Sequence[str]


def clean(rows: Iterable[SourceRow]) -> Cleaned:
    """Every row becomes a place or a rejected finding; of rows of one code the first stays."""
    cleaned = Cleaned()
    kept: dict[str, _Candidate] = {}
    order: dict[SourceRow, int] = {}
    for number, row in enumerate(rows):
        order[row] = number
        candidate = _candidate(row)
        reason = candidate if isinstance(candidate, str) else _taken(candidate, kept)
        if reason:
            cleaned.findings.append(Finding(row, reason, True))
        elif isinstance(candidate, _Candidate):
            kept[candidate.place.code] = candidate
    _keep_those_with_all_above(kept, cleaned)
    cleaned.findings.sort(key=lambda finding: order[finding.row])
    return cleaned


def _candidate(row: SourceRow) -> _Candidate | str:
    """A place, or why the row is none."""
    code = _visible(row.code).translate(_KHMER_DIGITS)
    parent = None if row.parent is None else _visible(row.parent).translate(_KHMER_DIGITS)
    fault = row.fault or _fault_of_code(code, parent)
    if fault:
        return fault
    names = _visible(row.name_km), _visible(row.name_latin)
    if not any(names):
        return "it has no name"
    if max(map(len, names)) > MAXIMUM_NAME_LENGTH:
        return f"a name is longer than {MAXIMUM_NAME_LENGTH} characters"
    place = Place(code, names[0] or names[1], names[1] or names[0])
    return _Candidate(row, place, list(_mended(row, place)))


def _visible(text: str) -> str:
    """NFC, without characters that show nothing, one space where there were several."""
    if text.isprintable() and text == text.strip() and "  " not in text:
        # Nearly all are like that, and the first start of the service waits for them.
        return unicodedata.normalize("NFC", text)
    shown = "".join(
        character
        for character in text
        if character in _JOINERS
        or character.isspace()
        or unicodedata.category(character) not in ("Cc", "Cf")
    )
    return unicodedata.normalize("NFC", _SPACES.sub(" ", shown).strip(" " + _JOINERS))


def _fault_of_code(code: str, parent: str | None) -> str:
    if not code:
        return "it has no code"
    if not _CODE.fullmatch(code):
        return _fault_of_form(code)
    if parent is not None and code[:-2] != parent:
        return f"it is listed under {parent or 'nothing'}, but its code lies in {code[:-2]}"
    return ""


def _fault_of_form(code: str) -> str:
    wanted = "a code has 2, 4, 6 or 8 digits"
    if not (code.isascii() and code.isdecimal()):
        return f"{wanted}, and nothing else"
    if len(code) % 2:
        return f"{wanted}, this one {len(code)}: a spreadsheet may have dropped a 0 in front"
    return f"{wanted}, this one {len(code)}"


def _mended(row: SourceRow, place: Place) -> Iterable[str]:
    """What had to be changed of the row."""
    if row.code != place.code:
        yield "its code was written with Khmer digits or characters that are none"
    for column, given, kept in (
        ("name_km", row.name_km, place.name_km),
        ("name_latin", row.name_latin, place.name_latin),
    ):
        if not _visible(given):
            yield f"{column} is empty: the other name stands for it"
        elif given != kept:
            yield f"{column} had spaces, invisible characters or a form that is not NFC"


def _taken(candidate: _Candidate, kept: dict[str, _Candidate]) -> str:
    first = kept.get(candidate.place.code)
    if first is None:
        return ""
    where = f"{first.row.file}:{first.row.line}"
    return f"its code is that of {first.place.name_latin} ({where}) already"


def _keep_those_with_all_above(kept: dict[str, _Candidate], cleaned: Cleaned) -> None:
    known: set[str] = set()
    for code, (row, place, mended) in sorted(kept.items()):
        above = code[:-2]
        if above and above not in known:
            reason = f"it lies in {above}, which is not among the places"
            cleaned.findings.append(Finding(row, reason, True))
            continue
        known.add(code)
        cleaned.places.append(place)
        if mended:
            cleaned.findings.append(Finding(row, "; ".join(mended), False))
